"""What the OpenAPI document says of each operation beside its bodies: a name that stays, and the refusals to expect.

Rules are those of docs/errors.md, by family; a test knows that each exists and has the family's status. The refusals
that any operation may give (a body that is no JSON, too much, too often, the keeper away) stand in `EVERYWHERE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

Rules = dict[str, str]
EVERYWHERE: Rules = {"throttled": "too-many-requests", "unavailable": "keeper-unreachable", "broken": "internal-fault"}
_SENT: Rules = {"invalid": "body-refused", "too-large": "body-too-large"}
_SESSION: Rules = {"unauthenticated": "session-unknown request-not-authentic", "conflict": "request-replayed"}
_PERSON: Rules = {
    "invalid": "header-refused sshsig-malformed malformed-submission",
    "unauthenticated": "person-not-enrolled signature-of-other-bytes request-not-fresh",
    "forbidden": "person-revoked", "conflict": "personal-request-replayed",
}  # fmt: skip
_POLICY: Rules = {"forbidden": "not-a-requester format-not-granted key-not-granted", "not-found": "unknown-project"}
_SEALED: Rules = {"unavailable": "sealed"}
_SHARE: Rules = {"invalid": "share-malformed share-box-unreadable", "conflict": "share-of-another-epoch attempt-over",
                 "not-found": "unknown-holder"}  # fmt: skip
_HOLDER: Rules = {
    "forbidden": "holder-signature-wrong",
    "not-found": "unknown-holder",
    "conflict": "nonce-used nonce-over",
}
_BEARER: Rules = {"unauthenticated": "bearer-missing bearer-unknown"}
_TRANSIT: Rules = {"invalid": "transit-refused", "not-found": "no-such-signing-key"}
_NO_REQUEST: Rules = {"not-found": "no-such-request"}
_RECEIPT: Rules = {"unavailable": "log-not-there"}


class Operation(NamedTuple):
    """id: never changes. rules: family → names of rules, with blanks between them."""

    id: str
    rules: Mapping[str, str] = MappingProxyType({})


def _join(*several: Mapping[str, str]) -> Rules:
    joined: dict[str, list[str]] = {}
    for rules in several:
        for family, names in rules.items():
            joined.setdefault(family, []).extend(name for name in names.split() if name not in joined.get(family, ()))
    return {family: " ".join(names) for family, names in joined.items()}


_TOKEN: Rules = {"unauthenticated": "token-expired token-for-another-audience token-from-unknown-issuer token-forged",
                 "conflict": "token-replayed", "unavailable": "issuer-keys-missing"}  # fmt: skip
OPERATIONS: dict[tuple[str, str], Operation] = {
    ("post", "/v1/sessions"): Operation("openSession", _join(
        _SENT, _TOKEN, {"unauthenticated": "token-not-bound token-bound-to-another-key"})),
    ("put", "/v1/artifacts"): Operation("uploadArtifact", {
        "invalid": "header-refused hostile-digest", "unauthenticated": "session-unknown",
        "conflict": "artifact-differs", "too-large": "artifact-too-large",
        "throttled": "too-many-uploads", "unavailable": "artifact-store-full"}),
    ("head", "/v1/artifacts/{sha256}"): Operation("lookForArtifact", {
        "invalid": "hostile-digest", "not-found": "artifact-unknown"}),
    ("get", "/v1/artifacts/{sha256}"): Operation("downloadArtifact", {
        "invalid": "hostile-digest", "not-found": "artifact-unknown"}),
    ("post", "/v1/requests"): Operation("submitRequest", _join(
        _SENT, {"invalid": "hostile-name"}, _SESSION, _PERSON, _POLICY,
        {"forbidden": "version-outside-scheme administration-closed", "not-found": "artifact-missing",
         "conflict": "version-already-requested", "throttled": "too-many-pending"})),
    ("get", "/v1/requests"): Operation("listRequests"),
    ("get", "/v1/requests/{name}"): Operation("getRequest", _NO_REQUEST),
    ("get", "/v1/requests/{name}/statement"): Operation("getStatement", _NO_REQUEST),
    ("post", "/v1/requests/{name}/approvals"): Operation("approveRequest", _join(
        _SENT, _PERSON, _NO_REQUEST, {"forbidden": "not-an-approver own-request",
                                      "conflict": "approved-before request-expired request-not-pending"})),
    ("post", "/v1/requests/{name}/refusals"): Operation("refuseRequest", _join(
        _SENT, _PERSON, _NO_REQUEST, {"forbidden": "not-an-approver", "conflict": "request-not-pending"})),
    ("get", "/v1/requests/{name}/receipt"): Operation("getReceipt", _join(_NO_REQUEST, _RECEIPT)),
    ("get", "/v1/requests/{name}/outputs/{output}"): Operation("getOutput", {
        "not-found": "no-such-request no-such-output"}),
    ("get", "/v1/receipts/{entry}"): Operation("getRoutineReceipt", _RECEIPT),
    ("get", "/v1/keys"): Operation("getKeys", _RECEIPT),
    ("post", "/v1/sign"): Operation("sign", _join(
        _SENT, {"invalid": "malformed-submission hostile-name"}, _SESSION, _POLICY,
        {"forbidden": "approval-needed project-not-unsealed"}, _SEALED)),
    ("post", "/v1/headers"): Operation("fetchHeader", _join(
        _SENT, _PERSON, _NO_REQUEST, {"forbidden": "not-the-asker", "not-found": "nothing-delivered"})),
    ("post", "/v1/seal"): Operation("seal", _join(_SENT, _PERSON)),
    ("get", "/v1/unseal"): Operation("getUnsealAttempt", {
        "forbidden": "unseal-too-long", "not-found": "terms-name-no-project", "conflict": "already-unsealed"}),
    ("post", "/v1/unseal/shares"): Operation("handInShare", _join(
        _SENT, _SHARE, {"conflict": "share-already-handed-in already-unsealed", "unavailable": "hsm-did-not-open"})),
    ("get", "/v1/drills/{quorum}"): Operation("getDrill", {"not-found": "no-such-quorum"}),
    ("post", "/v1/drills/{quorum}/shares"): Operation("handInShareForDrill", _join(
        _SENT, _SHARE, {"not-found": "no-such-quorum"})),
    ("get", "/v1/holders/nonce"): Operation("getHolderNonce"),
    ("post", "/v1/holders/seal"): Operation("sealAsHolder", _join(_SENT, _HOLDER)),
    ("post", "/v1/holders/alive"): Operation("sayAlive", _join(_SENT, _HOLDER)),
    ("post", "/v1/holders/confirm"): Operation("confirmShare", _join(
        _SENT, {"invalid": "confirmation-malformed", "conflict": "confirmation-of-another-set"})),
    ("post", "/v1/timestamp"): Operation("askForTimestamp", {
        "invalid": "header-refused", "unauthenticated": "timestamp-asker-unknown", "too-large": "body-too-large",
        "forbidden": "timestamps-not-for-project"}),
    ("get", "/v1/upgrade"): Operation("getUpgrade"),
    ("post", "/v1/upgrade/permissions"): Operation("permitUpgrade", _join(
        _SENT, _HOLDER, {"invalid": "permission-malformed", "forbidden": "upgrade-not-permitted",
                         "conflict": "permission-given-already permission-over"})),
    ("get", "/v1/status"): Operation("getStatus"),
    ("get", "/healthz"): Operation("getHealth"),
    ("get", "/readyz"): Operation("getReadiness", {"unavailable": "not-ready sealed"}),
    ("get", "/metrics"): Operation("getMetrics"),
    ("get", "/log/checkpoint"): Operation("getCheckpoint", _RECEIPT),
    ("get", "/log/tile/{path}"): Operation("getTile", _RECEIPT),
    ("get", "/log/entries"): Operation("getEntries", _RECEIPT),
    ("post", "/v1/auth/jwt/login"): Operation("loginWithJwt", _join(
        _SENT, _TOKEN, {"forbidden": "not-a-requester approval-needed", "not-found": "unknown-project"})),
    ("get", "/v1/auth/token/lookup-self"): Operation("lookUpOwnToken", _BEARER),
    ("post", "/v1/auth/token/renew-self"): Operation("renewOwnToken", _join(
        _BEARER, {"invalid": "token-not-renewable"})),
    ("post", "/v1/auth/token/revoke-self"): Operation("revokeOwnToken", _BEARER),
    ("get", "/v1/transit/keys/{name}"): Operation("readTransitKey", {"not-found": "no-such-signing-key"}),
    ("post", "/v1/transit/sign/{name}"): Operation("signWithTransitKey", _join(
        _SENT, _TRANSIT, _BEARER, {"forbidden": "format-not-granted key-not-granted"}, _SEALED)),
    ("post", "/v1/transit/verify/{name}"): Operation("verifyWithTransitKey", _join(_SENT, _TRANSIT)),
}  # fmt: skip


def operation_of(method: str, path: str) -> Operation:
    """The operation at this address; one that is not listed is called by its method and path."""
    words = [word for word in path.replace("{", "").replace("}", "").split("/") if word and word != "v1"]
    named = method + "".join(word[:1].upper() + word[1:] for word in words)
    return OPERATIONS.get((method, path), Operation(named))


def refusals_of(operation: Operation) -> dict[str, list[str]]:
    """Family → rules, with those of everywhere."""
    return {family: names.split() for family, names in _join(operation.rules, EVERYWHERE).items()}
