"""A release's tag in git: the service builds the object, signs it, and reads it back."""

from __future__ import annotations

from hsmpub.formats.git_tag import GitTag, assemble_tag, prepare_tag
from hsmpub.formats.git_tag_read import check_tag
from hsmpub.hsm.pool import Signers
from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.request_state import Request
from hsmpub.model.statement import Predicate


async def sign_tag(book: Book, signers: Signers, request: Request, target: str, now: int) -> e.Signed:
    """The tag object for this git target, under the name `git:<target>`. Raises what reading it back raises."""
    predicate: Predicate = request.statement.predicate
    settings = book.policy.targets[target]
    key = book.signing_key(settings.key)
    tag = GitTag(
        commit=predicate.commit,
        name=settings.tag.format(version=predicate.version, project=predicate.project),
        tagger=book.genesis.service,
        email=f"{book.genesis.service}@hsmpub.invalid",
        at=now,
        message=f"{predicate.project} {predicate.version}\n\nhsmpub request {request.id}\n",
    )
    made = prepare_tag(tag, key, "openpgp" if "openpgp" in key.formats else "sshsig")
    [signature] = await signers.sign(key.name, [made.prepared.payload], hash=made.prepared.hash)
    content = assemble_tag(made, signature)
    check_tag(content, tag, key)
    output = e.kept_output(f"git:{target}", "git-tag", key.name, tag.name, content)
    return e.Signed(now, request.id, f"git:{target}", sha256_hex(content), (output,))
