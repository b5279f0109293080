"""Certificates that the service issues as a CA of its own, and the lists of those that it revoked."""
