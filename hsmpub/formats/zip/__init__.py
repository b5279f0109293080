"""Packages that are zip archives: Java archives and Android packages."""
