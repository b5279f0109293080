"""TUF metadata on its way through the keeper: what it says goes into the statement, and its versions count upward."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.errors import Broken
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.registry import get_format
from hsmpub.formats.tuf.key import TUF_KINDS, tuf_key_id
from hsmpub.formats.tuf.meaning import meaning
from hsmpub.formats.tuf.metadata import Metadata, check_expiry
from hsmpub.formats.tuf.role import TufRole
from hsmpub.keeper.book import Book
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Predicate, Signing, TufFacts
from hsmpub.model.tuf_versions import TufVersions


class TufShownOtherwise(Broken):
    advice = "Nothing was signed. Ask for it anew, and report it."


def tuf_formats(sign: Sequence[Signing]) -> list[Format]:
    """Those of the formats that sign TUF metadata."""
    return [form for one in sign for form in map(get_format, one.formats) if isinstance(form, TufRole)]


def shown_facts(book: Book, artifact: Artifact, sign: Sequence[Signing], longest: int) -> list[TufFacts]:
    """What approvers are shown of a file of TUF metadata, in full; nothing for any other.

    Raises:
        TufVersionNotNewer, TufRollsBack, TufExpiryRefused, TufTooLongToApprove, and what `TufRole.metadata` raises.
    """
    names = {tuf_key_id(key): key.name for key in book.keys.active.values() if key.kind in TUF_KINDS and key.public}
    found, sha256 = [], artifact.state.digest().hex()
    for signing in sign:
        for form in tuf_formats([signing]):
            assert isinstance(form, TufRole)
            said = form.metadata(artifact)
            check_expiry(said, book.now(), longest)
            facts = facts_of(artifact.name, said, meaning(said, names))
            book.state.tuf.check(signing.key, facts, sha256)
            if other := book.state.tuf.other_of_this_version(signing.key, facts, sha256):
                note = f"\nTHE KEY {signing.key!r} SIGNED OTHER METADATA OF THIS VERSION BEFORE: sha256 {other}"
                facts = facts_of(artifact.name, said, facts.text + note)
            found.append(facts)
    return found


def reserve(versions: TufVersions, artifact: Artifact, key: KeyRecord, form: Format) -> TufFacts | None:
    """The version that is about to be signed, taken at once: of two that come side by side, one is refused.

    Raises:
        TufVersionNotNewer, TufRollsBack, and what `TufRole.metadata` raises.
    """
    if not isinstance(form, TufRole):
        return None
    facts, sha256 = facts_of(artifact.name, form.metadata(artifact)), artifact.state.digest().hex()
    versions.check(key.name, facts, sha256)
    versions.signed(key.name, facts, sha256)
    return facts


def check_shown(predicate: Predicate, facts: TufFacts | None) -> None:
    """What is about to be signed is what the approved statement says of it. Raises TufShownOtherwise."""
    if facts is None:
        return
    shown = {(one.file, one.role, one.version, one.expires, one.refers) for one in predicate.tuf}
    if (facts.file, facts.role, facts.version, facts.expires, facts.refers) not in shown:
        raise TufShownOtherwise(f"The statement does not say what {facts.file!r} says.")


def facts_of(name: str, said: Metadata, text: str = "") -> TufFacts:
    first = {"snapshot": "targets.json", "timestamp": "snapshot.json"}.get(said.role)
    refers = next((file.version for file in said.files if file.name == first), 0)
    return TufFacts(name, said.role, said.version, said.expires, refers, text)
