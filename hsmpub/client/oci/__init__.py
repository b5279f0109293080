"""Registries, as the client needs them: an image's manifest read, signatures put beside it."""
