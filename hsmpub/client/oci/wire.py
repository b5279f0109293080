"""Calls to one registry, for one repository: bounded, never redirected, with a token where the registry asks for one.

Source: OCI distribution specification 1.1; the token protocol of distribution (auth/token).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from hsmpub.client.address import is_loopback, silence_of, trusting
from hsmpub.client.oci.answers import address_in, token_in
from hsmpub.client.oci.login import Login
from hsmpub.client.oci.reference import Reference
from hsmpub.errors import Forbidden, TooLarge, Unavailable

#: Seconds for one step of a call, and for the body of an answer in all.
STEP, PATIENCE = 15.0, 60.0
_MAX_TOKEN_BYTES = 64 * 1024
_PARAMETER = re.compile(r'([a-zA-Z_]+)="([^"\\]*)"')
#: Registries whose tokens come from another host of the same house.
_TOKEN_HOSTS = {"registry-1.docker.io": "auth.docker.io", "registry.gitlab.com": "gitlab.com"}


class RegistryUnreachable(Unavailable):
    advice = "Check the registry's name and whether it answers, then try again."


class RegistryRefuses(Forbidden):
    advice = "Log in with 'docker login' or name the file of logins with --registry-auth; see what the login may do."


class RegistryAnswersOddly(Unavailable):
    advice = "Look at the registry before you go on; nothing was signed or pushed by this step."
    retry_is_safe = False


class RegistryRedirects(Forbidden):
    advice = "Redirects are not followed: name the registry by the host that answers."


class TokenHostForeign(Forbidden):
    advice = "If that host does give the registry's tokens, say --token-host HOST."


class BlobHostForeign(Forbidden):
    advice = "If that host does keep the registry's blobs, say --blob-host HOST; it gets no login."


class AnswerEndless(TooLarge):
    advice = "Manifests have up to 4 MiB; look at the registry before you go on."


class RegistryHttp:
    """Speaks for one repository.

    Args:
        login: None: as anybody. ca_file: certificates to trust instead of the usual ones, PEM.
        token_host: gives this registry's tokens, beside the registry itself. patience: seconds for one answer.
        blob_hosts: keep this registry's blobs. may_push: to ask for tokens that can.
    """

    def __init__(self, reference: Reference, login: Login | None = None, *, ca_file: Path | None = None,
                 token_host: str = "", blob_hosts: Iterable[str] = (), may_push: bool = True,
                 patience: float = PATIENCE) -> None:  # fmt: skip
        self.origin = reference.url
        self.host = urlsplit(reference.url).netloc
        self._repository = reference.repository
        self._login = login
        self._authorization = b""
        self._token_hosts = {self.host, token_host, _TOKEN_HOSTS.get(self.host, self.host)} - {""}
        self._blob_hosts = {self.host, *blob_hosts}
        self._actions = "pull,push" if may_push else "pull"
        self._patience = patience
        self._client = httpx.Client(
            verify=trusting(ca_file) if ca_file else True, trust_env=False, follow_redirects=False,
            timeout=min(STEP, patience), headers={"user-agent": "hsmpub", "accept-encoding": "identity"},
        )  # fmt: skip

    def close(self) -> None:
        """Forgets the login, too."""
        self._client.close()
        if self._login is not None:
            self._login.wipe()

    @contextmanager
    def call(self, method: str, path: str, wanted: set[int], *, content: bytes | None = None,
              headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:  # fmt: skip
        """One call, with a token where the registry asks for one.

        Raises:
            RegistryUnreachable, RegistryRefuses, RegistryRedirects, RegistryAnswersOddly, TokenHostForeign.
        """
        url = urljoin(f"{self.origin}/v2/{self._repository}/", path)
        for again in (True, False):
            said: dict[str, str | bytes] = {**(headers or {})}
            if self._authorization:
                said["authorization"] = self._authorization
            with self._stream(method, url, content, said) as answer:
                if answer.status_code == 401 and again:
                    self._log_in(answer.headers.get("www-authenticate", ""))
                    continue
                self._check(answer, wanted)
                yield answer
                return

    @contextmanager
    def _stream(self, method: str, url: str, content: bytes | None,
                headers: dict[str, str | bytes]) -> Iterator[httpx.Response]:  # fmt: skip
        sent = [(n.encode(), v if isinstance(v, bytes) else v.encode()) for n, v in headers.items()]
        try:
            with self._client.stream(method, url, content=content, headers=sent) as answer:
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise RegistryUnreachable(f"{self.host} does not answer: {silence_of(e)}.") from None

    def _check(self, answer: httpx.Response, wanted: set[int]) -> None:
        status = answer.status_code
        if status in wanted:
            return
        if status in (401, 403):
            raise RegistryRefuses(f"{self.host} refuses this for {self._repository} (status {status}).")
        if 300 <= status < 400:
            raise RegistryRedirects(f"{self.host} redirects (status {status}).")
        raise RegistryAnswersOddly(f"{self.host} answers with status {status}.")

    def body(self, answer: httpx.Response, most: int) -> bytes:
        """Raises AnswerEndless, RegistryUnreachable."""
        held, until = bytearray(), time.monotonic() + self._patience
        for piece in answer.iter_raw(64 * 1024):
            held += piece
            if len(held) > most:
                raise AnswerEndless(f"The answer of {self.host} has over {most:,} bytes.")
            if time.monotonic() > until:
                raise RegistryUnreachable(f"The answer of {self.host} takes more than {self._patience:.0f} seconds.")
        return bytes(held)

    def get_elsewhere(self, url: str, most: int) -> bytes:
        """What lies at an address that the registry gave: asked once, as anybody. Raises BlobHostForeign, too."""
        parts = urlsplit(url)
        if parts.netloc not in self._blob_hosts or not self._is_safe(parts.scheme):
            raise BlobHostForeign(f"{self.host} sends its callers to {parts.netloc[:100]!r} for blobs.")
        with self._stream("GET", url, None, {}) as answer:
            self._check(answer, {200})
            return self.body(answer, most)

    def _is_safe(self, scheme: str) -> bool:
        return scheme == "https" or (scheme == "http" and is_loopback(self.host.partition(":")[0]))

    def _log_in(self, challenge: str) -> None:
        """Sets what the next call carries: the login itself, or a token for this repository."""
        scheme = challenge.partition(" ")[0].lower()
        if scheme == "basic" and self._login is not None:
            self._authorization = self._login.header()
            return
        if scheme != "bearer":
            raise RegistryRefuses(f"{self.host} wants a login, and there is none for it.")
        said = dict(_PARAMETER.findall(challenge))
        realm = urlsplit(address_in(said.get("realm", "")))
        if not self._is_safe(realm.scheme) or realm.netloc not in self._token_hosts - {""}:
            raise TokenHostForeign(f"{self.host} sends its callers to {realm.netloc[:100]!r} for tokens.")
        asked = {"service": said.get("service", ""), "scope": f"repository:{self._repository}:{self._actions}"}
        url = httpx.URL(said["realm"]).copy_merge_params(asked)
        own: dict[str, str | bytes] = {} if self._login is None else {"authorization": self._login.header()}
        with self._stream("GET", str(url), None, own) as answer:
            self._check(answer, {200})
            token = token_in(self.body(answer, _MAX_TOKEN_BYTES))
        if not token:
            raise RegistryAnswersOddly(f"{realm.netloc} gave no token.")
        self._authorization = b"Bearer " + token
