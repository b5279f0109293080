"""The dated evidence of an offboarding: a transcript that the keeper's identity signs, beside report and papers.

The log is not touched, so its size and root are in the transcript: it was made after that entry, and the next
ceremony's transcript or a later checkpoint was made after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import msgspec

from ceremony.birth import identity_sign
from ceremony.offboard.findings import Findings
from ceremony.standing.held import Told
from ceremony.standing.opened import NotTheKeepersUser
from hsmpub.home import Home
from hsmpub.model.digest import sha256_hex
from hsmpub.model.trust import Trust
from hsmpub.secret.page import SecretPage
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.record import Recorder


@dataclass(frozen=True)
class Asked:
    """The revocation that was asked for. by: who asked; request: its id; refused: why there is none."""

    by: str = ""
    request: str = ""
    refused: str = ""


def record_offboarding(
    recorder: Recorder, findings: Findings, log_root: str, asked: Asked, papers: Mapping[str, bytes],
    steps: tuple[str, ...],
) -> None:  # fmt: skip
    """Its steps. papers: every file beside the transcript; steps: what is left to people."""
    found = msgspec.to_builtins(findings)
    recorder.record("log", log_size=findings.log_size, log_root=log_root)
    who = ("names", "enrolled", "groups", "keys", "actors")
    recorder.record("person", **{name: found[name] for name in who})
    recorder.record("found", **{name: value for name, value in found.items() if name not in (*who, "log_size")})
    if asked.by:
        recorder.record("revocation asked for", by=asked.by, request=asked.request, refused=asked.refused)
    recorder.record("left to do", steps=list(steps))
    recorder.record("outputs", sha256={name: sha256_hex(data) for name, data in sorted(papers.items())})


class Evidence:
    """Records an offboarding, and signs it with the keeper's identity, which is read before anything is asked for.

    Raises:
        NotTheKeepersUser: the identity may not be read.
    """

    def __init__(self, home: Home, trust: Trust, now: Callable[[], int], told: Told, *, rehearsal: bool) -> None:
        self.recorder = Recorder("offboard", trust.service, now, told, rehearsal)
        self._trust = trust
        self._page = SecretPage()
        try:
            with home.identity_key.open("rb", buffering=0) as file:
                self._page.fill_from(file.fileno(), 32)
        except PermissionError:
            self._page.close()
            raise NotTheKeepersUser("The keeper's identity, which signs the transcript, may not be read.") from None

    def __enter__(self) -> Self:
        return self

    def sign(self) -> bytes:
        """The transcript's exact bytes."""
        key, sign = identity_sign(self._page)
        transcript = self.recorder.sign([("keeper", key, sign)])
        check_transcript(transcript, self._trust)
        return transcript

    def __exit__(self, *_: object) -> None:
        self._page.close()
