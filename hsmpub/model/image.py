"""Names of image repositories: `registry.example/acme/web`, without tag and digest.

Source: OCI distribution specification 1.1, "Pulling manifests" (name); the host as Docker references have it.
"""

from __future__ import annotations

import re

from hsmpub.errors import Invalid

MAX_IMAGE_LENGTH = 255
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?")
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*")
#: What a subject's `uri` begins with where it is an image's manifest.
SCHEME = "oci://"


class ImageNameMalformed(Invalid):
    advice = "Name the repository with its registry, in lower case, such as registry.example/acme/web."


def check_image_name(name: str) -> None:
    """Raises ImageNameMalformed."""
    host, _, path = name.partition("/")
    registry = _HOST.fullmatch(host) and ("." in host or ":" in host or host == "localhost")
    if not registry or len(name) > MAX_IMAGE_LENGTH or not all(map(_PART.fullmatch, path.split("/"))):
        raise ImageNameMalformed(f"{name[:80]!r} is no name of an image repository.")
