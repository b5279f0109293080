"""Ceremonies after which the keys of a throw-away home stand as those of the real one: same names, same states."""

from __future__ import annotations

from collections.abc import Iterator

from ceremony.standing.file import StandingFile
from ceremony.standing.key_birth import KEY_GENERATE
from ceremony.standing.key_end import KEY_DESTROY, KEY_RETIRE
from ceremony.standing.kind import AnyKind
from hsmpub.formats.openpgp_certificate_read import check_certificate
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Keys

_AT_ONCE = 16  # keys in one file


def key_history(keys: Keys, service: str) -> Iterator[tuple[AnyKind, StandingFile]]:
    """What is to be held after a genesis, in order; nothing where no ceremony on keys was ever held."""
    born = [_new(key.record) for key in keys.known if key.life.born]
    retired = [{"name": key.name} for key in keys.known if key.life.retired]
    destroyed = [{"name": key.name} for key in keys.known if key.life.destroyed]
    for kind, tables in ((KEY_GENERATE, born), (KEY_RETIRE, retired), (KEY_DESTROY, destroyed)):
        for start in range(0, len(tables), _AT_ONCE):
            told = {"ceremony": kind.name, "service": service, "key": tables[start : start + _AT_ONCE]}
            yield kind, kind.form.model_validate(told)


def _new(key: KeyRecord) -> dict[str, object]:
    user_id = check_certificate(key.openpgp, key).user_id if key.openpgp else ""
    return {"name": key.name, "kind": key.kind, "formats": key.formats, "openpgp_user_id": user_id}
