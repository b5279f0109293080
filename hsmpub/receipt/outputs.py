"""Step 6: what was signed is what was asked, by keys that were active then, nothing missing and nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hsmpub.errors import Invalid
from hsmpub.formats.registry import get_format
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Key
from hsmpub.model.statement import Statement
from hsmpub.policy import Policy
from hsmpub.receipt.facts import Facts
from hsmpub.receipt.tags import TAG_FORMAT, check_tag_output

#: A signed git tag is logged as the output of this artifact, followed by the target's name.
TAG_ARTIFACT = "git:"


class SignedOtherwise(Invalid):
    advice = "The service signed something else than was asked: ask whoever runs it, with this receipt at hand."


class KeyNotOfLog(Invalid):
    advice = "Only keys that a ceremony made count, for the formats that it gave them. Fetch the receipt again."


class KeyNotActive(Invalid):
    """The log has the key's retirement before the signature, or its birth after it."""

    advice = "Use nothing of it: a key that was retired signs nothing. Ask whoever runs the service."


@dataclass(frozen=True)
class Made:
    """One recorded output. artifact_sha256: of the file that it signs; at: when, seconds since 1970; index: entry."""

    output: e.Output
    artifact_sha256: str
    key: KeyRecord
    at: int
    index: int


def check_outputs(facts: Facts, statement: Statement, policy: Policy) -> tuple[Made, ...]:
    """Every output of the request.

    Raises:
        SignedOtherwise, KeyNotOfLog, KeyNotActive, UnknownFormat; for tags the rules of hsmpub.receipt.tags.
    """
    made = tuple(
        _routine(facts, statement) if isinstance(facts.request, e.RoutineSigned) else _logged(facts, statement)
    )
    wanted = [
        (subject.name, subject.sha256, signing.key, name)
        for subject in statement.subject
        for signing in statement.sign(subject)
        for name in signing.formats
    ]
    files = [m for m in made if not m.output.artifact.startswith(TAG_ARTIFACT)]
    found = [(m.output.artifact, m.artifact_sha256, m.output.key, m.output.format) for m in files]
    if sorted(found) != sorted(wanted):
        raise SignedOtherwise("The signatures in the log are not exactly those that the statement asks for.")
    for one in files:
        if get_format(one.output.format).name not in one.key.formats:
            raise KeyNotOfLog(f"The key {one.key.name!r} may not make the format {one.output.format!r}.")
    tags = [m for m in made if m.output.artifact.startswith(TAG_ARTIFACT)]
    _check_tags(facts, statement, policy, tags)
    _check_adopted(facts, statement)
    return made


def _check_adopted(facts: Facts, statement: Statement) -> None:
    """What was adopted or sealed by this request is what its statement names; who asked to decrypt got one header."""
    if len(facts.delivered) != (statement.predicate.kind == "decrypt"):
        raise SignedOtherwise("A header was delivered that nobody asked for, or none although one was asked for.")
    kind, own = statement.predicate.kind, facts.request.request
    adopted = {
        "policy": [p.sha256 for p in facts.policies.values() if p.request == own],
        "roster": [r.sha256 for r in facts.rosters.values() if r.request == own],
        "credential": [c.sealed_sha256 for c in facts.sealed.values() if c.name == statement.predicate.credential],
    }
    count = len(facts.sealed) + sum(len(adopted[name]) for name in ("policy", "roster"))
    wanted = [subject.sha256 for subject in statement.subject] if kind in adopted else []
    if adopted.get(kind, []) != wanted or count != len(wanted):
        raise SignedOtherwise("What was adopted is not what the statement names.")


def _logged(facts: Facts, statement: Statement) -> Iterator[Made]:
    digests = {subject.name: subject.sha256 for subject in statement.subject}
    for index, signed in facts.signed.items():
        is_tag = signed.artifact.startswith(TAG_ARTIFACT)
        if not is_tag and digests.get(signed.artifact) != signed.artifact_sha256:
            raise SignedOtherwise(f"Entry {index} signs a file that the statement does not name.")
        for output in signed.outputs:
            if output.artifact != signed.artifact or (output.format == TAG_FORMAT) != is_tag:
                raise SignedOtherwise(f"An output of entry {index} is for another file than the entry.")
            if output.content and sha256_hex(output.content) != output.sha256:
                raise SignedOtherwise(
                    f"The output {output.name!r} of entry {index} has not the digest recorded for it."
                )
            yield Made(output, signed.artifact_sha256, _key(facts, output.key, index), signed.at, index)


def _routine(facts: Facts, statement: Statement) -> Iterator[Made]:
    """Outputs are recorded by digest, in the order of subjects × formats of each."""
    request = facts.request
    assert isinstance(request, e.RoutineSigned)
    wanted = [(s, signing.key, f) for s in statement.subject for signing in statement.sign(s) for f in signing.formats]
    if len(wanted) != len(request.outputs):
        raise SignedOtherwise(f"{len(request.outputs)} signatures are recorded, {len(wanted)} were asked for.")
    index = facts.request_index
    for (subject, key, name), sha256 in zip(wanted, request.outputs, strict=True):
        output = e.Output(subject.name, name, key, get_format(name).output_name(subject.name), sha256)
        yield Made(output, subject.sha256, _key(facts, key, index), request.at, index)


def _key(facts: Facts, name: str, index: int) -> KeyRecord:
    """The key that signed entry `index`, as the log in the receipt tells it."""
    key = facts.keys_at(index).by_name.get(name)
    if key is None:
        raise KeyNotOfLog(f"The log in the receipt has no key {name[:80]!r}.")
    check_may_sign(key, index)
    return key.record


def check_may_sign(key: Key, index: int) -> None:
    """Raises KeyNotActive unless the key was active when entry `index` was written."""
    if not key.life.may_sign_at(index):
        when = f"retired by entry {key.life.retired}" if key.life.born < index else f"born with entry {key.life.born}"
        raise KeyNotActive(f"Entry {index} signs with the key {key.name!r}, which was {when}.")


def _check_tags(facts: Facts, statement: Statement, policy: Policy, tags: list[Made]) -> None:
    publish = statement.predicate.publish
    wanted = {TAG_ARTIFACT + name for name in publish if name in policy.targets and policy.targets[name].kind == "git"}
    if {made.output.artifact for made in tags} != wanted or len(tags) != len(wanted):
        raise SignedOtherwise("The signed tags are not exactly those that the policy's git targets ask for.")
    for made in tags:
        target = policy.targets[made.output.artifact.removeprefix(TAG_ARTIFACT)]
        check_tag_output(made.output, made.key, target, statement.predicate, facts.genesis.service, made.at)
