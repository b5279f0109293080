"""What one person, or whoever saw a holder's confirmation, has the keeper write to its disk is bounded."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from pathlib import Path

import pytest
from keeping import Kept, _nonce

from hsmpub.keeper.entering import MAX_PENDING_OF_A_PERSON, TooManyPending
from hsmpub.model import submission as s
from hsmpub.wire import messages as m


async def ask(kept: Kept, number: int) -> m.RequestView:
    box = base64.b64encode(number.to_bytes(4, "big")).decode()
    return await kept.ask(s.AskCredential("sdk-lead", _nonce(), kept.now(), "index", box))


def sealed(kept: Kept) -> set[Path]:
    return set(kept.home.sealed_credentials.iterdir())


def test_nothing_is_sealed_for_a_person_who_has_too_much_pending(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        for number in range(MAX_PENDING_OF_A_PERSON):
            await ask(kept, number)
        for number in range(8):
            with pytest.raises(TooManyPending):
                await ask(kept, 100 + number)
        assert len(sealed(kept)) == MAX_PENDING_OF_A_PERSON

    asyncio.run(scenario())


def test_a_sealed_credential_that_nobody_adopted_is_removed_and_the_others_stay(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        first = await ask(kept, 1)
        await kept.approve(first, "security-officer")
        await kept.settle()
        adopted = sealed(kept)
        asked, withdrawn = await ask(kept, 2), await ask(kept, 3)
        await kept.decline(withdrawn, "sdk-lead")
        for file in sealed(kept):
            os.utime(file, (time.time() - 3600,) * 2)
        await kept.keeper.sweep_once()
        kept_now = sealed(kept)
        assert len(kept_now) == 2
        assert adopted < kept_now
        await kept.approve(asked, "security-officer")
        await kept.settle()
        assert kept.keeper.book.state.credentials["index"].sealed_sha256 in {file.name for file in kept_now}
        await kept.keeper.sweep_once()
        assert sealed(kept) == kept_now - adopted

    asyncio.run(scenario())
