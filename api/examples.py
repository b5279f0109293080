"""One example of each JSON answer, as the value itself: what a message no longer holds is no longer an example."""

from __future__ import annotations

from typing import Any

import msgspec

from api.answers import Health, StoredBody
from api.vault import AuthReply, DataReply, VaultErrors
from hsmpub.receipt.key_history import KeyHistory
from hsmpub.wire import messages as m

_KEY, _SIGNATURE, _ID = bytes(range(32)), bytes(range(64)), bytes(range(16))
_HEX, _AT = _KEY.hex(), 1_795_000_000
_GROUPS = (m.GroupProgress("", 3, ("holder-1", "holder-2", "holder-3", "holder-4", "holder-5"), ("holder-2",)),)
_VIEW = m.RequestView(
    request="9f6c1f0e5a8b7c21", kind="release", project="sdk-python", version="1.2.3", state="pending", why="",
    statement=b'{"_type":"https://in-toto.io/Statement/v1",...}', expires_at=_AT + 259_200,
    approvals=(m.ApprovalView("release-manager", _AT),), missing={"sdk-leads": 1},
    publishing=(m.PublishView("pypi", "sdk-1.2.3.tar.gz", "waiting"),), entries=(17, 18),
)  # fmt: skip
_ATTEMPT: dict[str, Any] = {
    "attempt": _ID, "key": _KEY, "signature": _SIGNATURE, "keeper_key": _KEY, "epoch": 1, "threshold": 3,
    "holders": _GROUPS[0].holders, "accepted": ("holder-2",), "expires_at": _AT + 900, "group_threshold": 1,
    "groups": _GROUPS,
}  # fmt: skip
_DATA = {"signature": "vault:v1:MEUCIQ...", "key_version": 1}

_VALUES: tuple[msgspec.Struct, ...] = (
    m.SessionReply(_ID, _KEY, _SIGNATURE, _AT + 3600),
    _VIEW,
    m.RequestList((_VIEW,)),
    m.SignReply("0c1d2e3f4a5b6c7d", 42, (m.MadeSignature("x.tar", "sshsig", "routine", "x.tar.sig", b"-----BEGIN"),)),
    m.HeaderReply(b"age-encryption.org/v1\n..."),
    m.Done("Sealed."),
    m.AttemptReply(**_ATTEMPT),
    m.HandInReply("holder-2", ("holder-2",), 3, "sealed", 1, _GROUPS),
    m.DrillReply(quorum="unseal", **_ATTEMPT),
    m.DrillHandInReply("holder-2", ("holder-2",), 3, 1, _GROUPS),
    m.NonceReply(_KEY, _AT + 300, "signing.example.org", 1),
    m.UpgradeReply("signing.example.org", 1, _HEX, _HEX, 12, "", 1, ()),
    m.ReadyReply(True, {"release": "ok", "log": "ok"}),
    m.StatusReply(
        service="signing.example.org", state="unsealed", why="", epoch=1, log_size=43, log_root=_HEX,
        log_key="signing.example.org/log+1a2b3c4d+AZ...", keeper_key=_HEX, intake_key=_HEX,
        intake_signature=_SIGNATURE.hex(), policy_sha256=_HEX, roster_sha256=_HEX, keys={"release": "p256"}, signers=2,
        protections={"memory": "on"}, warnings=(), counters={"signatures": 12.0},
    ),
    KeyHistory("hsmpub-keys-1", "signing.example.org/log\n43\n...", (), _HEX, _SIGNATURE.hex()),
    StoredBody(_HEX, 104_857),
    Health("ok", "ok"),
    AuthReply.of("AAECAwQF...", "images", 900),
    DataReply(data=_DATA),
    VaultErrors(("format-not-granted: The policy gives the project no such format. Ask whoever keeps the policy.",)),
)  # fmt: skip
EXAMPLES: dict[Any, Any] = {type(value): msgspec.json.decode(msgspec.json.encode(value)) for value in _VALUES}


def example_of(kind: Any) -> Any:
    """The example of a message, or of the first of several; None where there is none."""
    kinds = getattr(kind, "__args__", None) or (kind,)
    return next((EXAMPLES[one] for one in kinds if one in EXAMPLES), None)
