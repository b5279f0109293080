"""The ceremonies: one reviewed file in, a signed transcript out."""
