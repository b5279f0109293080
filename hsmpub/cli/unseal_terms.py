"""Under which terms a holder hands in: those they name, or those that others began with, once they agree."""

from __future__ import annotations

import sys

import msgspec
import typer

from hsmpub.cli.say import note
from hsmpub.cli.visible import visible
from hsmpub.client.client import Client
from hsmpub.errors import Conflict, Forbidden
from hsmpub.model.terms import UNLIMITED, Terms, make_terms, say_terms
from hsmpub.policy.period import parse_period
from hsmpub.wire.messages import AttemptReply


class TermsNotAgreed(Conflict):
    advice = "Name the terms that you agree to (--for, --signatures, --project), or say --yes to those that are shown."


class TermsNotAsked(Forbidden):
    advice = "Hand nothing in: what answers is not what you asked for."


def asked_terms(period: str, signatures: int | None, projects: list[str]) -> Terms | None:
    """What the options say; None where they say nothing. Raises typer.BadParameter, TermsMalformed."""
    if not period and signatures is None and not projects:
        return None
    try:
        seconds = parse_period(period) if period else None
    except ValueError as e:
        raise typer.BadParameter(f"--for: {e}") from None
    return make_terms(seconds, signatures, tuple(projects))


def agreed_attempt(client: Client, asked: Terms | None, *, yes: bool) -> AttemptReply:
    """The attempt under the holder's own terms, or under those that are open and that they agree to.

    Raises:
        TermsNotAgreed: others began with terms, and the holder has not agreed to them.
        TermsNotAsked: the answer is for other terms.
    """
    if asked is not None:
        attempt = _attempt(client, asked)
    else:
        attempt = _attempt(client, UNLIMITED)
        begun = [one.terms for one in attempt.gathering]
        if len(begun) > 1:
            said = "; ".join(say_terms(terms) for terms in begun)
            raise TermsNotAgreed(f"Holders have handed in under different terms: {visible(said)}.")
        if begun and begun[0] != attempt.terms:
            _check_agreed(begun[0], yes)
            attempt = _attempt(client, begun[0])
    if attempt.terms != UNLIMITED:
        note(f"Terms: the service is unsealed {say_terms(attempt.terms)}.")
    return attempt


def _attempt(client: Client, terms: Terms) -> AttemptReply:
    """Whoever answers may shorten the time, as the policy does, and change nothing else."""
    attempt = client.attempt(terms)
    shortened = terms.seconds is None and msgspec.structs.replace(attempt.terms, seconds=None) == terms
    if attempt.terms != terms and not shortened:
        raise TermsNotAsked(f"The attempt is one {visible(say_terms(attempt.terms))}, not {say_terms(terms)}.")
    return attempt


def _check_agreed(terms: Terms, yes: bool) -> None:
    told = f"Others have handed in to unseal {say_terms(terms)}."
    if yes:
        note(told)
        return
    if not sys.stdin.isatty() or not typer.confirm(f"{visible(told)} Hand in under these terms?"):
        raise TermsNotAgreed(told)
