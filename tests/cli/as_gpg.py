"""`hsmpub-gpg` as a module, for tests that start it themselves."""

from hsmpub.cli.gpg import run

run()
