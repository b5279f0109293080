"""Steps that genesis and restore share: quorums, keeper identity, certificates, and the HSM they work on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ceremony.file import HsmTable
from ceremony.fingerprint import fingerprint_words, public_key_der
from ceremony.keys import LOG_KEY
from ceremony.module_check import first_so_pin
from ceremony.place import Place
from ceremony.softhsm import find_softhsm
from hsmpub.home import Home
from hsmpub.hsm.config import BornKey, HsmConfig
from hsmpub.hsm.custody import import_keys
from hsmpub.hsm.signer import TokenSigner
from hsmpub.hsm.softhsm import softhsm_conf_text
from hsmpub.hsm.token import init_token, new_pin
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.trust import Trust
from hsmpub.secret.page import SecretPage
from hsmpub.shares.facts import QuorumFacts, facts_of
from hsmpub.shares.record import Purpose, Quorum, RecoveryRecord, WrappedKey
from hsmpub.shares.recovery import seal_for_recovery
from hsmpub.shares.split import NewRecovery
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.record import Recorder, Sign


@dataclass(frozen=True)
class Secrets:
    """What a ceremony holds while it runs, in pages; nobody sees it and nothing else keeps it."""

    wrapping_key: SecretPage
    pin: SecretPage
    so_pin: SecretPage
    identity: SecretPage


@contextmanager
def open_secrets() -> Iterator[Secrets]:
    """Four empty pages, wiped at the end."""
    with SecretPage() as wrapping_key, SecretPage() as pin, SecretPage() as so_pin, SecretPage() as identity:
        yield Secrets(wrapping_key, pin, so_pin, identity)


def fill_random(page: SecretPage, size: int = 32) -> None:
    """Random bytes straight from the kernel into the page: no copy in Python's memory."""
    fd = os.open("/dev/urandom", os.O_RDONLY | os.O_CLOEXEC)
    try:
        page.fill_from(fd, size)
    finally:
        os.close(fd)


def prepare_hsm(table: HsmTable, place: Place) -> HsmConfig:
    """The HSM as the ceremony uses it. The embedded one keeps its token below the place."""
    home = Home(place.root)
    home.keeper.mkdir(mode=0o700)
    home.sealed_credentials.mkdir(mode=0o700)
    lock = str(home.hsm_lock)
    if table.module:
        variables = tuple(table.environment.items())
        return HsmConfig(table.module, table.token, lock=lock, network=table.network, environment=variables)
    home.tokens.mkdir(mode=0o700)
    place.write(home.softhsm_conf, softhsm_conf_text(home.tokens).encode())
    return HsmConfig(find_softhsm(), table.token, softhsm_conf=str(home.softhsm_conf), lock=lock)


def settle_hsm(hsm: HsmConfig, place: Place) -> None:
    """Lets the embedded HSM's configuration name the folder where the token will be after `finish`."""
    if hsm.softhsm_conf:
        home = Home(place.root)
        home.softhsm_conf.unlink()
        place.write(home.softhsm_conf, softhsm_conf_text(Home(place.home).tokens).encode())


def write_identity(page: SecretPage, place: Place) -> str:
    """Writes the seed of the keeper's identity for the keeper's user alone. Returns: its public key, hex."""
    path = Home(place.root).identity_key
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        page.send_to(fd)
        os.fsync(fd)
    finally:
        os.close(fd)
    return identity_sign(page)[0]


def identity_sign(page: SecretPage) -> tuple[str, Sign]:
    """Public key (hex) and signature function of the keeper's identity."""
    key = Ed25519PrivateKey.from_private_bytes(page.view)
    return key.public_key().public_bytes_raw().hex(), key.sign


def log_sign(signer: TokenSigner) -> Sign:
    """Signature function of the log key in the HSM."""
    return lambda message: signer.sign(LOG_KEY, message, "none")


def record_keys(recorder: Recorder, what: str, keys: Sequence[KeyRecord]) -> None:
    """A step with the fingerprints of keys, in hex and in words."""
    facts = []
    for key in keys:
        fact = {"name": key.name, "kind": key.kind}
        if key.public:
            der = public_key_der(key.public)
            fact |= {"sha256": sha256_hex(der), "words": fingerprint_words(der), "formats": " ".join(key.formats)}
        facts.append(fact)
    recorder.record(what, keys=facts)


def record_quorum(recorder: Recorder, what: str, quorum: Quorum, **more: str) -> None:
    """A step with the public side of a quorum."""
    purpose: Purpose = "recovery" if isinstance(quorum, RecoveryRecord) else "unseal"
    recorder.record(what, **quorum_facts(purpose, facts_of(quorum)), **more)


def quorum_facts(purpose: Purpose, facts: QuorumFacts) -> dict[str, object]:
    """What a transcript says of a quorum: who, in which group, with which key, the commitment to each share, and the
    fingerprint of it all, in hex and in words."""
    told: dict[str, object] = msgspec.to_builtins(facts)
    return told | {"sha256": facts.digest(purpose), "words": facts.words(purpose)}


def recovery_record(split: NewRecovery, secrets: Secrets, born: Sequence[BornKey]) -> RecoveryRecord:
    """The backup of the keys: wrapped at their birth, what unwraps them sealed to the recovery quorum."""
    return split.record(
        wrapping_key_box=seal_for_recovery(split.public_key, split.epoch, "wrapping key", secrets.wrapping_key.view),
        so_pin_box=seal_for_recovery(split.public_key, split.epoch, "SO PIN", secrets.so_pin.view),
        identity_box=seal_for_recovery(split.public_key, split.epoch, "keeper identity", secrets.identity.view),
        wrapped=[
            WrappedKey(name=key.name, kind=key.kind, public=key.public_pem, wrapped=key.wrapped.hex()) for key in born
        ],
    )


def fill_token(
    table: HsmTable, place: Place, recorder: Recorder, secrets: Secrets, born: Sequence[BornKey],
    later: Sequence[tuple[Sequence[BornKey], SecretPage]] = (),
) -> HsmConfig:  # fmt: skip
    """A new token with a random PIN and SO PIN that nobody sees, and the keys in it, never to come out.

    later: keys that were born after the genesis, with the wrapping key of each birth.
    """
    hsm = prepare_hsm(table, place)
    secrets.pin.take(new_pin(table.pin_length))
    secrets.so_pin.take(new_pin(table.pin_length))
    with first_so_pin(table) as first:
        init_token(hsm, so_pin=secrets.so_pin, pin=secrets.pin, first_so_pin=first)
    custody: dict[str, str] = {}
    for keys, wrapping_key in [(born, secrets.wrapping_key), *later]:
        if keys:
            custody |= import_keys(hsm, secrets.pin, keys, wrapping_key)
    vendor = {"vendor_backup": table.vendor_backup} if table.vendor_backup else {}
    names = list(custody)
    recorder.record("token", module=hsm.module, label=hsm.token, keys=names, custody=custody, **vendor)
    return hsm


def sign_transcript(
    recorder: Recorder, trust: Trust, secrets: Secrets, signer: TokenSigner, outputs: Mapping[str, str]
) -> bytes:
    """The finished transcript, signed by log key and keeper identity, and checked as everybody will check it.

    outputs: path below the home → SHA-256, hex.
    """
    recorder.record("outputs", sha256=dict(outputs))
    keeper_key, keeper_sign = identity_sign(secrets.identity)
    transcript = recorder.sign([("log", trust.log_key, log_sign(signer)), ("keeper", keeper_key, keeper_sign)])
    check_transcript(transcript, trust)
    return transcript
