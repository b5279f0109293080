"""Steps carried out one after the other, over HTTP to the front."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

from hsmpub.client.address import add_piece, options, unreachable
from hsmpub.client.steps import Call, Local, Pieces, Step, Steps, read_bytes, run_steps

T = TypeVar("T")


class Http:
    """One service. Safe to use from several threads.

    Args: see hsmpub.client.address.options.
    """

    def __init__(self, url: str, *, ca_file: Path | None = None, timeout: float = 90.0) -> None:
        self._client = httpx.Client(**options(url, ca_file, timeout))
        self.url = url.rstrip("/")

    def run(self, steps: Steps[T]) -> T:
        """Carries the steps out. Raises what they raise, and ServiceUnreachable."""
        return run_steps(steps, self._carry_out)

    def raw(self, method: str, path: str, *, content: bytes | Pieces | None = None,
            headers: Mapping[str, str] | None = None, params: Mapping[str, Any] | None = None) -> bytes:  # fmt: skip
        """Sends and returns the answer's exact bytes.

        Raises:
            Refused: the service's own refusal, with its sentences.
            ServiceUnreachable, AnswerNotUnderstood.
        """
        return self._send(Call(method, path, read_bytes, content, headers or {}, params or {}))

    def close(self) -> None:
        self._client.close()

    def _carry_out(self, step: Step) -> Any:
        if isinstance(step, Call):
            return self._send(step)
        if isinstance(step, Local):
            return step.work()
        return time.sleep(step.seconds)

    def _send(self, call: Call[T]) -> T:
        held = bytearray()
        try:
            with self._client.stream(
                call.method, call.path, content=call.content, headers=call.headers, params=call.params
            ) as answer:
                for piece in answer.iter_bytes():
                    add_piece(held, piece)
        except httpx.TransportError as e:
            raise unreachable(self.url, e) from None
        return call.read(answer.status_code, bytes(held))
