"""Judges a signature by the pins alone: which key made it over this file, and what its timestamp is worth.

    1  by a key of the pins, for this format, over this file            else SignatureOfNoPinnedKey
    2  the key is not one that others may know                          else KeyMayBeKnown
    3  in the file: nothing there that signing does not put there       else SignedFileAltered
    4  its timestamp, if any, is judged (hsmpub.client.stamped_time)
    5  its certificates were valid then; without a timestamp: are now   else CertificateOver

What the pins do not show is who asked, who approved and when it was signed: a receipt does.
"""

from __future__ import annotations

from dataclasses import dataclass

from hsmpub.artifact.source import PathSource
from hsmpub.client.finding import Found
from hsmpub.client.stamped_time import Authorities, Time, check_times, judge_response, judge_token
from hsmpub.errors import HsmpubError, Invalid
from hsmpub.formats.cms.certificates import with_its_certificates
from hsmpub.formats.cms.stamp import STAMPED, without_timestamp
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.oci.named import image_named_in
from hsmpub.formats.salted import details_to_check
from hsmpub.formats.source import Source
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Key, Keys
from hsmpub.receipt.files import GivenFile


class SignatureOfNoPinnedKey(Invalid):
    advice = "Do not use the file, unless somebody else was to sign it; if the pins are old: 'hsmpub trust update'."


class KeyMayBeKnown(Invalid):
    advice = "Verify with the receipt, which shows that it was signed before; without one, do not use the file."


class SignedFileAltered(Invalid):
    advice = "Do not use the file: get it again from where it was published."


@dataclass(frozen=True)
class Judged:
    """A signature that holds. name: of the file that holds it; sha256: of the signature as it was logged, hex.

    time: of its timestamp, None: there is none; notes: what whoever relies on it should know.
    """

    name: str
    format: str
    embedded: bool
    key: str
    key_kind: str
    key_state: str
    sha256: str
    time: Time | None
    notes: tuple[str, ...]


def judge(
    found: Found, file: GivenFile, keys: Keys, authorities: Authorities, *, logged_at: int | None = None
) -> Judged:
    """logged_at: when a receipt shows that it was signed, seconds since 1970.

    Raises:
        SignatureOfNoPinnedKey, KeyMayBeKnown, SignedFileAltered, and the rules of hsmpub.client.stamped_time.
    """
    if found.forms[0].name == "timestamp":
        return _judge_timestamp(found, file, keys, authorities)
    form, output, token, key, record = _maker(found, file, keys)
    notes = notes_of(key, found.path.name) if logged_at is None else []
    if image := image_named_in(form.name, output):
        notes.append(f"the file is the manifest of an image in {image}")
    if record != key.record:
        notes.append("its certificate is not the one in the pins: the key is the same, so it was renewed")
    if found.embedded:
        check_nothing_else(found, form)
    time = None if token is None else judge_token(token, output, authorities, found.path.name)
    notes += check_times(form, output, record, time, authorities, logged_at)
    return Judged(found.path.name, form.name, found.embedded, key.name, key.record.kind, key.state,
                  sha256_hex(output), time, tuple(notes))  # fmt: skip


def _maker(found: Found, file: GivenFile, keys: Keys) -> tuple[Format, bytes, bytes | None, Key, KeyRecord]:
    """Format, output as it was logged, timestamp token, the key, and its record with the certificates used.

    Raises SignatureOfNoPinnedKey."""
    why: list[str] = []  # of keys that it could be by; what says only that it is another's is counted
    others = 0
    for form in found.forms:
        output, token = without_timestamp(found.output, form.name) if form.name in STAMPED else (found.output, None)
        for key in keys.known:
            if form.name not in key.record.formats:
                continue
            try:
                record = _check(form, output, file, key.record)
            except HsmpubError as e:
                if e.rule.endswith("-key-differs"):
                    others += 1
                else:
                    why.append(e.detail)
            else:
                return form, output, token, key, record
    names = " or ".join(form.name for form in found.forms)
    reason = why[0] if why else "It is by another key." if others else "They know none for that."
    raise SignatureOfNoPinnedKey(f"{found.path.name} ({names}): no key of the pins made it over this file. {reason}")


def _check(form: Format, output: bytes, file: GivenFile, record: KeyRecord) -> KeyRecord:
    """Raises the rules of the format, SignatureDoesNotVerify. Returns: the record that it verifies with."""
    source = _source_of(file)
    details = details_to_check(form, source, output)
    artifact = Artifact(file.name, file.hash, details, image_named_in(form.name, output))
    try:
        form.check(output, artifact, record)
    except Invalid:
        renewed = with_its_certificates(output, record)
        if renewed is None:
            raise
        form.check(output, artifact, renewed)
        return renewed
    return record


def _source_of(file: GivenFile) -> Source:
    assert file.source is not None  # every file at hand is given with one
    return file.source


def notes_of(key: Key, name: str) -> list[str]:
    """What to know of a signature by a key that signs no more, without a receipt. name: what holds it.

    Raises:
        KeyMayBeKnown.
    """
    if key.life.reason == "compromised":
        raise KeyMayBeKnown(
            f"{name}: it verifies with the key {key.name!r}, which was retired since others may know it."
        )
    if key.state == "active":
        return []
    return [f"the key is {key.state} and signs nothing any more; only a receipt shows that it was signed before"]


def check_nothing_else(found: Found, form: Format) -> None:
    """The file is, byte for byte, what comes of putting this signature into it. Raises SignedFileAltered."""
    source, at = PathSource(found.path), 0
    for piece in form.attach(source, found.output):
        if at + len(piece) > source.size or source.read(at, len(piece)) != piece:
            break
        at += len(piece)
    else:
        if at == source.size:
            return
    raise SignedFileAltered(f"{found.path.name}: beside the signature there is what signing does not put there.")


def _judge_timestamp(found: Found, file: GivenFile, keys: Keys, authorities: Authorities) -> Judged:
    time = judge_response(found.output, _source_of(file), authorities, found.path.name)
    key = next((key for key in keys.known if key.name == time.key), None)
    kind, state = (key.record.kind, key.state) if key else ("", "")
    return Judged(found.path.name, "timestamp", False, time.key, kind, state, sha256_hex(found.output), time, ())
