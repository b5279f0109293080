"""What a process gives up before it touches anything worth stealing, and how processes are started."""

from __future__ import annotations

from hsmpub.sandbox.hardening import ProtectionMissing, harden, hide
from hsmpub.sandbox.python import python_command

__all__ = ["ProtectionMissing", "harden", "hide", "python_command"]
