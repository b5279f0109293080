"""Nouns of the product as values: no I/O, no clock, no randomness."""
