"""The load: CI jobs that sign hash states, one after the other, each in a session of its own. A process apart.

Reads its orders as one JSON object on stdin, writes `{"seconds": …, "cpu": …, "signatures": …, "p50": …, "p99": …}`.
Speaks HTTP/1.1 by hand, with requests that are made beforehand, so that the load takes as little as it can of the
machine it measures: CI jobs compute elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import sys
import time
from collections import deque
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec
import uvloop
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hsmpub.formats.registry import FORMATS
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model.attested import Attestation
from hsmpub.model.submission import AskSign, HashState, dump_submission
from hsmpub.wire.session import bound_audience, request_mac, session_mac_key

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
#: So many signatures are asked for by requests that are made in advance, by all clients together.
IN_ADVANCE = 16_384


class Client(asyncio.Protocol):
    """One session over one connection that stays open; asks again as soon as it is answered."""

    def __init__(self, url: str, job: dict[str, str], audience: str) -> None:
        self._place = urlsplit(url)
        self._counter = 0
        private = X25519PrivateKey.generate()
        key = private.public_key().public_bytes_raw()
        token = self._token(job, bound_audience(audience, key))
        answer = self._post(f"{url}/v1/sessions", {"token": token, "client_key": base64.b64encode(key).decode()})
        session = base64.b64decode(answer["session"])
        keeper = base64.b64decode(answer["keeper_key"])
        self._key = session_mac_key(private, keeper, session=session, client_key=key, keeper_key=keeper)
        self._head = (
            "POST /v1/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Hsmpub-Session: {answer['session']}\r\nContent-Length: "
        ).encode()
        self._answer = b""
        self._made: deque[tuple[bytes, bytes]] = deque()

    def prepare(self, content: list[bytes], count: int) -> None:
        """Makes so many requests in advance."""
        self._content = content
        self._made.extend(self._make() for _ in range(count))

    async def run(self, until: float, took: list[float]) -> None:
        """Asks and asks until the time is over."""
        loop = asyncio.get_running_loop()
        self._until, self._took = until, took
        self._done: asyncio.Future[None] = loop.create_future()
        transport, _ = await loop.create_connection(lambda: self, self._place.hostname, self._place.port)
        self._transport = cast(asyncio.Transport, transport)
        self._ask()
        await self._done
        self._transport.close()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        if self._began >= self._until:
            self._done.set_result(None)
            return
        self._transport.writelines(self._made.popleft() if self._made else self._make())

    def _make(self) -> tuple[bytes, bytes]:
        """Head and body of the next request."""
        self._counter += 1
        body = self._content[self._counter % len(self._content)]
        mac = binascii.b2a_base64(request_mac(self._key, self._counter, body), newline=False)
        head = b"%b%d\r\nHsmpub-Counter: %d\r\nHsmpub-Mac: %b\r\n\r\n" % (self._head, len(body), self._counter, mac)
        return head, body

    def data_received(self, data: bytes) -> None:
        self._answer += data
        end = self._answer.find(b"\r\n\r\n")
        length = _LENGTH.search(self._answer, 0, end + 2) if end > 0 else None
        if length is None or len(self._answer) < end + 4 + int(length[1]):
            return
        if b" 200 " not in self._answer[:20]:
            self._done.set_exception(RuntimeError(self._answer.decode(errors="replace")))
            return
        self._took.append(time.perf_counter() - self._began)
        self._answer = b""
        self._ask()

    @staticmethod
    def _token(job: dict[str, str], audience: str) -> str:
        url = f"{job['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={audience.replace('#', '%23')}"
        request = Request(url, headers={"Authorization": f"Bearer {job['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"})
        with urlopen(request) as answer:
            return str(json.load(answer)["value"])

    @staticmethod
    def _post(url: str, body: object) -> dict[str, str]:
        request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request) as answer:
            return dict(json.load(answer))


def bodies(project: str, key: str, form: str, batch: int, sample: bytes | None = None, image: str = "",
           attest: Attestation | None = None) -> list[bytes]:  # fmt: skip
    """A few bodies of `batch` files each, made beforehand. sample: a file that the format is made for, instead."""
    made, details = [], {}
    if sample is not None and FORMATS[form].detail_limit:
        details[form] = FORMATS[form].extract(BytesSource(sample))
    for number in range(8):
        states = []
        for n in range(batch):
            data = f"file {number} {n}".encode() * 20 if sample is None else sample
            state: HashState = Sha256State.of(data).to_state(f"file-{n}.bin")
            states.append(HashState(state.name, state.h, state.tail, state.size, details, image))
        made.append(dump_submission(AskSign(project, (form,), key, tuple(states), (), attest)))
    return made


async def measure(order: dict[str, object], clients: list[Client]) -> dict[str, float]:
    sample = None if order["sample"] is None else bytes.fromhex(str(order["sample"]))
    attest = msgspec.convert(order.get("attest"), Attestation | None)
    content = bodies(str(order["project"]), str(order["key"]), str(order["format"]), int(str(order["batch"])), sample,
                     str(order.get("image", "")), attest)  # fmt: skip
    took: list[float] = []
    for client in clients:
        client.prepare(content, IN_ADVANCE // len(clients) // int(str(order["batch"])))
    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(c.run(began + float(str(order["seconds"])), took) for c in clients))
    seconds, used = time.perf_counter() - began, time.process_time() - used
    took.sort()
    return {
        "seconds": seconds,
        "cpu": used,
        "signatures": len(took) * int(str(order["batch"])),
        "p50": took[len(took) // 2],
        "p99": took[int(len(took) * 0.99)],
    }


def main() -> None:
    order = json.loads(Path("/dev/stdin").read_bytes())
    clients = [Client(order["url"], order["job"], order["audience"]) for _ in range(order["clients"])]
    json.dump(uvloop.run(measure(order, clients)), sys.stdout)


if __name__ == "__main__":
    main()
