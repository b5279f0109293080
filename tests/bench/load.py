"""The load: CI jobs that sign hash states, one after the other, each in a session of its own. A process apart.

Reads its orders as one JSON object on stdin, writes `{"seconds": …, "signatures": …, "p50": …, "p99": …}`.
Speaks HTTP/1.1 over plain asyncio streams, so that the load takes as little as it can of the machine it measures.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import uvloop
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hsmpub.formats.sha256state import Sha256State
from hsmpub.model.submission import AskSign, HashState, dump_submission
from hsmpub.wire.session import bound_audience, request_mac, session_mac_key


class Client:
    """One session over one connection that stays open."""

    def __init__(self, url: str, job: dict[str, str], audience: str) -> None:
        self._place = urlsplit(url)
        self._counter = 0
        private = X25519PrivateKey.generate()
        key = private.public_key().public_bytes_raw()
        token = self._token(job, bound_audience(audience, key))
        answer = self._post(f"{url}/v1/sessions", {"token": token, "client_key": base64.b64encode(key).decode()})
        self._session = base64.b64decode(answer["session"])
        keeper = base64.b64decode(answer["keeper_key"])
        self._key = session_mac_key(private, keeper, session=self._session, client_key=key, keeper_key=keeper)

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._place.hostname, self._place.port)

    async def sign(self, body: bytes) -> None:
        self._counter += 1
        mac = request_mac(self._key, self._counter, body)
        head = (
            f"POST /v1/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Hsmpub-Session: {base64.b64encode(self._session).decode()}\r\nHsmpub-Counter: {self._counter}\r\n"
            f"Hsmpub-Mac: {base64.b64encode(mac).decode()}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        content = await self._reader.readexactly(length)
        if b" 200 " not in answer[:20]:
            raise RuntimeError(content.decode(errors="replace"))

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


def bodies(project: str, key: str, form: str, batch: int) -> list[bytes]:
    """A few bodies of `batch` files each, made beforehand."""
    made = []
    for number in range(8):
        states = []
        for n in range(batch):
            state: HashState = Sha256State.of(f"file {number} {n}".encode() * 20).to_state(f"file-{n}.bin")
            states.append(state)
        made.append(dump_submission(AskSign(project, (form,), key, tuple(states))))
    return made


async def work(client: Client, content: list[bytes], until: float, took: list[float]) -> None:
    await client.connect()
    number = 0
    while time.perf_counter() < until:
        began = time.perf_counter()
        await client.sign(content[number % len(content)])
        took.append(time.perf_counter() - began)
        number += 1


async def measure(order: dict[str, object], clients: list[Client]) -> dict[str, float]:
    content = bodies(str(order["project"]), str(order["key"]), str(order["format"]), int(str(order["batch"])))
    took: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(work(c, content, began + float(str(order["seconds"])), took) for c in clients))
    seconds = time.perf_counter() - began
    took.sort()
    return {
        "seconds": seconds,
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
