"""Ceremonies after which the keys of a throw-away home stand as those of the real one: same names, same states."""

from __future__ import annotations

from collections.abc import Iterator

from ceremony.keys import BACKUP_CERTIFIER
from ceremony.standing.file import StandingFile
from ceremony.standing.key_birth import KEY_GENERATE
from ceremony.standing.key_end import KEY_DESTROY, KEY_RETIRE
from ceremony.standing.kind import AnyKind
from hsmpub.formats.openpgp.certificate_read import check_certificate
from hsmpub.formats.openpgp.encryption_read import check_encryption_certificate
from hsmpub.formats.openpgp.v6_certificate_read import check_v6_certificate
from hsmpub.model.key import DECRYPTS, KeyRecord
from hsmpub.model.keys import Key, Keys

_AT_ONCE = 16  # keys in one file


def key_history(keys: Keys, service: str) -> Iterator[tuple[AnyKind, StandingFile]]:
    """What is to be held after a genesis, in order; nothing where no ceremony on keys was ever held."""
    certifier = keys.by_name.get(BACKUP_CERTIFIER)
    born = [_new(key.record, certifier) for key in keys.known if key.life.born]
    retired = [{"name": key.name} for key in keys.known if key.life.retired]
    destroyed = [{"name": key.name} for key in keys.known if key.life.destroyed]
    for kind, tables in ((KEY_GENERATE, born), (KEY_RETIRE, retired), (KEY_DESTROY, destroyed)):
        for start in range(0, len(tables), _AT_ONCE):
            told = {"ceremony": kind.name, "service": service, "key": tables[start : start + _AT_ONCE]}
            yield kind, kind.form.model_validate(told)


def _new(key: KeyRecord, certifier: Key | None) -> dict[str, object]:
    user_id = ""
    if key.kind == DECRYPTS:
        assert certifier is not None  # or there were none
        user_id = check_encryption_certificate(key.openpgp, certifier.record, key)
    elif key.openpgp:
        user_id = check_certificate(key.openpgp, key).user_id
    elif key.openpgp_v6:
        user_id = check_v6_certificate(key.openpgp_v6, key).user_id
    return {"name": key.name, "kind": key.kind, "formats": key.formats, "openpgp_user_id": user_id}
