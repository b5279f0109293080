"""Which image a signature file says that it is about, for whoever has nothing else to know it from.

A file name holds no slash and a repository does, so the two cannot be mixed up. What it says counts once the signature
verified, for the digest that it says.
"""

from __future__ import annotations

import base64
import contextlib
import json

from hsmpub.formats.oci.attachment import BESIDE
from hsmpub.model.image import ImageNameMalformed, check_image_name


def image_named_in(format_: str, output: bytes) -> str:
    """The repository; empty: it names none."""
    if format_ not in BESIDE:
        return ""
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, RecursionError, ImageNameMalformed):
        top = json.loads(output)
        said = json.loads(base64.b64decode(top["Payload" if format_ == "oci-signature" else "payload"]))
        name = (
            said["critical"]["identity"]["docker-reference"]
            if format_ == "oci-signature"
            else said["subject"][0]["name"]
        )
        if isinstance(name, str):
            check_image_name(name)
            return name
    return ""
