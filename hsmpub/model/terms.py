"""The terms of an unsealing: for how long, for how many signatures, for which projects. Chosen by whoever hands in
first, shown to every holder, bound into each holder's box, logged, and enforced by the keeper."""

from __future__ import annotations

import hashlib
import re

import msgspec

from hsmpub.errors import Invalid

MAX_SECONDS = 90 * 86_400
MAX_SIGNATURES = 1_000_000_000
MAX_PROJECTS = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


class TermsMalformed(Invalid):
    advice = "Name a time such as 8h, a number of signatures of 1 or more, and projects of the policy."


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """None is no limit of that kind; nothing empty ever means "all".

    seconds: open for so long at most. signatures: so many leave at most. projects: of these only, sorted.
    """

    seconds: int | None = None
    signatures: int | None = None
    projects: tuple[str, ...] | None = None


UNLIMITED = Terms()
_encoder = msgspec.json.Encoder(order="deterministic")


def make_terms(seconds: int | None = None, signatures: int | None = None, projects: tuple[str, ...] = ()) -> Terms:
    """Checked terms, with the projects in their one order. Raises TermsMalformed."""
    terms = Terms(seconds, signatures, tuple(sorted(set(projects))) or None)
    check_terms(terms)
    return terms


def check_terms(terms: Terms) -> None:
    """Raises TermsMalformed: a limit out of bounds, or projects that are not sorted names, each once."""
    if terms.seconds is not None and not 1 <= terms.seconds <= MAX_SECONDS:
        raise TermsMalformed("An unsealing lasts from a second to 90 days.")
    if terms.signatures is not None and not 1 <= terms.signatures <= MAX_SIGNATURES:
        raise TermsMalformed(f"An unsealing allows 1 to {MAX_SIGNATURES:,} signatures.")
    if terms.projects is None:
        return
    if not 1 <= len(terms.projects) <= MAX_PROJECTS or terms.projects != tuple(sorted(set(terms.projects))):
        raise TermsMalformed(f"An unsealing names 1 to {MAX_PROJECTS} projects, sorted, each once.")
    if not all(_NAME.fullmatch(name) for name in terms.projects):
        raise TermsMalformed("A project of the terms has not the form of a project's name.")


def dump_terms(terms: Terms) -> bytes:
    """The exact bytes that are signed and bound; empty where nothing is limited."""
    return b"" if terms == UNLIMITED else _encoder.encode(terms)


def bound_attempt(attempt: bytes, terms: bytes) -> bytes:
    """An attempt under these terms: what a holder's box is bound to. terms: of `dump_terms`.

    Returns:
        The attempt itself (16 bytes) where nothing is limited, else 32 bytes: SHA-256 over both.
    """
    return hashlib.sha256(b"hsmpub terms v1\0" + attempt + terms).digest() if terms else attempt


def say_terms(terms: Terms) -> str:
    """In words: "for 8 hours, for 500 signatures, for sdk-python only"."""
    parts = []
    if terms.seconds is not None:
        parts.append(f"for {say_period(terms.seconds)}")
    if terms.signatures is not None:
        parts.append(f"for {terms.signatures:,} signature{'s' * (terms.signatures != 1)}")
    if terms.projects is not None:
        parts.append(f"for {', '.join(terms.projects)} only")
    return ", ".join(parts) or "without limits"


def say_period(seconds: int) -> str:
    """A length of time in its largest two units: "1 day 3 hours"."""
    said = []
    for name, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            said.append(f"{count} {name}{'s' * (count != 1)}")
    return " ".join(said[:2]) or "0 seconds"
