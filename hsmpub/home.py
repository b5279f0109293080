"""Where a service keeps its things: one folder, `home`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """Paths below one home. Only names them: makes and reads nothing."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def trust(self) -> Path:
        """Public pins: what holders, CI and verifiers keep a copy of."""
        return self.root / "trust.json"

    @property
    def genesis(self) -> Path:
        return self.root / "genesis"

    @property
    def keeper(self) -> Path:
        """Only the keeper's user may read below here (0700)."""
        return self.root / "keeper"

    @property
    def identity_key(self) -> Path:
        """Ed25519 seed of the keeper's identity, 32 raw bytes."""
        return self.keeper / "identity.key"

    @property
    def unseal_record(self) -> Path:
        return self.keeper / "unseal.json"

    @property
    def recovery_record(self) -> Path:
        return self.keeper / "recovery.json"

    @property
    def pending_sets(self) -> Path:
        """Sets of shares that a reshare made and that wait for their holders."""
        return self.keeper / "pending.json"

    @property
    def confirmations(self) -> Path:
        """Holders' signatures that their shares are the ones that were made, of every set that counts."""
        return self.keeper / "confirmations.json"

    @property
    def ceremony_journal(self) -> Path:
        """There while a ceremony changes this home: the keeper does not start then."""
        return self.keeper / "ceremony.json"

    @property
    def ceremonies(self) -> Path:
        """Transcript and outputs of each ceremony after the genesis, in a folder `<number>-<ceremony>`."""
        return self.root / "ceremonies"

    @property
    def log_head(self) -> Path:
        return self.keeper / "head"

    @property
    def sealed_credentials(self) -> Path:
        return self.keeper / "sealed"

    @property
    def headers(self) -> Path:
        """Headers of encrypted files: of requests that wait, and made by requests that were approved."""
        return self.keeper / "headers"

    @property
    def softhsm_conf(self) -> Path:
        return self.keeper / "softhsm2.conf"

    @property
    def tokens(self) -> Path:
        return self.keeper / "tokens"

    @property
    def hsm_lock(self) -> Path:
        return self.keeper / "hsm.lock"

    @property
    def log(self) -> Path:
        return self.root / "log" / "log.sqlite"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def courier(self) -> Path:
        return self.root / "courier"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def serve_lock(self) -> Path:
        """Held by the one supervisor of this home."""
        return self.run / "serve.lock"

    @property
    def front_socket(self) -> Path:
        return self.run / "front.sock"

    @property
    def courier_socket(self) -> Path:
        return self.run / "courier.sock"
