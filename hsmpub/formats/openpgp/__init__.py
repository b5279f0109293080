"""OpenPGP: keys, certificates and signatures of version 4, and (`v6_…`) of version 6."""
