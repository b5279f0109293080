"""What a verified signature beside an image says besides repository and digest, for people. Decides nothing."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

#: format → what it says, by the name that people read; a dot leads into an object.
_WORDS = {
    "oci-signature": {name: name for name in ("project", "version", "request", "service")},
    "dsse": {name: name for name in ("project", "version", "commit", "request", "service", "signedAt")},
    "slsa-provenance": {
        "project": "buildDefinition.internalParameters.hsmpub.project",
        "builder": "runDetails.builder.id",
        "run": "runDetails.metadata.invocationId",
    },
}


def words_in(format_: str, output: bytes) -> dict[str, str]:
    """The texts among those members; what is not there, or no text, is left out."""
    said: Any = None
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        top = json.loads(output)
        if format_ == "oci-signature":
            said = json.loads(base64.b64decode(top["Payload"]))["optional"]
        else:
            said = json.loads(base64.b64decode(top["payload"]))["predicate"]
    found = {name: _member(said, path) for name, path in _WORDS.get(format_, {}).items()}
    return {name: word for name, word in found.items() if isinstance(word, str)}


def _member(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
