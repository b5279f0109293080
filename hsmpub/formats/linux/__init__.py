"""Packages and their repositories that are signed with OpenPGP: apt, deb, rpm."""
