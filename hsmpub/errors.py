"""The one tree of errors.

    HsmpubError
    ├── Invalid          the input is malformed; send something else            (400)
    ├── Unauthenticated  who asks could not be established                      (401)
    ├── Forbidden        the asker is known and may not                         (403)
    ├── NotFound         no such thing                                          (404)
    ├── Conflict         it contradicts something that already stands           (409)
    ├── TooLarge         over a cap                                             (413)
    ├── Throttled        too many; later is fine                                (429)
    ├── Unavailable      sealed, HSM away, disk full, remote down               (503)
    └── Broken           an invariant does not hold; stop and look              (500)

A check raises its own subclass of one of these families. The subclass's name, in kebab-case, is the
*rule*: the same word in the exception, the problem document, the log and the documents.

A message says what happened (`detail`), what to do next (`next_step`) and whether sending the same
thing again is safe (`retry`). It never holds a secret: no token, share, PIN, credential or their parts.
"""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec


class HsmpubError(Exception):
    """Root of the tree. `status` is the HTTP status of the family."""

    status: ClassVar[int] = 500
    family: ClassVar[str] = "broken"
    #: default advice of the rule; an instance may give better
    advice: ClassVar[str] = "Report this with the log entry at hand."
    retry_is_safe: ClassVar[bool] = False

    def __init__(self, detail: str, *, next_step: str | None = None, retry: bool | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.next_step = next_step if next_step is not None else self.advice
        self.retry = self.retry_is_safe if retry is None else retry

    @property
    def rule(self) -> str:
        """The rule's name: the class name in kebab-case."""
        return rule_name(type(self))

    def __str__(self) -> str:
        return f"{self.detail} {self.next_step}".strip()


def again(error: HsmpubError) -> HsmpubError:
    """A copy of an error for one more caller, without the traceback of the last: what holds an error and is in that
    traceback would be a circle, with all that the call brought, until somebody collects it."""
    return type(error)(error.detail, next_step=error.next_step, retry=error.retry)


def rule_name(rule: type[HsmpubError]) -> str:
    """`ShareOfAnotherEpoch` is the rule `share-of-another-epoch`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", rule.__name__).lower()


class Invalid(HsmpubError):
    status, family = 400, "invalid"
    advice = "Correct the input and send it again."


class Unauthenticated(HsmpubError):
    status, family = 401, "unauthenticated"
    advice = "Get a fresh identity token and start again."


class Forbidden(HsmpubError):
    status, family = 403, "forbidden"
    advice = "Ask whoever keeps the policy."


class NotFound(HsmpubError):
    status, family = 404, "not-found"
    advice = "Check the name."


class Conflict(HsmpubError):
    status, family = 409, "conflict"
    advice = "Look at what already stands before you go on."


class TooLarge(HsmpubError):
    status, family = 413, "too-large"
    advice = "Send less at once."


class Throttled(HsmpubError):
    status, family = 429, "throttled"
    advice = "Wait a little and send it again."
    retry_is_safe = True


class Unavailable(HsmpubError):
    status, family = 503, "unavailable"
    advice = "Try again later."
    retry_is_safe = True


class Broken(HsmpubError):
    status, family = 500, "broken"
    advice = "Stop and look: an invariant does not hold."


class Sealed(Unavailable):
    advice = "Holders hand in their shares with 'hsmpub unseal'."


FAMILIES: dict[str, type[HsmpubError]] = {
    family.family: family
    for family in (
        Invalid, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge, Throttled, Unavailable, Broken,
    )
}  # fmt: skip


class Problem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="problem", tag_field="type"):
    """An error as it travels between processes and, by the front, as an RFC 9457 problem document."""

    family: str
    rule: str
    detail: str
    next_step: str
    retry: bool

    @classmethod
    def of(cls, error: HsmpubError) -> Problem:
        if isinstance(error, Refused):  # on its way through a third process it stays what it was
            return error.problem
        return cls(error.family, error.rule, error.detail, error.next_step, error.retry)

    @property
    def status(self) -> int:
        return FAMILIES.get(self.family, Broken).status

    def as_error(self) -> Refused:
        return Refused(self)


class Refused(HsmpubError):
    """The other side refused: carries its problem unchanged, so that no word is lost on the way."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, next_step=problem.next_step, retry=problem.retry)
        self.problem = problem

    @property
    def rule(self) -> str:
        return self.problem.rule
