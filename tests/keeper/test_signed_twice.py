"""Where a format's second signature covers its first, both come from the HSM, in one request of many files."""

from __future__ import annotations

import asyncio

import msgspec
from keeping import Kept

from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.keeper.making import make, plan
from hsmpub.model import submission as s
from hsmpub.wire import messages as m

MINISIGN = get_format("minisign")


def states(*names: str) -> tuple[s.HashState, ...]:
    return tuple(
        msgspec.structs.replace(
            Sha256State.of(data).to_state(data.decode()), details={"minisign": MINISIGN.extract(BytesSource(data))}
        )
        for data in map(str.encode, names)
    )


def test_a_batch_takes_one_entry(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        job, before = await kept.nightly(), kept.keeper.book.log.size
        files = states("a", "b", "c")
        reply = await job.ask(s.AskSign("nightly", ("sshsig", "minisign"), states=files))
        assert isinstance(reply, m.SignReply)
        assert kept.keeper.book.log.size == before + 1
        for file in files:
            [output] = [one.output for one in reply.made if (one.artifact, one.format) == (file.name, "minisign")]
            artifact = Artifact(file.name, Sha256State.of_state(file), file.details)
            MINISIGN.check(output, artifact, kept.keeper.book.signing_key("minisign"))

    asyncio.run(scenario())


def test_so_it_is_for_what_was_approved(kept: Kept) -> None:
    async def scenario() -> None:
        [file] = states("a")
        artifact, key = (
            Artifact("a", Sha256State.of_state(file), file.details),
            kept.keeper.book.signing_key("minisign"),
        )
        context = Context(at=7)
        planned = plan(artifact, [(key, MINISIGN)], context)
        assert planned[0].output_name == "a.minisig"
        [output] = await make(planned, kept.signers, context)  # type: ignore[arg-type]
        MINISIGN.check(output, artifact, key, context)
        assert kept.signers.signed == 2

    asyncio.run(scenario())
