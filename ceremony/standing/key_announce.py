"""What ceremonies on keys have in common: which key is meant, and how the change gets into log and trust.json."""

from __future__ import annotations

from typing import Any

from ceremony.standing.held import Held
from hsmpub.errors import Conflict, Forbidden, NotFound
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.key import DECRYPTS
from hsmpub.model.keys import Key, KeyState
from hsmpub.model.toml_lines import load_toml
from hsmpub.model.trust import dump_trust, with_keys
from hsmpub.policy import Policy


class NoSuchKey(NotFound):
    advice = "'hsmpub status' and trust.json name the keys; nothing was done."


class KeyNameTaken(Conflict):
    advice = "A name is given once, for ever: receipts name keys by it. Choose another, such as with the year."


class KeyStateUnfit(Conflict):
    advice = "An active key is retired first; a retired one can be destroyed. Nothing was done."


class KeyOfTheService(Forbidden):
    """Log key, sealing key and the certifier of decryption keys: they are pinned, or hold what lives."""

    advice = 'No ceremony changes it; docs/keys.md, "Keys that stay", says what one does instead.'


class KeyDecrypts(Conflict):
    advice = "Name a key that signs: this one opens encrypted files and does nothing else."


def existing(held: Held, name: str, state: KeyState) -> Key:
    """A key in this state that a ceremony may change.

    Raises:
        NoSuchKey, KeyStateUnfit, KeyOfTheService.
    """
    key = held.state.keys.by_name.get(name)
    if key is None:
        raise NoSuchKey(f"The service has no key {name!r}.")
    if not key.record.formats and not key.life.born and key.record.kind != DECRYPTS:
        raise KeyOfTheService(f"{name!r} is not a key that signs releases: the service itself needs it.")
    if key.state != state:
        raise KeyStateUnfit(f"The key {name!r} is {key.state}, not {state}.")
    return key


def existing_signer(held: Held, name: str) -> Key:
    """An active key that signs, and that a ceremony may change.

    Raises:
        NoSuchKey, KeyStateUnfit, KeyOfTheService, KeyDecrypts.
    """
    key = existing(held, name, "active")
    if key.record.kind == DECRYPTS:
        raise KeyDecrypts(f"The key {name!r} signs nothing.")
    return key


def check_new_name(held: Held, name: str) -> None:
    """Raises KeyNameTaken."""
    if name in held.state.keys.by_name:
        raise KeyNameTaken(f"There is, or was, a key {name!r} already.")


def announce(held: Held, signer: TokenSigner, **changes: Any) -> None:
    """Ends the ceremony: the log tells of the change, trust.json follows it. changes: as KeysChanged has them.

    Raises as Held.finish does.
    """
    change = e.KeysChanged(held.at, held.state.keys.digest, **changes)
    keys = held.state.keys.after(held.opened.log.size, change)
    held.replace(held.home.trust, dump_trust(with_keys(held.trust, keys)))
    held.recorder.record("keys", digest=keys.digest, active=list(keys.active),
                         others={key.name: key.state for key in keys.known if key.state != "active"})  # fmt: skip
    held.finish(signer, change)


def policy_uses(held: Held, name: str) -> tuple[str, ...]:
    """Projects of the policy in force that have this key sign; a target is named with its kind."""
    assert held.state.policy is not None
    policy = Policy.model_validate(load_toml(held.state.policy.text, file="policy").data)
    projects = [project for project, table in policy.projects.items() if any(s.key == name for s in table.sign)]
    return (*projects, *(f"target {target}" for target, table in policy.targets.items() if table.key == name))
