"""Signing and publishing of releases with keys in an HSM. docs/architecture.md has the way through the folders."""

__version__ = "0.1.0"
