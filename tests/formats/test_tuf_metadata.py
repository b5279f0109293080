"""TUF metadata is read in full before it is signed; what could not be shown in full is refused."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import SAMPLES
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import SSlibKey
from software_hsm import CONTEXT, artifact_of, key_record, pem_of, private_key
from tuf_samples import compact_json, tuf_metadata

from hsmpub.errors import Invalid
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.formats.tuf import rules as rule
from hsmpub.formats.tuf.canonical import canonical, load_canonical
from hsmpub.formats.tuf.key import tuf_key, tuf_key_id
from hsmpub.formats.tuf.meaning import meaning
from hsmpub.formats.tuf.metadata import LONGEST, ROLES, read_metadata
from hsmpub.formats.tuf.role import MOST_BYTES, TufTooLarge

every_role = pytest.mark.parametrize("role", ROLES)
_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


def said(role: str, **changes: Any) -> bytes:
    """Metadata with some members of it changed; None leaves one out."""
    value = {**json.loads(tuf_metadata(role)), **changes}
    return compact_json({name: one for name, one in value.items() if one is not None})


def root_with(keys: list[dict[str, Any]], threshold: Any = 1, ids: list[str] | None = None) -> bytes:
    """A root with these keys in every role."""
    named = {hashlib.sha256(canonical(key)).hexdigest(): key for key in keys}
    if ids is not None:
        named = dict(zip(ids, keys, strict=True))
    roles = {role: {"keyids": list(named), "threshold": threshold} for role in ROLES}
    return canonical({**json.loads(tuf_metadata("root")), "keys": named, "roles": roles})


def ed_key(fill: int = 7) -> dict[str, Any]:
    return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": bytes([fill] * 32).hex()}}


def pem_key(**changes: Any) -> dict[str, Any]:
    return {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": pem_of("p256")}, **changes}


@given(_JSON)
def test_spells_as_securesystemslib_does(value: Any) -> None:
    assert canonical(value) == encode_canonical(value).encode()
    assert load_canonical(canonical(value)) == value


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_names_keys_as_securesystemslib_does(kind: Any) -> None:
    theirs = SSlibKey.from_crypto(private_key(kind, 0).public_key())
    record = key_record(kind)
    assert (tuf_key_id(record), tuf_key(record)) == (theirs.keyid, theirs.to_dict())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'{"a":1.0}', b'{"a":1e3}', b'{"a":NaN}',
        b'{"a":"\\u0061"}', b'{"a":"\xc3\xa4"}', '{"a":"\u202e"}'.encode(), b'{"a":"\t"}', b'{"a":"\x00"}', b'{"a":-0}',
        b'{"a":01}', b'\xef\xbb\xbf{}', b"[" * 50_000, b"[" * 14 + b"]" * 14, b'{"a":' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_refuses_json_that_has_another_spelling(data: bytes) -> None:
    with pytest.raises(rule.TufNotCanonical):
        load_canonical(data)


@every_role
def test_refuses_the_metadata_of_another_role(role: Any) -> None:
    for other in set(ROLES) - {role}:
        with pytest.raises(rule.TufWrongRole):
            read_metadata(tuf_metadata(other), role)


@every_role
@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"x": 1}, rule.TufMemberRefused),
        ({"version": None}, rule.TufMemberRefused),
        ({"delegations": {}}, rule.TufMemberRefused),
        ({"version": 0}, rule.TufValueRefused),
        ({"version": True}, rule.TufValueRefused),
        ({"version": "1"}, rule.TufValueRefused),
        ({"version": 2**31}, rule.TufValueRefused),
        ({"spec_version": "2.0.0"}, rule.TufValueRefused),
        ({"spec_version": 1}, rule.TufValueRefused),
        ({"expires": "2026-13-01T00:00:00Z"}, rule.TufValueRefused),
        ({"expires": "2026-10-01T00:00:00+00:00"}, rule.TufValueRefused),
        ({"expires": 1}, rule.TufValueRefused),
    ],
)
def test_refuses_what_is_not_as_the_specification_says(role: Any, changes: dict[str, Any], refusal: Any) -> None:
    with pytest.raises(refusal):
        read_metadata(said(role, **changes), role)


@pytest.mark.parametrize(
    ("role", "changes"),
    [
        ("targets", {"targets": []}),
        ("targets", {"targets": {"../x": {"hashes": {"sha256": "ab" * 32}, "length": 5}}}),
        ("targets", {"targets": {"/x": {"hashes": {"sha256": "ab" * 32}, "length": 5}}}),
        ("targets", {"targets": {"a//x": {"hashes": {"sha256": "ab" * 32}, "length": 5}}}),
        ("targets", {"targets": {"x y": {"hashes": {"sha256": "ab" * 32}, "length": 5}}}),
        ("targets", {"targets": {"x": {"hashes": {"md5": "ab" * 16}, "length": 5}}}),
        ("targets", {"targets": {"x": {"hashes": {"sha256": "AB" * 32}, "length": 5}}}),
        ("targets", {"targets": {"x": {"hashes": {"sha256": "ab" * 31}, "length": 5}}}),
        ("targets", {"targets": {"x": {"hashes": {"sha256": "ab" * 32}, "length": -1}}}),
        ("targets", {"targets": {"x": {"hashes": {"sha256": "ab" * 32}, "length": 5, "custom": {}}}}),
        ("snapshot", {"meta": {}}),
        ("snapshot", {"meta": {"targets.json": {"version": 0}}}),
        ("snapshot", {"meta": {"targets.json": {"version": 1}, "root.json": {"version": 1}}}),
        ("snapshot", {"meta": {"targets.json": {"version": 1, "length": -1}}}),
        ("timestamp", {"meta": {"targets.json": {"version": 1}}}),
        ("timestamp", {"meta": {"snapshot.json": {"version": 1}, "targets.json": {"version": 1}}}),
        ("root", {"consistent_snapshot": 1}),
        ("root", {"keys": {}}),
        ("root", {"roles": {}}),
    ],
)
def test_refuses_what_it_could_not_show(role: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(rule.TufRefused):
        read_metadata(said(role, **changes), role)


@pytest.mark.parametrize("threshold", [0, 2, True, "1", -1])
def test_refuses_a_threshold_that_says_nothing_or_is_out_of_reach(threshold: Any) -> None:
    with pytest.raises(rule.TufThresholdOutOfReach):
        read_metadata(root_with([ed_key()], threshold), "root")


@pytest.mark.parametrize(
    "keys",
    [
        [ed_key(), {**ed_key(), "x": 1}],
        [{**ed_key(), "scheme": "rsassa-pss-sha256"}],
        [{**ed_key(), "keyval": {"public": "00"}}],
        [{**ed_key(), "keyval": {"public": "00" * 32, "private": "00" * 32}}],
        [pem_key(scheme="ecdsa-sha2-nistp384")],
        [pem_key(keyval={"public": "x"})],
        [pem_key(keyval={"public": pem_of("rsa3072")})],
        [pem_key(), pem_key(keyval={"public": pem_of("p256") + "\n"})],  # one key that would count twice
    ],
)
def test_refuses_keys_that_are_not_what_they_say_or_count_twice(keys: list[dict[str, Any]]) -> None:
    with pytest.raises(rule.TufKeyRefused):
        read_metadata(root_with(keys), "root")


def test_refuses_a_key_under_another_id() -> None:
    with pytest.raises(rule.TufKeyRefused):
        read_metadata(root_with([ed_key()], ids=["ab" * 32]), "root")


@every_role
def test_refuses_an_expiry_that_is_over_or_too_far(role: Any) -> None:
    form, key = FORMATS[f"tuf-{role}"], key_record("p256", f"tuf-{role}")

    def prepare(seconds: int, longest: int = 0) -> None:
        expires = datetime.fromtimestamp(CONTEXT.at + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        artifact = artifact_of(said(role, expires=expires), format_=form)
        form.prepare(artifact, key, msgspec.structs.replace(CONTEXT, tuf_longest=longest))

    prepare(1)
    prepare(LONGEST[role])
    prepare(3600, longest=3600)
    for seconds, longest in ((0, 0), (-1, 0), (LONGEST[role] + 1, 0), (LONGEST[role] + 1, 10**9), (3601, 3600)):
        with pytest.raises(rule.TufExpiryRefused):
            prepare(seconds, longest)


def test_shows_every_fact_of_a_root() -> None:
    keys = [ed_key(number) for number in range(3)]
    text = meaning(read_metadata(root_with(keys, 2), "root"), {tuf_key_id(key_record("p256")): "root-1"})
    for key in keys:
        assert text.count(hashlib.sha256(canonical(key)).hexdigest()) == 4
    assert text.count(": 2 of 3 keys") == 4
    assert "version 1, expires 2026-10-01T00:00:00Z" in text
    assert text.count("not of this service") == 12


@given(st.dictionaries(st.sampled_from(["a", "b/c", "x.whl", "b/c.d/e"]), st.integers(0, 2**53), max_size=4))
@settings(max_examples=30)
def test_shows_every_target(lengths: dict[str, int]) -> None:
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in lengths}
    targets = {name: {"hashes": {"sha256": digests[name]}, "length": lengths[name]} for name in lengths}
    lines = meaning(read_metadata(said("targets", targets=targets), "targets"), {}).split("\n")
    for name, length in lengths.items():
        at = lines.index(f"file {name}, {length:,} bytes")
        assert lines[at + 1] == f"  sha256 {digests[name]}"
    assert len(lines) == 2 + 2 * len(lengths)


def test_refuses_more_than_approvers_could_be_shown() -> None:
    targets = {f"file-{n}": {"hashes": {"sha256": "ab" * 32}, "length": n} for n in range(500)}
    with pytest.raises(rule.TufTooLongToApprove):
        meaning(read_metadata(said("targets", targets=targets), "targets"), {})
    with pytest.raises(TufTooLarge):
        FORMATS["tuf-targets"].extract(BytesSource(bytes(MOST_BYTES + 1)))


@every_role
@given(data=st.data())
def test_an_altered_byte_is_refused_or_says_something_else(role: Any, data: st.DataObject) -> None:
    """Nothing that is signed has two spellings."""
    payload = SAMPLES[f"tuf-{role}"]
    at, change = data.draw(st.integers(0, len(payload) - 1)), data.draw(st.integers(1, 255))
    altered = payload[:at] + bytes((payload[at] ^ change,)) + payload[at + 1 :]
    try:
        found = read_metadata(altered, role)
    except DetailMalformed:
        return
    assert found != read_metadata(payload, role) or b"spec_version" in payload[at - 25 : at]


@given(st.binary(max_size=300))
def test_garbage_is_refused(garbage: bytes) -> None:
    for role in ROLES:
        with pytest.raises(Invalid):
            read_metadata(garbage, role)
