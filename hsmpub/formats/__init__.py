"""Signature formats: pure translations between artifacts and what an HSM signs. No I/O, no clock, and nothing
random but the salts that whoever hashes a file draws (hsmpub.formats.salted)."""
