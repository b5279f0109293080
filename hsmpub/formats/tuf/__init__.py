"""Metadata of The Update Framework (TUF): what a root, targets, snapshot or timestamp key signs."""
