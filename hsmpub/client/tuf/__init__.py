"""A TUF repository in a folder: written with python-tuf (the extra `tuf`), signed by the service."""
