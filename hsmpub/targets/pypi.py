"""A Python package index: the legacy upload API in, the simple index out.

Settings: url (upload endpoint), index (simple index, the page of a project is below it), username (default
`__token__`), loopback. A repeat of the same file answers 200 at one registry and 400 at another, so the status of an
upload decides nothing: the index is read.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin

from hsmpub.targets.basic import basic_header
from hsmpub.targets.distribution import form_fields, project_of
from hsmpub.targets.index import ACCEPT, find_file
from hsmpub.targets.multipart import FileForm, check_stored
from hsmpub.targets.pinned import Answer, AnswerMalformed, PinnedHost
from hsmpub.targets.place import Place, load_place
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

MAX_PAGE_BYTES = 64 * 1024 * 1024
_MAX_ANSWER_BYTES = 1024 * 1024
#: Slowest upload that is waited for, in bytes per second.
_SLOWEST = 64 * 1024


class PypiTarget:
    """See hsmpub.targets.target.Target."""

    def __init__(self, settings: Settings, *, timeout: float, lifetime: float) -> None:
        self._loopback = settings.get("loopback") is True
        self._timeout, self._lifetime = timeout, lifetime
        self._upload = load_place(text_setting(settings, "url"), loopback=self._loopback)
        self._index = load_place(text_setting(settings, "index"), loopback=self._loopback)
        self._user = text_setting(settings, "username", "__token__").encode()

    def check(self, item: Item) -> None:
        """Raises DistributionMalformed, ArtifactChanged."""
        check_stored(_path(item), item.sha256, item.size)
        self._fields(item)

    def observe(self, item: Item, credential: bytearray | None = None) -> Observation:
        page = f"{self._index.path.rstrip('/')}/{quote(project_of(item.name))}/"
        # the credential is for the upload host and for no other, not even to read
        own = credential if self._index.origin == self._upload.origin else None
        with self._ask(self._index, page, own, MAX_PAGE_BYTES, ACCEPT) as answer:
            if answer.status in (401, 403):
                return Observation(
                    "unknown", detail="The index shows nothing without a credential.", hidden=own is None
                )
            if answer.status == 404:
                return Observation("absent")
            if answer.status != 200:
                return Observation("unknown", detail=f"The index answers {answer.status}.")
            listed = find_file(answer.read(), answer.headers.get("content-type", ""), item.name)
        if listed is None:
            return Observation("absent")
        digest = listed.sha256 or self._downloaded(item, urljoin(self._url(page), listed.url), own)
        return Observation("same" if digest == item.sha256 else "different", digest)

    def publish(self, item: Item, credential: bytearray) -> None:
        form = FileForm(self._fields(item), field="content", filename=item.name, path=_path(item),
                        sha256=item.sha256, size=item.size)  # fmt: skip
        host = self._host(self._upload)
        secret = basic_header(self._user, credential)
        lifetime = self._lifetime + item.size / _SLOWEST
        try:
            with host.request("POST", self._upload.path, cap=_MAX_ANSWER_BYTES, secret=secret, body=form.chunks(),
                              headers={"Content-Type": form.content_type}, length=form.length,
                              lifetime=lifetime) as answer:  # fmt: skip
                self._check(answer, credential)
        finally:
            secret[:] = bytes(len(secret))

    def _check(self, answer: Answer, credential: bytearray) -> None:
        if 200 <= answer.status < 300:
            return
        said = f"The index answers {answer.status}: {scrub(answer.words(), credential, self._user)}"
        if answer.status in (401, 403):
            raise CredentialRefused(said)
        if answer.status >= 500 or answer.status == 408:
            raise OutcomeUnknown(said)
        raise PublishRefused(said)

    def _downloaded(self, item: Item, url: str, credential: bytearray | None) -> str:
        """Digest of the file behind the index's link, for an index that shows none."""
        place = load_place(url.partition("#")[0], loopback=self._loopback)
        own = credential if place.origin == self._upload.origin else None
        digest = hashlib.sha256()
        with self._ask(place, place.path, own, item.size, "*/*") as answer:
            if answer.status != 200:
                raise AnswerMalformed(f"The index lists {item.name!r} and answers {answer.status} for it.")
            for chunk in answer.chunks():
                digest.update(chunk)
        return digest.hexdigest()

    @contextlib.contextmanager
    def _ask(self, place: Place, path: str, credential: bytearray | None, cap: int, accept: str) -> Iterator[Answer]:
        secret = None if credential is None else basic_header(self._user, credential)
        try:
            with self._host(place).request("GET", path, cap=cap, headers={"Accept": accept}, secret=secret) as answer:
                yield answer
        finally:
            if secret is not None:
                secret[:] = bytes(len(secret))

    def _host(self, place: Place) -> PinnedHost:
        return PinnedHost(place, loopback=self._loopback, timeout=self._timeout, lifetime=self._lifetime)

    def _url(self, path: str) -> str:
        scheme, host, port = self._index.origin
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{path}"

    def _fields(self, item: Item) -> list[tuple[str, str]]:
        return form_fields(_path(item), item.name, item.sha256)


def _path(item: Item) -> Path:
    if item.path is None:
        raise ArtifactChanged(f"The bytes of {item.name!r} are not in the artifact store.")
    return item.path
