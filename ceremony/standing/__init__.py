"""Ceremonies on a home that exists: with the keeper stopped, opened by a quorum of unseal shares.

`hold` runs one from its reviewed file to its signed transcript; `resume` ends one that was killed. What a ceremony
does itself is a `Kind`. docs/adr/0006-standing-ceremonies.md says why it is built so.
"""
