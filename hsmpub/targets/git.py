"""A git server: makes one signed tag, over smart HTTP, and never moves one.

Settings: url (the repository), username (default `git`; token services take any), loopback; tag and key are the
keeper's, which made the tag object.

pygit2 makes the object and a pack that holds it alone; the commit it names is on the server already, so nothing is
fetched. The two requests go through the pinned client, not through libgit2's own transport: that one resolves the
name by itself, follows redirects, wants the credential as a str, and can fetch a commit that is no branch's tip only
where the server was configured for it. The command gives "no such ref" as the old value, which the server compares
and sets in one step.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hsmpub.errors import Invalid
from hsmpub.targets.basic import basic_header
from hsmpub.targets.pinned import Answer, AnswerMalformed, PinnedHost
from hsmpub.targets.pktline import Advertisement, create_command, load_advertisement, load_report
from hsmpub.targets.place import load_place
from hsmpub.targets.scrub import scrub
from hsmpub.targets.target import (
    ArtifactChanged,
    CredentialRefused,
    Item,
    Observation,
    OutcomeUnknown,
    PublishRefused,
    Settings,
    text_setting,
)

_MAX_REFS_BYTES = 64 * 1024 * 1024
_MAX_REPORT_BYTES = 1024 * 1024


class TagMismatch(Invalid):
    advice = "The tag object must name the release's commit and the tag itself; ask for the release again."


class GitTarget:
    """See hsmpub.targets.target.Target."""

    def __init__(self, settings: Settings, *, timeout: float, lifetime: float, work: Path) -> None:
        self._loopback = settings.get("loopback") is True
        self._timeout, self._lifetime, self._work = timeout, lifetime, work
        self._place = load_place(text_setting(settings, "url").rstrip("/"), loopback=self._loopback)
        self._user = text_setting(settings, "username", "git").encode()

    def check(self, item: Item) -> None:
        """Raises TagMismatch, ArtifactChanged."""
        if hashlib.sha256(item.content).hexdigest() != item.sha256:
            raise ArtifactChanged("The tag object is not what was approved.")
        lines = item.content.partition(b"\n\n")[0].split(b"\n")
        if lines[:3] != [b"object " + item.commit.encode(), b"type commit", b"tag " + item.name.encode()]:
            raise TagMismatch(f"The tag object of {item.name!r} names another commit or tag.")

    def observe(self, item: Item, credential: bytearray | None = None) -> Observation:
        try:
            shown = self._advertised("git-upload-pack", credential)
        except CredentialRefused as e:
            return Observation("unknown", detail=e.detail, hidden=credential is None)
        except (PublishRefused, OutcomeUnknown) as e:
            return Observation("unknown", detail=e.detail)
        found = shown.refs.get(_ref(item))
        if found is None:
            return Observation("absent")
        return Observation("same" if found == object_id(item.content) else "different", found)

    def publish(self, item: Item, credential: bytearray) -> None:
        shown = self._advertised("git-receive-pack", credential)
        if _ref(item) in shown.refs:
            raise PublishRefused(f"The server has a tag {item.name!r} already.")
        if "report-status" not in shown.capabilities:
            raise AnswerMalformed("The git server cannot report what it did.")
        body = create_command(_ref(item), object_id(item.content), pack_of(item.content, self._work))
        with self._request("POST", "/git-receive-pack", credential, _MAX_REPORT_BYTES, body,
                           {"Content-Type": "application/x-git-receive-pack-request"}) as answer:  # fmt: skip
            self._check_status(answer, credential)
            refused = load_report(answer.read(), _ref(item))
        if refused:
            raise PublishRefused(f"The server refuses the tag: {scrub(refused.encode(), credential, self._user)}")

    def _advertised(self, service: str, credential: bytearray | None) -> Advertisement:
        with self._request("GET", f"/info/refs?service={service}", credential, _MAX_REFS_BYTES) as answer:
            self._check_status(answer, credential)
            return load_advertisement(answer.read(), service)

    def _check_status(self, answer: Answer, credential: bytearray | None) -> None:
        if answer.status == 200:
            return
        said = f"The git server answers {answer.status}: {scrub(answer.words(), credential or b'', self._user)}"
        # servers hide a private repository from strangers as if it were not there
        if answer.status in (401, 403) or (answer.status == 404 and credential is None):
            raise CredentialRefused(said)
        if answer.status >= 500:
            raise OutcomeUnknown(said)
        raise PublishRefused(said)

    @contextlib.contextmanager
    def _request(self, method: str, path: str, credential: bytearray | None, cap: int, body: bytes | None = None,
                 headers: dict[str, str] | None = None) -> Iterator[Answer]:  # fmt: skip
        host = PinnedHost(self._place, loopback=self._loopback, timeout=self._timeout, lifetime=self._lifetime)
        secret = None if credential is None else basic_header(self._user, credential)
        try:
            with host.request(method, self._place.path + path, cap=cap, headers=headers, secret=secret,
                              body=[body] if body else [], length=len(body) if body else None) as answer:  # fmt: skip
                yield answer
        finally:
            if secret is not None:
                secret[:] = bytes(len(secret))


def _ref(item: Item) -> str:
    return f"refs/tags/{item.name}"


def object_id(content: bytes) -> str:
    """Git's object id (SHA-1, hex) of a tag object's exact bytes."""
    return hashlib.sha1(b"tag %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def pack_of(content: bytes, work: Path) -> bytes:
    """A pack that holds this tag object and nothing else. work: a folder for the repository that makes it.

    Raises:
        TagMismatch: libgit2 does not take the bytes for a tag object.
    """
    import pygit2  # slow to load, and only an upload needs it

    with tempfile.TemporaryDirectory(dir=work) as folder:
        repository = pygit2.init_repository(folder, bare=True)
        try:
            oid = repository.odb.write(pygit2.enums.ObjectType.TAG, content)
            tag = repository.get(oid)
        except (pygit2.GitError, ValueError):
            tag = None
        if not isinstance(tag, pygit2.Tag) or str(tag.id) != object_id(content):
            raise TagMismatch("The tag object is not one that git reads.")
        builder = pygit2.PackBuilder(repository)
        builder.add(oid)
        builder.write(folder)
        (pack,) = Path(folder).glob("pack-*.pack")
        return pack.read_bytes()
