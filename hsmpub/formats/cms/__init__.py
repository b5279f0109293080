"""Formats that carry an X.509 chain: CMS over any file, Authenticode, and what is built from them."""
