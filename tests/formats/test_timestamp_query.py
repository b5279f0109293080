"""Timestamp queries: read as others read them, or refused by name."""

from __future__ import annotations

import pytest
from asn1crypto import tsp
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.formats.cms.der import oid
from hsmpub.formats.cms.timestamp_query import TimestampQueryMalformed, TimestampQueryRefused, load_query

HASHES = st.sampled_from([("sha256", 32), ("sha384", 48), ("sha512", 64)])
NONCES = st.none() | st.integers(-(1 << 200), 1 << 200)
POLICIES = st.none() | st.sampled_from(["1.2.3", "2.999.5", f"2.25.{1 << 127}"])


def query(hash_: tuple[str, int], nonce: int | None, policy: str | None, certificates: bool) -> bytes:
    name, size = hash_
    imprint = {"hash_algorithm": {"algorithm": name}, "hashed_message": bytes(size)}
    said = {"version": "v1", "message_imprint": imprint, "cert_req": certificates}
    if nonce is not None:
        said["nonce"] = nonce
    if policy is not None:
        said["req_policy"] = policy
    return tsp.TimeStampReq(said).dump()


@given(HASHES, NONCES, POLICIES, st.booleans())
def test_every_query_is_read_as_it_was_meant(hash_, nonce, policy, certificates):
    found = load_query(query(hash_, nonce, policy, certificates))
    assert found.digest == bytes(hash_[1])
    assert found.certificates == certificates
    assert (int.from_bytes(found.nonce, "big", signed=True) if found.nonce else None) == nonce
    assert found.policy == (oid(policy) if policy else b"")


@given(st.binary(max_size=300))
def test_garbage_is_refused(garbage):
    with pytest.raises(TimestampQueryRefused):
        load_query(garbage)


@given(st.data())
def test_an_altered_query_is_refused_or_read_as_others_read_it(data):
    good = query(("sha256", 32), 77, "1.2.3", True)
    at = data.draw(st.integers(0, len(good) - 1))
    altered = good[:at] + bytes((good[at] ^ data.draw(st.integers(1, 255)),)) + good[at + 1 :]
    try:
        found = load_query(altered)
    except TimestampQueryRefused:
        return
    theirs = tsp.TimeStampReq.load(altered, strict=True)
    assert theirs["message_imprint"]["hashed_message"].native == found.digest
    assert int(theirs["nonce"].native) == int.from_bytes(found.nonce, "big", signed=True)
    assert theirs["cert_req"].native == found.certificates


def test_a_number_spelt_longer_than_it_is_is_refused():
    good = query(("sha256", 32), 77, None, True)
    for spelt in (b"\x02\x02\x00\x4d", b"\x02\x02\xff\xff", b"\x02\x00"):
        body = good[2:].replace(b"\x02\x01\x4d", spelt)
        assert spelt in body
        with pytest.raises(TimestampQueryMalformed):
            load_query(b"\x30" + bytes((len(body),)) + body)
