"""What a process gives up before it touches anything worth stealing, and how processes are started."""

from __future__ import annotations

from hsmpub.sandbox.code import code_digest
from hsmpub.sandbox.hardening import ProtectionMissing, end_with, harden, hide
from hsmpub.sandbox.python import hidden_python_command, python_command

__all__ = ["ProtectionMissing", "code_digest", "end_with", "harden", "hidden_python_command", "hide", "python_command"]
