"""Reads the service's own SSH certificates, and compares what they say with key, profile and time. Builds nothing.

Source: OpenSSH, PROTOCOL.certkeys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.context import Context
from hsmpub.formats.format import Claim, OutputForAnother, OutputMalformed
from hsmpub.formats.public_key import load_public
from hsmpub.formats.ssh.key import SshPublicKey
from hsmpub.formats.ssh.sshsig_read import read_signature
from hsmpub.formats.ssh.wire import Reader, WireMalformed
from hsmpub.model.key import KeyRecord


class SshCertificateMalformed(OutputMalformed):
    pass


class SshCertificateForAnother(OutputForAnother):
    pass


def read_certificate(output: bytes, subject: SshPublicKey, key: KeyRecord, context: Context | None) -> Claim:
    """The claim of a certificate. subject: the key that it is for.

    Raises:
        SshCertificateMalformed, SshCertificateForAnother.
    """
    blob = _decode(output, subject)
    reader = Reader(blob)
    try:
        reader.string()
        reader.exactly(32)
        own = subject.blob[4 + len(subject.type) :]
        if reader.take(len(own)) != own:
            raise SshCertificateForAnother("The certificate is for another public key.")
        said = _read_fields(reader)
        authority = reader.string()
        signed = len(blob) - 4 - len(signature := reader.string())
        reader.end()
    except WireMalformed:
        raise SshCertificateMalformed("This is not one SSH certificate as the service writes it.") from None
    if authority != base64.b64decode(load_public(key).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1]):
        raise SshCertificateForAnother(f"The certificate is not by the key {key.name!r}.")
    if context is not None and said != _wanted(context):
        raise SshCertificateForAnother("The certificate says something else than the profile, request and time.")
    raw = read_signature(signature, key, SshCertificateMalformed)
    if key.kind == "ed25519":
        return Claim(blob[:signed], "none", raw)
    return Claim(hashlib.sha256(blob[:signed]).digest(), "sha256", raw)


def _read_fields(reader: Reader) -> dict[str, object]:
    reader.take(8)  # the serial number
    said: dict[str, object] = {"kind": reader.uint32(), "id": reader.text(), "principals": _list(reader.string())}
    said["after"], said["before"] = (int.from_bytes(reader.take(8), "big") for _ in range(2))
    reader.exactly(0)  # critical options
    pairs = _list(reader.string())
    if any(pairs[1::2]) or len(pairs) % 2:
        raise WireMalformed("an extension with data")
    said["extensions"] = pairs[::2]
    reader.exactly(0)
    return said


def _list(data: bytes) -> list[str]:
    reader, found, left = Reader(data), [], len(data)
    while left > 0:
        found.append(reader.text())
        left -= 4 + len(found[-1])
    reader.end()
    return found


def _wanted(context: Context) -> dict[str, object] | None:
    if context.ssh is None:
        return None
    return {
        "kind": 1 if context.ssh.kind == "user" else 2,
        "id": f"{context.service} {context.project} {context.request}",
        "principals": list(context.ssh.principals),
        "after": context.at - 60,
        "before": context.at + context.ssh.seconds,
        "extensions": sorted(context.ssh.extensions),
    }


def _decode(output: bytes, subject: SshPublicKey) -> bytes:
    kind = f"{subject.type.removesuffix('@openssh.com')}-cert-v01@openssh.com".encode()
    said, _, rest = output.partition(b" ")
    try:
        blob = base64.b64decode(rest.removesuffix(b"\n"), validate=True)
    except binascii.Error:
        raise SshCertificateMalformed("The certificate is broken base64.") from None
    if base64.b64encode(blob) + b"\n" != rest or not blob.startswith(len(kind).to_bytes(4, "big") + kind):
        raise SshCertificateMalformed("This is not one SSH certificate as the service writes it.")
    if said != kind:
        raise SshCertificateForAnother("The certificate is for another kind of key.")
    return blob
