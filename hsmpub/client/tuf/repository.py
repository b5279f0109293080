"""What happens to the repository: staged, signed, verified, published, in an order that a crash cannot spoil.

A client follows timestamp → snapshot → targets → files, so they are written the other way round: when the timestamp
names something, it is there. What is cut short is found again in `staged/` or under its own name, and goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Targets

from hsmpub.client.tuf import building
from hsmpub.client.tuf.folder import Folder, Staged, TufDoesNotVerify, is_signed
from hsmpub.client.tuf.publishing import Publishing, Told, parse_payload
from hsmpub.client.tuf.settings import TufSettings
from hsmpub.client.tuf.signer import Asking
from hsmpub.client.tuf.target_file import take_target
from hsmpub.errors import Conflict, NotFound
from hsmpub.formats.tuf.metadata import Role


class TufAlreadyBegun(Conflict):
    advice = "Go on with 'hsmpub tuf add', 'root' or 'publish'."


class TufStillStaged(Conflict):
    advice = "Have it signed ('hsmpub tuf publish'), or drop it ('hsmpub tuf discard')."


class TufNoSuchTarget(NotFound):
    advice = "'hsmpub tuf status' lists the targets."


class Repository(Publishing):
    """now: aware, of UTC."""

    def __init__(self, folder: Folder, settings: TufSettings, asking: Asking, now: datetime, told: Told) -> None:
        super().__init__(folder, settings, asking, told)
        self.now = now

    # --- what is to be signed ---

    def begin(self) -> None:
        """Stages the first root and targets without a file. Raises TufAlreadyBegun."""
        if self.folder.latest("root") or self.folder.all_staged():
            raise TufAlreadyBegun(f"{self.folder.root} has TUF metadata already.")
        self._stage("root", building.next_root(self.settings, self.asking, 1, self.now))
        self._stage("targets", building.next_targets(self.settings, None, (), (), self.now))

    def change_root(self) -> None:
        """Stages the next root with the keys of the settings; the keys of the last one sign it, too."""
        self._check_nothing_staged("root")
        version = self.folder.verified("root").signed.version + 1
        self._stage("root", building.next_root(self.settings, self.asking, version, self.now))

    def change_targets(self, add: Sequence[Path], remove: Sequence[str]) -> None:
        """Stages the next targets; without a change it only expires later. Raises TufNoSuchTarget."""
        self._check_nothing_staged("targets")
        before: Targets = self.folder.verified("targets").signed
        for name in remove:
            if name not in before.targets:
                raise TufNoSuchTarget(f"There is no target {name!r}.")
        taken = [take_target(self.folder.targets, path) for path in add]
        self._stage("targets", building.next_targets(self.settings, before, taken, remove, self.now))

    def _check_nothing_staged(self, role: Role) -> None:
        if staged := self.folder.staged(role):
            raise TufStillStaged(f"{role} metadata of version {staged.version} waits for signatures already.")

    def _stage(self, role: Role, signed: Any) -> Staged:
        return self.folder.stage(role, signed.version, building.payload_of(signed))

    # --- signing and publishing ---

    def publish(self) -> bool:
        """Has what is staged signed, publishes what is signed whole, then refreshes. Returns: nothing waits."""
        staged = [found for role in ("root", "targets") if (found := self.folder.staged(role))]
        done = [self.sign_and_publish(one) for one in staged]
        if self.folder.latest("root") and self.folder.latest("targets"):
            self.refresh()
        return all(done)

    # --- what expires soon ---

    def refresh(self, within: int | None = None, past: int = 0) -> None:
        """Signs snapshot and timestamp anew where they expire within so many seconds (None: as the settings say), do
        not name what is published, or are not signed by the keys of the newest root. Otherwise nothing is done.

        past: versions begin after this one.
        """
        self.folder.verified("root")
        targets = self.folder.verified("targets").signed
        held = self.folder.latest("snapshot")
        fits = held is not None and held.signed.meta["targets.json"].version == targets.version
        if not fits or not self._is_fresh("snapshot", held, within):
            version = self._next_version("snapshot", held, past)
            self._renew("snapshot", building.next_snapshot(self.settings, targets, version, self.now))
        snapshot = self.folder.verified("snapshot").signed
        held = self.folder.latest("timestamp")
        fits = held is not None and held.signed.snapshot_meta.version == snapshot.version
        if not fits or not self._is_fresh("timestamp", held, within):
            version = self._next_version("timestamp", held, past)
            self._renew("timestamp", building.next_timestamp(self.settings, snapshot, version, self.now))

    def _is_fresh(self, role: Role, held: Metadata[Any] | None, within: int | None) -> bool:
        root, seconds = self.folder.latest("root"), self.settings.role(role).renew if within is None else within
        if held is None or root is None or not is_signed(root, role, held):
            return False
        return building.seconds_left(held.signed, self.now) > seconds

    def _next_version(self, role: Role, held: Metadata[Any] | None, past: int) -> int:
        return max(held.signed.version if held else 0, past) + 1

    def _renew(self, role: Role, signed: Any) -> None:
        """What a crash left staged may have been signed: the same is signed again, anything else comes after it."""
        staged = self.folder.staged(role)
        if staged is not None:
            if self._still_fits(staged, signed):
                self._finish(staged)
                return
            signed.version = max(signed.version, staged.version + 1)
            self.folder.unstage(staged)
        self._finish(self._stage(role, signed))

    def _finish(self, staged: Staged) -> None:
        if not self.sign_and_publish(staged):
            raise TufDoesNotVerify(f"The {staged.role} metadata was not signed by the keys that the newest root names.")

    def _still_fits(self, staged: Staged, signed: Any) -> bool:
        """It says the same, but for an expiry that is still far enough away."""
        held, renew = parse_payload(staged.payload), self.settings.role(staged.role).renew
        if held.version < signed.version or building.seconds_left(held, self.now) <= renew:
            return False
        held.expires, held.version = signed.expires, signed.version
        return building.payload_of(held) == building.payload_of(signed)
