"""Files by the SHA-256 of their bytes: written once, verified whenever they are read."""

from hsmpub.artifact.local import LocalStore
from hsmpub.artifact.memory import MemoryStore
from hsmpub.artifact.store import Store, Stored

__all__ = ["LocalStore", "MemoryStore", "Store", "Stored"]
