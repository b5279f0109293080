"""What every target can do: show what it holds, and take one item.

A target answers two questions and no third: `observe` says what stands there now, `publish` sends one item
once. Neither retries and neither decides; the courier's workflow does. An answer's status is never taken for
success: whether something was published is always read back by `observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from hsmpub.errors import Broken, Conflict, Forbidden, Invalid, Unavailable

Shown = Literal["absent", "same", "different", "unknown"]


class SettingsMalformed(Invalid):
    advice = "Correct the target's table in the policy."


class TargetUnreachable(Unavailable):
    """Nothing was sent: no name, no route, no connection, no TLS."""

    advice = "It is tried again by itself; look at the target if it stays so."


class OutcomeUnknown(Unavailable):
    """Something was sent and no whole answer came back: only reading back tells what happened."""

    advice = "It is read back before anything is tried again."


class PublishRefused(Conflict):
    """The target answered that it did not take the item."""

    advice = "Look at what the target says; what it holds is read back in any case."


class CredentialRefused(Forbidden):
    advice = "Seal a fresh credential for this target; the job goes on with it."


class ArtifactChanged(Broken):
    """The bytes in the store are not those that were approved; they were not sent."""

    advice = "Look at the artifact store: a file there was altered after it was hashed."


@dataclass(frozen=True)
class Item:
    """One thing to publish.

    Attributes:
        name: file name, or the tag's name for git.
        sha256: of the exact bytes, 64 hex characters.
        size: in bytes.
        content: the exact bytes where they are small (a tag object); empty when they lie in `path`.
        path: the file with the bytes; None when they are in `content`.
        commit: source commit of the release, hex; git checks that the tag names it.
    """

    name: str
    sha256: str
    size: int
    content: bytes = b""
    path: Path | None = None
    commit: str = ""


@dataclass(frozen=True)
class Observation:
    """What a target shows of one item.

    Attributes:
        state: `unknown` when it could not be read; detail then says why.
        observed: the digest that the target shows (SHA-256 hex; for git the object id, hex), or empty.
        hidden: it shows nothing to strangers; only reading with the credential tells.
    """

    state: Shown
    observed: str = ""
    detail: str = ""
    hidden: bool = False


class Target(Protocol):
    def check(self, item: Item) -> None:
        """Refuses, before any credential is opened, an item that this kind of target cannot take."""

    def observe(self, item: Item, credential: bytearray | None = None) -> Observation:
        """What stands at the target now; changes nothing.

        Args:
            credential: only where an anonymous look was `hidden`, and only ever sent to the upload host.

        Raises:
            TargetUnreachable, AnswerTooLarge, AnswerMalformed, TargetRedirects, AddressForbidden.
        """

    def publish(self, item: Item, credential: bytearray) -> None:
        """Sends the item, once. Returning means that the target said yes, which proves nothing yet.

        Raises:
            TargetUnreachable: nothing was sent.
            CredentialRefused, PublishRefused, TargetRedirects: the target answered no.
            OutcomeUnknown: something was sent, no whole answer came back.
            ArtifactChanged: the stored bytes differ from the approved digest; the upload was not completed.
        """


Settings = Mapping[str, str | bool | int]


def text_setting(settings: Settings, name: str, default: str | None = None) -> str:
    """A setting that is text. Raises SettingsMalformed when it is missing without default, or not text."""
    value = settings.get(name, default)
    if not isinstance(value, str) or not value:
        raise SettingsMalformed(f"The target's setting {name!r} is missing or not text.")
    return value


def open_target(kind: str, settings: Settings, *, timeout: float, lifetime: float, work: Path) -> Target:
    """The target of a policy table.

    Args:
        kind: `pypi` or `git`.
        timeout: seconds that one network operation may take; lifetime: seconds for one request in all.
        work: a folder for short-lived files.

    Raises:
        SettingsMalformed.
    """
    if kind == "pypi":
        from hsmpub.targets.pypi import PypiTarget

        return PypiTarget(settings, timeout=timeout, lifetime=lifetime)
    if kind == "git":
        from hsmpub.targets.git import GitTarget

        return GitTarget(settings, timeout=timeout, lifetime=lifetime, work=work)
    raise SettingsMalformed(f"There is no kind of target called {kind!r}.")
