"""What the process of tests.forked imports before it forks: both commands with all of theirs."""

from __future__ import annotations

import gc
from importlib import import_module

import ceremony.cli  # noqa: F401
import hsmpub.client
import hsmpub.receipt
from hsmpub.cli.app import COMMANDS

for _module, _ in COMMANDS.values():
    import_module(f"hsmpub.cli.{_module}")
for _package in (hsmpub.client, hsmpub.receipt):
    for _name in _package.__all__:
        getattr(_package, _name)  # they import on demand
gc.freeze()  # a child that walked it all would copy it
