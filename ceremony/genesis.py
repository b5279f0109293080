"""Genesis: from one reviewed file to a home, its keys in the HSM, its shares with their holders, a signed transcript.

    1 the file, policy and roster are read and checked (ceremony.plan), and the HSM's module (ceremony.module_check)
    2 the recovery secret is split among the recovery holders, in a child process
    3 the keys are born in a throw-away token, wrapped, and that token is destroyed
    4 the production token gets a random PIN and SO PIN that nobody sees; the keys move in, never to come out
    5 the unseal secret, which opens the PIN, is split among the holders, in a child process
    6 wrapping key, SO PIN and keeper identity are sealed to the recovery quorum's key
    7 certificates are made: OpenPGP, and X.509 of the backup key
    8 everything is written, and the transcript signed by the log key in the HSM and by the keeper's identity
    9 the log begins with genesis, policy and roster, and its first checkpoint is signed
   10 the home is moved into place

Until 10 there is no home. Outputs are opened O_EXCL; nothing is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ceremony import birth
from ceremony.backup_certificates import backup_user_id, certify_backup_key
from ceremony.cards import open_cards
from ceremony.fingerprint import fingerprint_words, public_key_der
from ceremony.home_files import config_toml, make_folders
from ceremony.keys import BACKUP_CERTIFIER, BACKUP_KEY, LOG_KEY, key_records, key_specs
from ceremony.log_write import begin_log
from ceremony.module_check import check_module
from ceremony.openpgp_certificates import certificate_facts, certify
from ceremony.place import Place, check_free
from ceremony.plan import Plan
from ceremony.softhsm import find_softhsm
from ceremony.witness_table import witness_facts
from hsmpub.home import Home
from hsmpub.hsm.birth import bear_keys
from hsmpub.hsm.config import BornKey, HsmConfig
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.trust import Trust, dump_trust
from hsmpub.shares.facts import facts_of_plan
from hsmpub.shares.plan import QuorumPlan
from hsmpub.shares.recipient import share_file_name
from hsmpub.shares.record import Purpose
from hsmpub.shares.record_file import dump_record
from hsmpub.shares.split import Cards, NewRecovery, split_recovery, split_unseal
from hsmpub.tlog.note import VerifierKey
from hsmpub.transcript.record import Recorder, Step

FIRST_EPOCH = 1


@dataclass(frozen=True)
class Genesis:
    """What came of it. transcript: the exact bytes of home/genesis/transcript.json."""

    home: Path
    trust: Trust
    transcript: bytes


def run_genesis(
    plan: Plan,
    home: Path,
    *,
    now: Callable[[], int],
    told: Callable[[Step], None] = lambda step: None,
    protections: Mapping[str, str] | None = None,
    rehearsal: bool = False,
    cards: Path | None = None,
) -> Genesis:
    """Runs the whole ceremony.

    Args:
        now: seconds since 1970.
        told: called with each step as it is done.
        protections: of this process, for the transcript.
        cards: folder for the share cards of holders with paper instead of a key.

    Raises:
        HomeExists, CeremonyUnfinished, OutputNotWritten, CardsMissing, CardsInHome, OutputExists,
            ModuleUnfit: before anything is done.
        SoftHsmMissing, TokenExists and the other rules of hsmpub.hsm, hsmpub.shares, hsmpub.formats, hsmpub.tlog:
            nothing was kept, but for the new token in an HSM other than SoftHSM.
    """
    check_free(home)
    check_module(plan.file.hsm)
    recorder = Recorder("genesis", plan.file.service.name, now, told, rehearsal)
    quorums: dict[Purpose, QuorumPlan] = {"unseal": plan.file.unseal.plan, "recovery": plan.file.recovery.plan}
    with (
        open_cards(cards, home, plan.file.service.name, quorums) as to_print,
        Place(home) as place,
        birth.open_secrets() as secrets,
    ):
        trust, transcript = _Ceremony(plan, place, recorder, secrets, now, to_print).run(dict(protections or {}))
        place.finish()
    return Genesis(place.home, trust, transcript)


class _Ceremony:
    """The state of one genesis between its steps."""

    def __init__(
        self,
        plan: Plan,
        place: Place,
        recorder: Recorder,
        secrets: birth.Secrets,
        now: Callable[[], int],
        cards: Mapping[Purpose, Cards],
    ) -> None:
        self._plan = plan
        self._place = place
        self._home = Home(place.root)
        self._recorder = recorder
        self._secrets = secrets
        self._at = now()
        self._cards = cards
        self._outputs: dict[str, str] = {}

    def run(self, protections: dict[str, str]) -> tuple[Trust, bytes]:
        """Steps 1 to 9. Returns the public pins and the transcript's bytes."""
        plan, recorder = self._plan, self._recorder
        recorder.record(
            "ceremony file", sha256=plan.sha256, policy_sha256=sha256_hex(plan.policy.encode()),
            roster_sha256=sha256_hex(plan.roster.encode()), protections=protections, **witness_facts(plan.file.witness),
        )  # fmt: skip
        recovery = self._split_recovery()
        born = self._bear()
        hsm = birth.fill_token(plan.file.hsm, self._place, recorder, self._secrets, born)
        self._split_unseal()
        keeper_key = self._make_identity()
        self._write_recovery(recovery, born)
        with TokenSigner(hsm, self._secrets.pin) as signer:
            user_id = plan.file.service.openpgp_user_id
            keys = certify(key_records(born, self._at), user_id, self._at, signer)
            keys = self._certify_backup_key(keys, signer)
            trust = Trust(plan.file.service.name, self._log_key(keys), keeper_key, keys)
            self._write_public(trust, hsm)
            transcript = birth.sign_transcript(recorder, trust, self._secrets, signer, self._outputs)
            self._place.write(self._home.genesis / "transcript.json", transcript)
            self._begin_log(trust, transcript, signer)
        birth.settle_hsm(hsm, self._place)
        return trust, transcript

    def _certify_backup_key(self, keys: tuple[KeyRecord, ...], signer: TokenSigner) -> tuple[KeyRecord, ...]:
        named, service = {key.name: key for key in keys}, self._plan.file.service
        pair = certify_backup_key(named[BACKUP_CERTIFIER], named[BACKUP_KEY], service.name,
                                  backup_user_id(service.openpgp_user_id), self._at, signer)  # fmt: skip
        named |= {key.name: key for key in pair}
        return tuple(named[key.name] for key in keys)

    def _split_recovery(self) -> NewRecovery:
        table = self._plan.file.recovery
        split = split_recovery(table.plan, epoch=FIRST_EPOCH, cards=self._cards["recovery"])
        for name, file in split.files.items():
            self._output(self._home.genesis / "recovery" / share_file_name(name, file), file)
        facts = birth.quorum_facts("recovery", facts_of_plan(split.plan, FIRST_EPOCH, split.holders))
        self._recorder.record("recovery quorum", **facts, public_key=split.public_key.hex())
        return split

    def _bear(self) -> list[BornKey]:
        birth.fill_random(self._secrets.wrapping_key)
        born = bear_keys(find_softhsm(), key_specs(), self._secrets.wrapping_key)
        birth.record_keys(self._recorder, "keys born", key_records(born, self._at))
        return born

    def _split_unseal(self) -> None:
        table = self._plan.file.unseal
        pin, cards = self._secrets.pin.view, self._cards["unseal"]
        split = split_unseal(table.plan, epoch=FIRST_EPOCH, pin=pin, cards=cards)
        for name, file in split.files.items():
            self._output(self._home.genesis / "shares" / share_file_name(name, file), file)
        self._output(self._home.unseal_record, dump_record(split.record))
        birth.record_quorum(self._recorder, "unseal quorum", split.record)

    def _make_identity(self) -> str:
        birth.fill_random(self._secrets.identity)
        public = birth.write_identity(self._secrets.identity, self._place)
        self._recorder.record("keeper identity", key=public, words=fingerprint_words(bytes.fromhex(public)))
        return public

    def _write_recovery(self, split: NewRecovery, born: list[BornKey]) -> None:
        record = birth.recovery_record(split, self._secrets, born)
        self._output(self._home.recovery_record, dump_record(record))
        self._recorder.record("backup of the keys", sealed=["wrapping key", "SO PIN", "keeper identity"],
                              wrapped=[key.name for key in record.wrapped])  # fmt: skip

    def _log_key(self, keys: tuple[KeyRecord, ...]) -> str:
        public = next(key.public for key in keys if key.name == LOG_KEY)
        return str(VerifierKey(self._plan.file.log.origin, public_key_der(public)[-32:]))

    def _write_public(self, trust: Trust, hsm: HsmConfig) -> None:
        for key in trust.keys:
            if key.openpgp:
                self._output(self._home.genesis / f"{key.name}.asc", key.openpgp.encode())
            if key.certificates:
                self._output(self._home.genesis / f"{key.name}.crt", key.certificates.encode())
        self._output(self._home.trust, dump_trust(trust))
        self._output(
            self._home.config, config_toml(hsm, self._plan.file.front.listen, self._plan.file.hsm.vendor_backup)
        )
        self._recorder.record("public keys", log_key=trust.log_key, openpgp=certificate_facts(trust.keys))

    def _begin_log(self, trust: Trust, transcript: bytes, signer: TokenSigner) -> None:
        plan, at = self._plan, self._at
        first: list[e.Entry] = [
            e.Genesis(at, trust.service, sha256_hex(transcript), FIRST_EPOCH, trust.keeper_key, trust.log_key,
                      trust.keys),
            e.PolicyAdopted(at, plan.policy, sha256_hex(plan.policy.encode())),
            e.RosterAdopted(at, plan.roster, sha256_hex(plan.roster.encode())),
        ]  # fmt: skip
        begin_log(self._home, trust.log_key, first, birth.log_sign(signer))
        make_folders(self._home)

    def _output(self, path: Path, data: bytes) -> None:
        self._outputs[str(path.relative_to(self._place.root))] = self._place.write(path, data)
