"""Outputs that open doors for whoever holds them leave the keeper sealed to the job that asked, past the front."""

from __future__ import annotations

import msgspec

from hsmpub.errors import Forbidden
from hsmpub.formats.purposes import BEARER_FORMATS
from hsmpub.keeper.sessions import Session
from hsmpub.secret.box import seal_box
from hsmpub.wire import messages as m
from hsmpub.wire.session import answer_info


class SessionWithoutKey(Forbidden):
    advice = "Open a session of your own with 'hsmpub jwt': a token is not given to everybody who sees the answer."


def check_answerable(session: Session, formats: tuple[str, ...]) -> None:
    """Raises SessionWithoutKey."""
    if not session.client_key and BEARER_FORMATS.intersection(formats):
        raise SessionWithoutKey("This session has no key to which a token could be sealed.")


def sealed_for(session: Session, request: str, made: list[m.MadeSignature]) -> tuple[m.MadeSignature, ...]:
    """What was made, with bearer tokens in boxes that only the session's own key opens."""
    return tuple(_sealed(session, request, one) if one.format in BEARER_FORMATS and one.output else one for one in made)


def _sealed(session: Session, request: str, one: m.MadeSignature) -> m.MadeSignature:
    info = answer_info(bytes.fromhex(session.id), request, one.artifact)
    return msgspec.structs.replace(one, output=seal_box(session.client_key, info, one.output))
