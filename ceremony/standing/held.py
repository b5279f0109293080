"""A ceremony while it is held: what it records, what it makes, and when it can no longer be undone.

held.output(…)     a file for people, in the ceremony's folder
held.replace(…)    a file of the home; it waits beside the old one
held.act(…)        from here on the HSM may be changed, and a killed ceremony goes on instead of back
held.finish(…)     the transcript is signed, and everything is put in force at once
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from ceremony.birth import identity_sign, log_sign
from ceremony.place import OutputNotWritten, make_folder, sync_directory, sync_tree, write_new
from ceremony.standing.commit import commit, new_file, roll_back, unfinished_folder
from ceremony.standing.journal import Journal, save_journal
from ceremony.standing.opened import OpenHome
from hsmpub.errors import HsmpubError
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.secret.page import SecretPage
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.record import Ceremony, Recorder, Step

Told = Callable[[Step], None]


class Held:
    """One ceremony.

    at: seconds since 1970, never before the log's last entry; number: counts the home's ceremonies;
    rehearsal: home and keys are thrown away afterwards;
    resumed: what `act` was given, if this ceremony was killed after it; else None.
    """

    def __init__(self, opened: OpenHome, recorder: Recorder, journal: Journal, at: int) -> None:
        self.opened = opened
        self.home = opened.home
        self.trust = opened.trust
        self.state = opened.state
        self.hsm = opened.hsm
        self.recorder = recorder
        self.at = at
        self.number = journal.number
        self.holders: tuple[str, ...] = ()
        self.resumed: Mapping[str, Any] | None = journal.data if journal.phase == "acting" else None
        self.transcript = b""
        self.rehearsal = False
        self._journal = journal

    @classmethod
    def begin(cls, opened: OpenHome, ceremony: str, now: Callable[[], int], told: Told, rehearsal: bool) -> Held:
        """Writes the journal; from here on nobody starts a keeper here. Raises OutputNotWritten."""
        journal = Journal(
            journal="hsmpub ceremony journal v1", ceremony=ceremony, number=opened.state.ceremonies + 1,
            phase="preparing", log_size=opened.log.size,
        )  # fmt: skip
        at = max(now(), opened.state.at)
        recorder = Recorder(cast("Ceremony", ceremony), opened.trust.service, lambda: max(now(), at), told, rehearsal)
        save_journal(opened.home.ceremony_journal, journal)
        held = cls(opened, recorder, journal, at)
        held.rehearsal = rehearsal
        return held

    @classmethod
    def again(cls, opened: OpenHome, journal: Journal, now: Callable[[], int], told: Told) -> Held:
        """Goes on with a ceremony that was killed after `act`."""
        at = max(now(), opened.state.at)
        recorder = Recorder.continued(journal.transcript, lambda: max(now(), at), told)
        recorder.record("resumed")
        return cls(opened, recorder, journal, at)

    @property
    def folder(self) -> Path:
        """Where outputs are until the end; it is renamed then."""
        return unfinished_folder(self.home, self._journal)

    @property
    def is_reversible(self) -> bool:
        return self._journal.phase == "preparing"

    def output(self, name: str, data: bytes) -> None:
        """A file in the ceremony's folder. Raises OutputExists, OutputNotWritten."""
        path = self.folder / name
        make_folder(path.parent)
        if self.resumed is not None:
            path.unlink(missing_ok=True)  # of the run that was killed
        write_new(path, data)
        self._note(outputs={**self._journal.outputs, name: sha256_hex(data)})

    def replace(self, path: Path, data: bytes) -> None:
        """A file of the home that takes the place of another, or a new one, at `finish`. Raises OutputNotWritten."""
        new = new_file(path)
        new.unlink(missing_ok=True)
        before = path.stat() if path.exists() else None
        write_new(new, data, before.st_mode & 0o777 if before else 0o644)
        if before and os.geteuid() == 0:
            os.chown(new, before.st_uid, before.st_gid)
        name = str(path.relative_to(self.home.root))
        self._note(replaced={**self._journal.replaced, name: sha256_hex(data)})

    def waiting(self, path: Path) -> bytes:
        """What `replace` was given for a path, also before the ceremony was killed."""
        return new_file(path).read_bytes()

    def remove(self, path: Path) -> None:
        """A file of the home that goes at `finish`."""
        self._note(removed=(*self._journal.removed, str(path.relative_to(self.home.root))))

    def act(self, **data: Any) -> None:
        """Makes everything so far durable, and says in the journal that the HSM is going to be changed.

        data: JSON values, nothing secret: what the ceremony needs to go on if it is killed.

        Raises:
            OutputNotWritten: nothing was changed.
        """
        if self.resumed is not None:
            return
        self._sync()
        self._note(phase="acting", transcript=self.recorder.text, data=data)
        save_journal(self.home.ceremony_journal, self._journal)

    def retract(self) -> None:
        """The HSM is proven to be as it was before `act`: the ceremony can be undone again."""
        self._note(phase="preparing")

    def finish(self, signer: TokenSigner, *facts: e.Entry, **sets: int) -> None:
        """Signs the transcript and puts everything in force: the facts, the ceremony's own entry, the files.

        signer: logged in with the PIN that is in force now; sets: epochs for the entry `CeremonyHeld`.

        Raises:
            OutputNotWritten, LogUnavailable, and the rules of hsmpub.hsm: `resume` ends it.
        """
        sign = log_sign(signer)
        outputs = {f"ceremonies/{self._journal.name}/{name}": sha for name, sha in self._journal.outputs.items()}
        self.recorder.record("outputs", sha256={**outputs, **self._journal.replaced})
        with SecretPage() as page:
            with self.home.identity_key.open("rb", buffering=0) as file:
                page.fill_from(file.fileno(), 32)
            key, keeper_sign = identity_sign(page)
            self.transcript = self.recorder.sign(
                [("log", self.trust.log_key, sign), ("keeper", key, keeper_sign)]
            )  # fmt: skip
        check_transcript(self.transcript, self.trust)
        path = self.folder / "transcript.json"
        path.unlink(missing_ok=True)  # of an end that was interrupted
        make_folder(path.parent)
        write_new(path, self.transcript)
        self._sync()
        own = e.CeremonyHeld(self.at, self.number, self._journal.ceremony, sha256_hex(self.transcript), self.holders,
                             **sets)  # fmt: skip
        entries = tuple(e.dump_entry(entry).decode() for entry in (*facts, own))
        self._note(phase="committing", transcript="", entries=entries)
        save_journal(self.home.ceremony_journal, self._journal)
        commit(self.home, self._journal, self.opened.log, sign)

    def give_up(self, error: BaseException) -> None:
        """After a failure: leaves everything as it was while that can be done; else says what ends the ceremony."""
        if self.is_reversible:
            roll_back(self.home, self._journal)
        elif isinstance(error, HsmpubError) and "resume" not in error.next_step:
            error.next_step = f"{error.next_step} The ceremony has begun to change things: 'hsmpub-ceremony resume'."

    def _sync(self) -> None:
        try:
            if self.folder.exists():
                sync_tree(self.folder)
                sync_directory(self.home.ceremonies)
            for name in self._journal.replaced:
                sync_directory((self.home.root / name).parent)
        except OSError as error:
            raise OutputNotWritten(f"{self.folder} cannot be made durable: {error.strerror}.") from None

    def _note(self, **changes: Any) -> None:
        self._journal = msgspec.structs.replace(self._journal, **changes)
