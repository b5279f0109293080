"""Names for what python-pkcs11 hands out: it puts the methods together at run time, out of a type checker's sight."""

from __future__ import annotations

from typing import Any, TypeAlias

#: A `pkcs11.Session`.
Session: TypeAlias = Any
#: A key object in a token, of whichever class.
TokenKey: TypeAlias = Any
