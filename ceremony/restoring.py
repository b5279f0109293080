"""The steps of a restore, in the order that ceremony.restore gives, inside a home in the making."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from ceremony import birth
from ceremony.backup_check import Backup, copy_into
from ceremony.file import CeremonyFile, HsmTable
from ceremony.gather import ShareAtHand, gather_recovery
from ceremony.home_files import config_toml, make_folders
from ceremony.log_write import continue_log
from ceremony.lost_entries import After, apply_after, lost_entries
from ceremony.manifest import LOG
from ceremony.place import Place
from ceremony.restore_token import (
    RestoredKeysDiffer,
    boxes_for,
    check_keys,
    check_not_embedded,
    fill_from_backup,
    lost_keys,
    record_lost,
    take_vendor_token,
)
from ceremony.witness_table import witness_facts
from ceremony.wrapped_keys import without_keys
from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.trust import Trust, dump_trust, with_keys
from hsmpub.secret.page import SecretPage
from hsmpub.shares.plan import QuorumPlan
from hsmpub.shares.progress import progress_text
from hsmpub.shares.recipient import share_file_name
from hsmpub.shares.record import RecoveryRecord, UnsealRecord
from hsmpub.shares.record_file import dump_record, load_recovery_record, load_unseal_record
from hsmpub.shares.recovery import seal_for_recovery
from hsmpub.shares.split import Cards, split_unseal
from hsmpub.transcript.record import Recorder


class Restoring:
    """One restore: what it has between its steps. Raises as run_restore does."""

    def __init__(
        self, backup: Backup, trust: Trust, file: CeremonyFile | None, after: After, vendor_token: bool, place: Place,
        recorder: Recorder, secrets: birth.Secrets, at: int, plan: QuorumPlan, cards: Cards,
    ) -> None:  # fmt: skip
        self._backup = backup
        self._trust = trust
        self._file = file
        self._after = after
        self._vendor_token = vendor_token
        if vendor_token:
            check_not_embedded(self._hsm_table())
        self._place = place
        self._home = Home(place.root)
        self._recorder = recorder
        self._secrets = secrets
        self._recovery: RecoveryRecord = load_recovery_record(backup.read("keeper/recovery.json"))
        self._old: UnsealRecord = load_unseal_record(backup.read("keeper/unseal.json"))
        check_keys(self._recovery, backup.state.keys, trust, vendor_token=vendor_token)
        apply_after(backup.state, after)
        self._at = max(at, backup.state.at)
        self._keys = backup.state.keys
        self._ended = None if vendor_token else lost_keys(self._recovery, self._keys, self._at)
        if self._ended is not None:
            self._keys = self._keys.after(backup.state.size, self._ended)
        self._epoch = backup.state.last_epoch + 1
        self._plan = plan
        self._cards = cards
        self._outputs: dict[str, str] = {}

    def run(self, shares: Sequence[ShareAtHand], protections: dict[str, str]) -> tuple[int, bytes]:
        """Steps 1 to 7. Returns the new epoch and the transcript's bytes."""
        manifest = self._backup.manifest
        self._recorder.record(
            "backup", taken_at=manifest.at, log_size=manifest.log_size, log_root=manifest.log_root,
            log_sha256=manifest.files[LOG].sha256, vendor_backup=manifest.vendor_backup, protections=protections,
            **witness_facts(self._file.witness if self._file is not None else ()),
        )  # fmt: skip
        if self._after.brought:
            self._recorder.record("entries brought", first=manifest.log_size, count=len(self._after.brought))
        if lost := self._after.lost:
            self._recorder.record("loss accepted", first=manifest.log_size, size=lost.size, root=lost.root.hex())
        unknown = {key.name for key in self._trust.keys} - set(self._keys.by_name)
        record_lost(self._recorder, self._ended, sorted(unknown))
        with ExitStack() as pages:
            births = () if self._vendor_token else self._recovery.births
            later = [pages.enter_context(SecretPage()) for _ in births]
            holders = self._gather(shares, later)
            hsm = self._fill_token(later)
        copy_into(self._backup, self._place.root)
        self._split_unseal()
        self._write_keeper(hsm)
        with TokenSigner(hsm, self._secrets.pin) as signer:
            transcript = birth.sign_transcript(self._recorder, self._trust, self._secrets, signer, self._outputs)
            self._place.write(self._folder / "transcript.json", transcript)
            self._continue(transcript, holders, signer)
        birth.settle_hsm(hsm, self._place)
        return self._epoch, transcript

    @property
    def _folder(self) -> Path:
        return self._place.root / f"restore-{self._epoch}"

    def _gather(self, shares: Sequence[ShareAtHand], later: Sequence[SecretPage]) -> tuple[str, ...]:
        def accepted(holders: tuple[str, ...]) -> None:
            self._recorder.record("recovery share", holder=holders[-1], accepted=progress_text(self._recovery, holders))

        secrets, boxes = self._secrets, boxes_for(self._recovery, vendor_token=self._vendor_token)
        first = secrets.so_pin if self._vendor_token else secrets.wrapping_key
        holders = asyncio.run(
            gather_recovery(self._recovery, shares, first, secrets.identity, *later, now=self._at, accepted=accepted,
                            boxes=boxes)
        )  # fmt: skip
        if birth.identity_sign(secrets.identity)[0] != self._trust.keeper_key:
            raise RestoredKeysDiffer("The keeper identity in the backup is not the pinned one.")
        return holders

    def _fill_token(self, later: Sequence[SecretPage]) -> HsmConfig:
        table, place, recorder, secrets = self._hsm_table(), self._place, self._recorder, self._secrets
        if self._vendor_token:
            return take_vendor_token(table, place, recorder, secrets, self._keys)
        return fill_from_backup(table, place, recorder, secrets, self._recovery, self._keys, later)

    def _hsm_table(self) -> HsmTable:
        if self._file is not None:
            return self._file.hsm
        said = self._backup.manifest
        return HsmTable(module=said.module, token=said.token, vendor_backup=said.vendor_backup)

    def _split_unseal(self) -> None:
        avoid = [earlier.identifier for earlier in (*self._old.history, *self._recovery.history)]
        pin = self._secrets.pin.view
        split = split_unseal(self._plan, epoch=self._epoch, pin=pin, avoid=avoid, cards=self._cards)
        for name, share in split.files.items():
            self._output(self._folder / "shares" / share_file_name(name, share), share)
        record = msgspec.structs.replace(split.record, earlier=self._old.history)
        self._output(self._home.unseal_record, dump_record(record))
        birth.record_quorum(self._recorder, "unseal quorum", record)

    def _write_keeper(self, hsm: HsmConfig) -> None:
        public, so_pin = bytes.fromhex(self._recovery.public_key), self._secrets.so_pin.view
        so_pin_box = seal_for_recovery(public, self._recovery.epoch, "SO PIN", so_pin)
        gone = {key.name for key in self._keys.known if key.state == "destroyed"}  # some since the backup
        record = msgspec.structs.replace(without_keys(self._recovery, gone), so_pin_box=so_pin_box)
        self._output(self._home.recovery_record, dump_record(record))
        birth.write_identity(self._secrets.identity, self._place)
        self._home.trust.unlink()  # the pinned one, not that of the backup; with all keys that the log tells of
        self._output(self._home.trust, dump_trust(with_keys(self._trust, self._keys)))
        listen = self._file.front.listen if self._file is not None else self._backup.manifest.listen
        self._output(self._home.config, config_toml(hsm, listen, self._hsm_table().vendor_backup))

    def _continue(self, transcript: bytes, holders: tuple[str, ...], signer: TokenSigner) -> None:
        manifest, restored = self._backup.manifest, e.Restored(self._at, sha256_hex(transcript), self._epoch, holders)
        measured = (manifest.log_size, bytes.fromhex(manifest.log_root))
        more = [*self._after.brought, *lost_entries(self._after, manifest.log_size, self._at)]
        if self._ended is not None:
            more.append(e.dump_entry(self._ended))
        continue_log(
            self._home, self._trust.log_key, self._backup.root / LOG, measured, more, restored, birth.log_sign(signer)
        )
        make_folders(self._home)

    def _output(self, path: Path, data: bytes) -> None:
        self._outputs[str(path.relative_to(self._place.root))] = self._place.write(path, data)
