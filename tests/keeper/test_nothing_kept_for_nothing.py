"""What one person, or whoever saw a holder's confirmation, has the keeper write to its disk is bounded."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from itertools import permutations
from pathlib import Path

import pytest
from keeping import Kept, _nonce

from hsmpub.formats.sha256state import Sha256State
from hsmpub.keeper import routine
from hsmpub.keeper.entering import MAX_PENDING_OF_A_PERSON, TooManyPending
from hsmpub.model import submission as s
from hsmpub.model.personal import AskCredential
from hsmpub.wire import messages as m


async def ask(kept: Kept, number: int) -> m.RequestView:
    box = base64.b64encode(number.to_bytes(4, "big")).decode()
    return await kept.ask(AskCredential("sdk-lead", _nonce(), kept.now(), "index", box))


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


def test_what_a_job_was_allowed_is_remembered_for_a_few_questions_only(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formats and their order are the job's: they make more questions than there is memory."""
    monkeypatch.setattr(routine, "MOST_DECISIONS", 2)

    async def scenario() -> None:
        await kept.unseal()
        job = await kept.nightly()
        state = Sha256State.of(b"a").to_state("a")
        for formats in [("sshsig",), ("minisign",), *permutations(("sshsig", "minisign"))]:
            await job.ask(s.AskSign("nightly", formats, states=(state,)))
        [session] = kept.keeper.sessions._open.values()
        assert 0 < len(session.decisions) <= 2

    asyncio.run(scenario())
