"""The Merkle log: every fact is an entry; the keeper holds the root, readers hold nothing but the data."""
