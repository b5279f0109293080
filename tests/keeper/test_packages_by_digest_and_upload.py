"""Formats that look into a file, through the whole keeper: by digest and by upload, two signatures in one output."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model import submission as s
from hsmpub.model.key import KeyRecord
from hsmpub.wire import messages as m
from tests.formats.windows_samples import cat_file, msi_file
from tests.keeper.keeping import RELEASE_KEY, Kept, kept
from tests.service.jobs import store

FORMATS = ("apk", "jar", "msi", "cat")
POLICY = """
[project.packages]
requesters = [{ issuer = "ci", repository = "example/packages" }]
sign = [{ key = "apk-key", formats = ["apk"] }, { key = "jar-key", formats = ["jar"] },
        { key = "msi-key", formats = ["msi"] }, { key = "cat-key", formats = ["cat"] }]
approvals = []
"""


def certificate() -> str:
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Releases")]), datetime.now(UTC)
    begun = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(RELEASE_KEY.public_key())
    begun = begun.serial_number(7).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(9))
    return begun.sign(RELEASE_KEY, SHA256()).public_bytes(Encoding.PEM).decode()


def key_for(name: str) -> KeyRecord:
    pem = RELEASE_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return KeyRecord(f"{name}-key", "p256", pem, 1, (name,), certificates=certificate())


KEYS = tuple(key_for(name) for name in FORMATS)


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept(tmp_path, monkeypatch, keys=KEYS, policy=POLICY) as made:
        yield made


def package(name: str, text: bytes) -> bytes:
    if name == "msi":
        return msi_file(text)
    if name == "cat":
        return cat_file(hashlib.sha256(text).digest())
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a", text)
    return whole.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_a_package_is_signed_by_digest_and_by_upload_and_a_bad_one_fails_alone(keeper: Kept, name: str) -> None:
    form, key = get_format(name), KEYS[FORMATS.index(name)]
    here, there = package(name, b"here"), package(name, b"there")

    async def scenario() -> None:
        await keeper.unseal()
        job = await keeper.job(repository="example/packages", ref="refs/heads/main")
        detail = form.extract(BytesSource(here))
        states = [
            Sha256State.of(here).to_state("here"),
            s.HashState("wrong", "00" * 32, "", 64, {name: b"x"}),
        ]
        states[0] = s.HashState("here", states[0].h, states[0].tail, states[0].size, {name: detail})
        files = (store(keeper.folder, "there", there), store(keeper.folder, "text", b"no package"))
        reply = await job.ask(s.AskSign(project="packages", formats=(name,), states=tuple(states), files=files))
        assert isinstance(reply, m.SignReply)
        made = {one.artifact: one for one in reply.made}
        for artifact, data in (("here", here), ("there", there)):
            signed = b"".join(form.attach(BytesSource(data), made[artifact].output))
            details = {name: form.extract(BytesSource(signed))}
            form.check(made[artifact].output, Artifact(artifact, Sha256State.of(data), details), key)
        for artifact in ("wrong", "text"):
            problem = made[artifact].problem
            assert problem is not None
            assert problem.family == "invalid"
            assert not made[artifact].output

    asyncio.run(scenario())
