"""The commands of `hsmpub-ceremony`, a module each; ceremony/cli.py gathers them."""
