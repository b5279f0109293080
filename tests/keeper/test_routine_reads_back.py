"""A routine output that says something else than the HSM signed is not released."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.errors import HsmpubError
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Prepared
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.keeper.making import Work, assemble_and_read
from hsmpub.model.key import KeyRecord

PEM = (
    ec.derive_private_key(4711, ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)
KEY = KeyRecord("routine", "p256", PEM.decode(), 1, ("openpgp", "sshsig", "dsse"))
ASKED, OTHER = (Artifact("x.bin", Sha256State.of(data)) for data in (b"asked", b"other"))
CONTEXT, SIGNATURE = Context(at=1), b"\x11" * 64


@dataclass
class Swapping:
    """A format whose builder goes wrong: another file, or another signature, than the one it was given."""

    inner: Any
    prepared: Prepared | None = None
    signature: bytes = SIGNATURE

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        made: bytes = self.inner.assemble(self.prepared or prepared, self.signature)
        return made


@pytest.mark.parametrize("name", ["sshsig", "openpgp", "dsse"])
def test_refuses_an_output_over_another_file_or_with_another_signature(name: str) -> None:
    form = get_format(name)
    asked, other = (form.prepare(artifact, KEY, CONTEXT) for artifact in (ASKED, OTHER))
    assert assemble_and_read(Work(ASKED, KEY, form, asked), SIGNATURE, CONTEXT)
    wrongs = [Swapping(form, signature=b"\x12" * 64)]
    if name != "sshsig":  # its output holds no digest of the file: the same signature gives the same bytes
        wrongs.append(Swapping(form, prepared=other))
    for wrong in wrongs:
        with pytest.raises(HsmpubError):
            assemble_and_read(Work(ASKED, KEY, wrong, asked), SIGNATURE, CONTEXT)  # type: ignore[arg-type]
