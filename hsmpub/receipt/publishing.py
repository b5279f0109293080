"""Step 8: what went where: every attempt was intended before, for the very bytes that were approved."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.errors import Invalid
from hsmpub.model import entry as e
from hsmpub.model.digest import is_sha256_hex
from hsmpub.model.statement import Statement
from hsmpub.receipt.facts import Facts
from hsmpub.receipt.outputs import TAG_ARTIFACT, Made
from hsmpub.receipt.report import PublishedItem
from hsmpub.receipt.words import THERE


class PublishedOtherwise(Invalid):
    """index: the entry of the attempt or outcome."""

    advice = "The service published something else than was approved: ask whoever runs it, with this receipt at hand."

    def __init__(self, detail: str, index: int) -> None:
        super().__init__(detail)
        self.index = index


def check_publishing(facts: Facts, statement: Statement, made: Sequence[Made]) -> tuple[PublishedItem, ...]:
    """The last state of every item at every target that was tried.

    Raises:
        PublishedOtherwise: names the entry.
    """
    done, _ = facts.carried_out
    going = {name: _digests(statement, name) for name in statement.predicate.publish}
    tags = {
        m.output.artifact.removeprefix(TAG_ARTIFACT): m.output
        for m in made
        if m.output.artifact.startswith(TAG_ARTIFACT)
    }
    found: dict[tuple[str, str], PublishedItem] = {}
    steps: dict[int, e.PublishIntent | e.PublishOutcome] = {**facts.intents, **facts.outcomes}
    for index in sorted(steps):
        entry = steps[index]
        tag = tags.get(entry.target)
        here = going.get(entry.target, {})
        wanted = here.get(entry.item) if tag is None else tag.sha256 if tag.name == entry.item else None
        if wanted is None or index < done or entry.target not in going:
            raise PublishedOtherwise(f"Entry {index} publishes {entry.item!r}, which was not approved for that.", index)
        place = (entry.target, entry.item)
        before = found.get(place, PublishedItem(*place, "", 0, 0))
        if isinstance(entry, e.PublishIntent):
            if entry.sha256 != wanted:
                raise PublishedOtherwise(f"Entry {index} publishes other bytes as {entry.item!r}.", index)
            if entry.attempt != before.attempts + 1:
                raise PublishedOtherwise(f"Entry {index} is attempt {entry.attempt} after {before.attempts}.", index)
            found[place] = PublishedItem(*place, "", entry.attempt, entry.at)
            continue
        if entry.attempt != before.attempts:
            raise PublishedOtherwise(f"Entry {index} is the outcome of an attempt that was never intended.", index)
        if tag is None and entry.result in THERE and is_sha256_hex(entry.observed) and entry.observed != wanted:
            raise PublishedOtherwise(
                f"{entry.target} was seen to hold other bytes as {entry.item!r} (entry {index}).", index
            )
        found[place] = PublishedItem(*place, entry.result, entry.attempt, entry.at)
    return tuple(found.values())


def _digests(statement: Statement, target: str) -> dict[str, str]:
    """File → digest, of those that go to the target."""
    return {subject.name: subject.sha256 for subject in statement.subject if statement.goes(subject, target)}
