"""Signature formats: pure translations between artifacts and what an HSM signs. No I/O, clock or randomness."""
