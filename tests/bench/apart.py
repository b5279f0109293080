"""Formats whose project says more than who may ask: images, provenance and predicates of one's own, TUF metadata,
tokens, certificates and lists of revoked ones.

Each has a project of its own here, and a file that the project's rules let through.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tests.formats.samples import certificate_request
from tests.formats.tuf_samples import tuf_metadata

ROLES = ("root", "targets", "snapshot", "timestamp")
#: name → kind and formats of its key.
KEYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "images": ("p256", ("oci-signature", "oci-bundle", "slsa-provenance", "in-toto")),
    "metadata": ("ed25519", tuple(f"tuf-{role}" for role in ROLES)),
    "tokens": ("p256", ("jwt",)),
    "ca": ("p256", ("x509-certificate", "x509-crl")),
}
#: The key that gets a certificate of its own.
AUTHORITY = "ca"
_PROJECT = """
[project.{name}]
requesters = [{{ issuer = "ci", repository = "example/{name}" }}]
sign = [{{ key = "{key}", formats = {formats} }}]
approvals = []
{more}
"""
_IMAGE, _REVIEW = "registry.example/acme/web", "https://example.org/review/v1"
_IMAGES = f'images = ["{_IMAGE}"]\npredicates = ["{_REVIEW}"]'
_TOKENS = """[project.tokens.jwt]
issuer = "https://tokens.acme.example"
subject = "repo:acme/*"
audience = "https://api.acme.example"
valid = "10m"
"""
_LEAVES = """[project.leaves.certificate]
usage = "tls-server"
names = ["*.internal.acme.example"]
valid = "30d"
keys = ["ed25519"]
"""


class Apart(NamedTuple):
    """more: the project's own tables; batch: the most files that one request may have, as far as 64 go."""

    key: str
    formats: tuple[str, ...]
    more: str = ""
    batch: int = 64


PROJECTS = {
    "images": Apart("images", KEYS["images"][1], _IMAGES),
    "metadata": Apart("metadata", KEYS["metadata"][1]),
    "tokens": Apart("tokens", ("jwt",), _TOKENS),
    "leaves": Apart("ca", ("x509-certificate",), _LEAVES),
    "revocations": Apart("ca", ("x509-crl",), 'crl = { valid = "7d" }', batch=1),
}
POLICY = "".join(
    _PROJECT.format(name=name, key=one.key, formats=json.dumps(one.formats), more=one.more)
    for name, one in PROJECTS.items()
)


#: What provenance is made of, beside the repository.
CLAIMS = {
    "ref": "refs/heads/main", "sha": "a" * 40, "run_id": "12", "run_attempt": "1",
    "workflow_ref": "example/images/.github/workflows/release.yml@refs/heads/main",
}  # fmt: skip


def beside(form: str) -> dict[str, object]:
    """What is asked for beside the file: `image`, and the predicate as `attest`."""
    if form == "in-toto":
        return {"attest": {"type": _REVIEW, "predicate": {"reviewer": "security-officer", "findings": []}}}
    return {"image": _IMAGE} if form.startswith("oci-") else {}


def samples() -> dict[str, bytes]:
    """format → what is asked for: metadata that is good for a day from now, claims, a request, a fresh list."""
    expires = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        **{f"tuf-{role}": tuf_metadata(role, 1, expires) for role in ROLES},
        "jwt": b'{"sub":"repo:acme/sdk"}',
        "x509-certificate": certificate_request(7),
        "x509-crl": b"",
    }
