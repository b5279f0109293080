"""What a holder signs with a share counts for that holder, set, kind and payload alone."""

from __future__ import annotations

import msgspec
import pytest
from shares_of import Holders, make_groups

from hsmpub.shares.record import UnknownHolder
from hsmpub.shares.slip39 import ShareMalformed
from hsmpub.shares.verifier import (
    HolderHasNoVerifier,
    HolderSignatureWrong,
    check_holder_signature,
    holder_message,
    sign_with_share,
)

PAYLOAD = b"releases, 22 November, nonce 1"


def signed(holders: Holders, name: str, kind: str = "seal", epoch: int = 1) -> bytes:
    return sign_with_share(holders.words(name), kind, PAYLOAD, purpose="unseal", epoch=epoch, holder=name)


def test_a_holder_signs_with_the_share_and_the_record_verifies_it(holders: Holders) -> None:
    words = holders.words("holder-1")
    signature = sign_with_share(words, "seal", PAYLOAD, purpose="unseal", epoch=1, holder="holder-1")
    assert not any(words)
    check_holder_signature(holders.record, "holder-1", "seal", PAYLOAD, signature)
    typed = bytearray(holders.words("holder-1").upper().replace(b" ", b"\n"))
    assert sign_with_share(typed, "seal", PAYLOAD, purpose="unseal", epoch=1, holder="holder-1") == signature


def test_a_signature_of_another_kind_payload_holder_quorum_or_epoch_is_refused(
    holders: Holders, other_holders: Holders
) -> None:
    signature = signed(holders, "holder-1")

    def refuse(signature: bytes, holder: str = "holder-1", kind: str = "seal", payload: bytes = PAYLOAD) -> None:
        with pytest.raises(HolderSignatureWrong, match=holder):
            check_holder_signature(holders.record, holder, kind, payload, signature)

    refuse(signature, kind="confirm")
    refuse(signature, holder="holder-2")
    refuse(signature, payload=PAYLOAD + b"0")
    refuse(signature[:-1] + bytes([signature[-1] ^ 1]))
    refuse(signature[:-1])
    refuse(b"")
    refuse(signed(other_holders, "holder-1", epoch=2))
    refuse(signed(holders, "holder-1", epoch=2))
    words = holders.words("holder-1")
    refuse(sign_with_share(words, "seal", PAYLOAD, purpose="recovery", epoch=1, holder="holder-1"))
    with pytest.raises(UnknownHolder):
        check_holder_signature(holders.record, "holder-9", "seal", PAYLOAD, signature)


def test_kind_and_payload_cannot_be_moved_into_each_other() -> None:
    assert holder_message("seal", b"now") == b"hsmpub holder v1\nseal\nnow"
    for kind in ("", "seal\nnow", "Seal", "seal now", "-"):
        with pytest.raises(ValueError, match="one word"):
            holder_message(kind, b"")


def test_misspelt_words_sign_nothing_and_are_wiped() -> None:
    words = bytearray(b"no words of a share")
    with pytest.raises(ShareMalformed):
        sign_with_share(words, "seal", PAYLOAD, purpose="unseal", epoch=1, holder="holder-1")
    assert not any(words)


def test_an_older_record_says_that_its_holders_cannot_sign(holders: Holders) -> None:
    first, *others = holders.record.holders
    older = msgspec.structs.replace(holders.record, holders=(msgspec.structs.replace(first, verifier=""), *others))
    with pytest.raises(HolderHasNoVerifier):
        check_holder_signature(older, "holder-1", "seal", PAYLOAD, signed(holders, "holder-1"))


def test_every_holder_of_every_group_has_a_verifier_of_their_own() -> None:
    groups = make_groups(2, {"operations": (2, 2), "auditor": (1, 1)})
    for name in groups.identities:
        check_holder_signature(groups.record, name, "seal", PAYLOAD, signed(groups, name))
    assert len({holder.verifier for holder in groups.record.holders}) == 3
