"""The receipt of a decryption: what was approved, and the digest of what was made of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from story import LOG_KEY, NOW, POLICY, beginning, co_sign, predicate, told

from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.predicate import Decryption, Quorum
from hsmpub.model.statement import Subject, dump_statement
from hsmpub.receipt import verify_receipt
from hsmpub.receipt.facts import ReceiptIncomplete
from hsmpub.receipt.outputs import SignedOtherwise
from hsmpub.receipt.policy import PolicyGrantsOtherwise

HEADER = Subject("db.age", {"sha256": "aa" * 32})
TEXT = POLICY + '[administration.decrypt]\napprovals = [{ group = "leads", count = 1 }]\n'


def story(text: str = TEXT, **changes: object) -> dict[str, e.Entry]:
    asked = {
        "kind": "decrypt", "requester": {"person": "release-manager", "nonce": "n"}, "project": "", "version": "",
        "commit": "", "sizes": (500,), "sign": (), "publish": (), "approvals": (Quorum("leads", 1),),
        "policy_sha256": sha256_hex(text.encode()),
        "decrypt": Decryption("backup", "age", "age1x", "age1x", "disk lost"),
    }  # fmt: skip
    statement = dump_statement((HEADER,), predicate(**{**asked, **changes}))
    return {
        **beginning(),
        "policy": e.PolicyAdopted(NOW, text, sha256_hex(text.encode())),
        "request": e.Requested(NOW + 10, "r1", statement.decode()),
        "approval": e.Approved(NOW + 100, "r1", "lead-1", co_sign("lead-1", statement)),
        "delivery": e.Delivered(NOW + 200, "r1", "bb" * 32),
    }


def test_says_who_approved_and_what_was_made(tmp_path: Path) -> None:
    report = verify_receipt(told(tmp_path, story()), str(LOG_KEY))
    assert (report.kind, report.delivered, report.at) == ("decrypt", "bb" * 32, NOW + 200)
    assert [approval.person for approval in report.approvals] == ["lead-1"]


@pytest.mark.parametrize(
    ("lie", "rule"),
    [
        ("a policy that grants none", PolicyGrantsOtherwise), ("nothing delivered", ReceiptIncomplete),
        ("a failure", ReceiptIncomplete), ("delivered twice", SignedOtherwise),
    ],
)  # fmt: skip
def test_refuses(tmp_path: Path, lie: str, rule: type[Exception]) -> None:
    told_story = story()
    if lie == "a policy that grants none":
        told_story = story(approvals=(Quorum("managers", 1),))
    elif lie == "delivered twice":
        twice = told_story["delivery"]
        told_story["again"] = msgspec.structs.replace(twice, header_sha256="cc" * 32)
    else:
        del told_story["delivery"]
    if lie == "a failure":
        told_story["failure"] = e.NotDelivered(NOW + 200, "r1", "header-not-opened")
    with pytest.raises(rule):
        verify_receipt(told(tmp_path, told_story), str(LOG_KEY))
