"""Reads an answer of our own back beside the query's very bytes; shares nothing with what made it but the DER check.

Source: RFC 3161, sections 2.4.1 and 2.4.2.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from asn1crypto import tsp

from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.der_check import check_der, contents, members
from hsmpub.formats.cms.read import CmsMalformed, ReadSignedData, check_same
from hsmpub.formats.format import Claim, OutputForAnother
from hsmpub.model.key import KeyRecord

_ATTRIBUTES = {"content_type", "message_digest", "signing_time", "signing_certificate_v2"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Answered(NamedTuple):
    """token: the ContentInfo, DER; claim: what was signed with what; the rest as in Stamp."""

    token: bytes
    claim: Claim
    at: int
    serial: int
    policy: str
    accuracy: int
    ordering: bool


def read_answer(answer: bytes, asked: bytes, key: KeyRecord) -> Answered:
    """What a granted answer says, to this query and no other. Nothing is verified.

    Raises:
        CmsMalformed, OutputForAnother.
    """
    try:
        check_der(answer)
        status, token = members(contents(answer))
        if status != b"\x30\x03\x02\x01\x00":
            raise CmsMalformed("The timestamp says that it was not granted.")
        query = tsp.TimeStampReq.load(asked, strict=True)
        wants = bool(query["cert_req"].native)
        found = ReadSignedData(token, load_chain(key), key.kind, version="v3", certificates=wants)
        if found.content_type != "tst_info" or set(found.attributes) != _ATTRIBUTES:
            raise CmsMalformed("The signature is of another kind than a timestamp's.")
        [inner] = members(contents(found.content))
        encoded = contents(inner)
        check_der(encoded)
        info = tsp.TSTInfo.load(encoded, strict=True)
        at = (info["gen_time"].native - _EPOCH) // timedelta(microseconds=1)
        _check_same(info, query)
        said = Answered(
            token=token, claim=found.claim, at=at, serial=info["serial_number"].native, policy=info["policy"].dotted,
            accuracy=info["accuracy"]["seconds"].native, ordering=info["ordering"].native,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise CmsMalformed("This is no timestamp that the service could have made.") from None
    check_same(found, hashlib.sha256(encoded).digest(), at // 1_000_000)
    return said


def _check_same(info: tsp.TSTInfo, query: tsp.TimeStampReq) -> None:
    """Raises OutputForAnother, CmsMalformed."""
    if (
        info["message_imprint"].dump() != query["message_imprint"].dump()
        or info["nonce"].dump() != query["nonce"].dump()
    ):
        raise OutputForAnother("The timestamp answers another query.")
    more = info["tsa"].native, info["extensions"].native, info["accuracy"]["millis"].native
    if info["version"].native != "v1" or any(more) or info["accuracy"]["micros"].native:
        raise CmsMalformed("The timestamp says more than the service does.")
