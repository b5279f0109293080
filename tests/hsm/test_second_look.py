"""A second look at the keys finds what somebody changed in the token: attributes, public halves, keys, the PIN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_pool_trouble import CHANGE_PIN

from hsmpub.hsm.pool import Signers
from hsmpub.hsm.rules import KeyChanged, KeyMissing, PinRefused, TokenGone

if TYPE_CHECKING:
    from conftest import Pools, Token

#: Puts something else beside, or in the place of, the key `release`.
OTHER_PUBLIC = """
from pkcs11.util.ec import encode_named_curve_parameters
with open_token(rw=True) as session:
    find(session, "release", ObjectClass.PUBLIC_KEY).destroy()
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
    public, private = parameters.generate_keypair(store=True, label="release")
    private.destroy()
"""
WEAK = """
with open_token(rw=True) as session:
    find(session, "sealing", ObjectClass.SECRET_KEY).destroy()
    session.create_object({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES,
        Attribute.LABEL: "sealing", Attribute.VALUE: b"k" * 32, Attribute.TOKEN: True, Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True, Attribute.ENCRYPT: True, Attribute.DECRYPT: True})
"""
GONE = """
with open_token(rw=True) as session:
    find(session, "log", ObjectClass.PRIVATE_KEY).destroy()
"""


def test_a_token_that_nobody_touched_passes_again_and_again(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        for _ in range(2):
            await pool.recheck()

    pools.run(token, body, workers=1)
    assert not pools.alarms


@pytest.mark.parametrize(
    ("script", "rule"), [(OTHER_PUBLIC, KeyChanged), (WEAK, KeyChanged), (GONE, KeyMissing)],
    ids=["another public key", "a key that could leave", "a key that is gone"],
)  # fmt: skip
def test_finds_what_was_changed(
    script: str, rule: type[KeyChanged | KeyMissing], own_token: Token, pools: Pools
) -> None:
    async def body(pool: Signers) -> None:
        await pool.recheck()
        own_token.script(script)
        with pytest.raises(rule):
            await pool.recheck()

    pools.run(own_token, body, workers=1)


def test_finds_that_the_pin_was_changed_before_any_signer_has_to_log_in(own_token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        own_token.script(
            CHANGE_PIN.format(module=own_token.hsm.module, label=own_token.hsm.token, so_pin=own_token.so_pin)
        )
        with pytest.raises(PinRefused):
            await pool.recheck()

    pools.run(own_token, body, workers=1)
    assert len(pools.alarms) == 1


def test_a_token_that_is_away_is_no_tampering(own_token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        own_token.tokens.rename(own_token.home / "away")
        with pytest.raises(TokenGone):
            await pool.recheck()

    pools.run(own_token, body, workers=1)
    assert not pools.alarms
