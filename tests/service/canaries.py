"""Secrets that the test knows, in every form in which they could lie around."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

from deploy.demo import acts
from deploy.demo.world import World
from hsmpub.shares.derive import check_secret, open_pin
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.record_file import load_unseal_record
from hsmpub.shares.slip39 import canonical, combine_shares, read_share


@dataclass(frozen=True)
class Canary:
    """name: for messages, which never show the secret."""

    name: str
    secret: bytes

    def forms(self) -> Iterator[bytes]:
        """Raw, hex, base64 (wherever it may begin in a longer text), URL-encoded, UTF-16."""
        yield self.secret
        yield self.secret.hex().encode()
        yield self.secret.hex().upper().encode()
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            for shift in range(3):
                whole = encode(b"\0" * shift + self.secret)
                yield whole[4 if shift else 0 : -4]
        if self.secret.isascii():
            yield quote_plus(self.secret.decode()).encode()
            yield self.secret.decode().encode("utf-16-le")


def canaries_of(world: World) -> list[Canary]:
    """What three holders together can open: their words, the secret of the quorum, the token's PIN."""
    record = load_unseal_record((world.home / "keeper" / "unseal.json").read_bytes())
    words = []
    for holder in world.people.holders[:3]:
        file = acts.share_of(world.home, holder).read_bytes()
        words.append(canonical(open_share_file(file, bytearray(holder.identity.read_bytes()))))
    secret = combine_shares([read_share(bytearray(one)) for one in words], record.layout)
    check_secret("unseal", record.epoch, secret, record.check)
    pin = open_pin(secret, record.epoch, bytes.fromhex(record.pin_box))
    shares = [Canary(f"words of {h.name}", bytes(w)) for h, w in zip(world.people.holders, words, strict=False)]
    # some of the words alone would be too much
    parts = [Canary(f"part of the {s.name}", b" ".join(s.secret.split()[4:10])) for s in shares]
    return [Canary("the PIN", bytes(pin)), Canary("the quorum's secret", bytes(secret)), *shares, *parts]


def found_in(pieces: Iterable[tuple[str, bytes]], canaries: Iterable[Canary]) -> list[str]:
    """Where which canary was met."""
    forms = [(canary.name, form) for canary in canaries for form in canary.forms()]
    return [f"{name} in {where}" for where, data in pieces for name, form in forms if form in data]


def files(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below, with its name, which counts as well."""
    for path in root.rglob("*"):
        yield f"the name {path}", str(path).encode()
        if path.is_file():
            yield str(path), path.read_bytes()
