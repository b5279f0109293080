"""The life of keys as the log tells it: what may follow what, and that nothing goes missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.model import entry as e
from hsmpub.model.contradiction import LogContradictsItself
from hsmpub.model.fold import ServiceState
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Keys, KeysOutOfTurn
from hsmpub.model.trust import Trust, TrustMalformed, dump_trust, known_keys, load_trust, with_keys

OLD, NEW = KeyRecord("release", "p256", "PEM", 1, ("openpgp",)), KeyRecord("release-2027", "p256", "PEM 2", 9)
FIRST = Keys.of_genesis((OLD,))


def change(keys: Keys, **facts: object) -> e.KeysChanged:
    return e.KeysChanged(5, keys.digest, **facts)  # type: ignore[arg-type]


def rotated() -> Keys:
    gone = e.Retirement("release", "superseded", "release-2027")
    return FIRST.after(7, change(FIRST, born=(NEW,), retired=(gone,)))


def test_a_rotation_leaves_one_key_that_signs_and_the_old_one_for_what_it_signed_before() -> None:
    keys = rotated()
    assert list(keys.active) == ["release-2027"]
    old, new = keys.by_name["release"], keys.by_name["release-2027"]
    assert (old.state, old.life.successor, old.life.reason) == ("retired", "release-2027", "superseded")
    assert old.life.may_sign_at(6)
    assert not old.life.may_sign_at(8)
    assert not new.life.may_sign_at(6)
    assert new.life.may_sign_at(8)


def test_a_certificate_changes_the_record_and_nothing_else() -> None:
    keys = FIRST.after(3, change(FIRST, certified={"release": "CHAIN"}))
    assert keys.active["release"].certificates == "CHAIN"
    assert keys.by_name["release"].life.certified == keys.last == 3


def test_a_destroyed_key_is_still_known_and_no_longer_present() -> None:
    keys = rotated()
    keys = keys.after(9, change(keys, destroyed=("release",)))
    assert keys.by_name["release"].state == "destroyed"
    assert keys.by_name["release"].life.may_sign_at(6)
    assert [key.name for key in keys.present] == ["release-2027"]


IMPOSSIBLE: dict[str, Callable[[Keys], e.KeysChanged]] = {
    "a name given twice": lambda keys: change(keys, born=(OLD,)),
    "a key retired twice": lambda keys: change(keys, retired=(e.Retirement("release", "retired"),)),
    "an unknown key retired": lambda keys: change(keys, retired=(e.Retirement("stranger", "retired"),)),
    "an active key destroyed": lambda keys: change(keys, destroyed=("release-2027",)),
    "a retired key certified": lambda keys: change(keys, certified={"release": "CHAIN"}),
    "an entry that follows another state": lambda keys: change(FIRST, destroyed=("release",)),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_refuses(name: str) -> None:
    keys = rotated()
    with pytest.raises(KeysOutOfTurn):
        keys.after(9, IMPOSSIBLE[name](keys))


def test_the_log_refuses_what_the_keys_refuse() -> None:
    state = ServiceState()
    state.apply(0, e.Genesis(1, "s", "00" * 32, 1, "00" * 32, "log", (OLD,)))
    with pytest.raises(LogContradictsItself):
        state.apply(1, change(FIRST, destroyed=("release",)))
    state.apply(1, change(FIRST, retired=(e.Retirement("release", "retired"),)))
    assert state.keys.active == {}
    assert state.key_entries == [1]


#: Each step makes a key, or moves one that is chosen among those of the right state.
STEPS = st.lists(st.tuples(st.sampled_from(["born", "certified", "retired", "destroyed"]), st.integers(0, 9)),
                 min_size=1, max_size=12)  # fmt: skip


def told(steps: list[tuple[str, int]]) -> list[tuple[int, e.KeysChanged, Keys]]:
    """A history that a service could have: entry, and the keys after it."""
    keys, history, index = FIRST, [], 1
    for what, choice in steps:
        index += 1 + choice
        state = {"certified": "active", "retired": "active", "destroyed": "retired"}.get(what)
        names = [key.name for key in keys.known if key.state == state]
        if what == "born":
            made = change(keys, born=(KeyRecord(f"key-{len(keys.known)}", "p256", "PEM", index),))
        elif not names:
            continue
        elif what == "certified":
            made = change(keys, certified={names[choice % len(names)]: f"CHAIN {index}"})
        elif what == "retired":
            made = change(keys, retired=(e.Retirement(names[choice % len(names)], "retired"),))
        else:
            made = change(keys, destroyed=(names[choice % len(names)],))
        keys = keys.after(index, made)
        history.append((index, made, keys))
    return history


@given(STEPS, st.data())
def test_a_missing_entry_is_noticed_by_the_next_one(steps: list[tuple[str, int]], data: st.DataObject) -> None:
    history = told(steps)
    if len(history) < 2:
        return
    gone = data.draw(st.integers(0, len(history) - 2))
    keys = history[gone - 1][2] if gone else FIRST
    index, entry, _ = history[gone + 1]
    with pytest.raises(KeysOutOfTurn):
        keys.after(index, entry)


@given(STEPS)
def test_pins_carry_the_keys_through_their_file(steps: list[tuple[str, int]]) -> None:
    history = told(steps)
    keys = history[-1][2] if history else FIRST
    pins = with_keys(Trust("s", "log", "00" * 32, (OLD,)), keys)
    again = known_keys(load_trust(dump_trust(pins)))
    assert again == keys
    assert (again.digest, again.last) == (keys.digest, keys.last)


def test_refuses_pins_that_tell_of_a_key_that_they_do_not_hold() -> None:
    told = b'{"service":"s","log_key":"l","keeper_key":"k","keys":[],"lives":{"release":{"retired":4}}}'
    with pytest.raises(TrustMalformed):
        known_keys(load_trust(told))
