"""The public keys of deploy/example, whose private halves nobody has: a home made with them opens for nobody."""

from __future__ import annotations

import re

from ceremony.plan import Plan
from hsmpub.errors import Invalid
from hsmpub.model.digest import sha256_hex
from hsmpub.shares.plan import QuorumPlan

#: SHA-256 of each key, the first 16 hex characters.
_EXAMPLES = frozenset(
    {
        "07b1acd75c7311b0",
        "0e13b78e3a6f54a3",
        "1467b34effb72512",
        "1a185fb1d0d58abd",
        "31be9e7383c056ff",
        "3aba42153c17ac31",
        "3e008333a865d1f3",
        "4e1bfc585513502d",
        "753a3c3de8157658",
        "945405d099d27bd0",
        "a7a24c77e2740a64",
        "b3fe9900ec5923e8",
        "be4944256b4d7587",
    }
)
_KEY = re.compile(r"age1[0-9a-z]+|AAAA[0-9A-Za-z+/=]+")


class ExampleKey(Invalid):
    advice = "Put in the holders' and the people's own public keys; the example's are for '--dry-run'."


def check_own_keys(plan: Plan) -> None:
    """Raises ExampleKey: a holder or a person of the roster has a key of the example."""
    quorums: tuple[QuorumPlan, ...] = (plan.file.unseal.plan, plan.file.recovery.plan)
    for holder in (holder for quorum in quorums for group in quorum.groups for holder in group.holders):
        if is_example(holder.recipient):
            raise ExampleKey(f"The key of {holder.name} is the example's, and nobody has its private half.")
    if is_example(plan.roster):
        raise ExampleKey("A key in the roster is the example's, and nobody has its private half.")


def is_example(text: str) -> bool:
    """Whether a key of the example stands in it."""
    return any(sha256_hex(key.encode())[:16] in _EXAMPLES for key in _KEY.findall(text))
