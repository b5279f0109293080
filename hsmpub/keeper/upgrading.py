"""The keeper goes on in new code: it becomes the new program by exec, and hands itself the PIN in secret memory.

Old process: 1 is it permitted, for the code that lies there now? 2 does that code start at all? 3 the PIN goes into a
page that only this process and what it turns into have; 4 everything is closed; 5 exec.
New process: 6 hardened before it looks; 7 is there a permission in the log, unused, in time, for this very code?
8 `Resumed` is durable, which uses it up; 9 the signers log in. Anything else: it is sealed, and the PIN is wiped.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from hsmpub.errors import Conflict, HsmpubError, Unavailable
from hsmpub.keeper.book import Book
from hsmpub.keeper.permitting import Permitting
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.sandbox import code_digest, hidden_python_command, python_command
from hsmpub.secret.page import SecretPage

log = logging.getLogger("hsmpub.keeper")

PROGRAM = "hsmpub.keeper.main"
#: The kernel stacks what each program gives up, sixteen times at most, and the keeper's children need some of it.
MAX_GENERATIONS = 10
TRY_SECONDS = 60.0


class NextDoesNotStart(Unavailable):
    advice = "See what it said, put that right, and try again; the service goes on in the code that runs."
    retry_is_safe = False


class UpgradedTooOften(Conflict):
    advice = "Restart the keeper once, and let holders unseal it."


class NoSecretMemory(Unavailable):
    advice = "Restart the keeper and let holders unseal it: this kernel has no memory in which the PIN could wait."
    retry_is_safe = False


class Upgrading:
    """generation: how often this keeper has gone on in new code since it was started.

    on_resumed: called with the indexes of the permission's and the resumption's entries.
    """

    def __init__(
        self, book: Book, unsealing: Unsealing, permitting: Permitting, home: Path, generation: int,
        on_resumed: Callable[[int, int], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._book = book
        self._unsealing = unsealing
        self._permitting = permitting
        self._home = home
        self._generation = generation
        self._on_resumed = on_resumed

    async def check(self) -> None:
        """Steps 1 and 2. While sealed no permission is needed: nothing is handed over.

        Raises:
            UpgradeNotPermitted, UpgradedTooOften, NextDoesNotStart.
        """
        if self._unsealing.is_unsealed:
            self._permitting.find(code_digest())
        if self._generation >= MAX_GENERATIONS:
            raise UpgradedTooOften(f"The keeper went on in new code {self._generation} times since it was started.")
        process = await asyncio.create_subprocess_exec(
            *python_command(PROGRAM), str(self._home), "--try",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(TRY_SECONDS):
                status = await process.wait()
        except TimeoutError:
            process.kill()
            status = await process.wait()
        if status != 0:
            raise NextDoesNotStart(f"The code that lies there now does not start (status {status}).")

    def hand_over(self, token_fd: int) -> list[str]:
        """Step 3, after which the keeper is closed and must become the program of the returned command.

        token_fd: inheritable, with the courier channel's token; or -1.

        Raises:
            NoSecretMemory: nothing was handed over.
        """
        command = [*hidden_python_command(PROGRAM), str(self._home), "--generation", str(self._generation + 1)]
        if token_fd >= 0:
            command += ["--courier-token-fd", str(token_fd)]
        pin = self._unsealing.pin
        if pin is None:
            return command
        try:
            return [*command, "--resume-fd", str(pin.hand_over())]
        except OSError as error:
            raise NoSecretMemory(f"The kernel gives no secret memory: {error.strerror}.") from error

    async def resume(self, fd: int) -> None:
        """Steps 7 to 9. Whatever goes wrong, the service is sealed then, and the log says why."""
        page = SecretPage()
        try:
            page.take_over(fd)
            code = self._permitting.running
            async with self._book.turn():
                name = self._permitting.find(code)
                permitted = self._book.state.permitted_at[name]
                index = await self._book.record(e.Resumed(self._book.now(), name, code))
            await self._unsealing.resume(page)
            await self._on_resumed(permitted, index)
            log.info("went on in the code %s… by the permission %s", code[:16], name)
        except (HsmpubError, OSError, ValueError) as error:
            rule = error.rule if isinstance(error, HsmpubError) else "nothing-to-resume"
            detail = error.detail if isinstance(error, HsmpubError) else "What was handed over is not a PIN."
            await self._stay_sealed(rule, f"it was started in new code, sealed: {detail}")
        finally:
            if not self._unsealing.is_unsealed:
                page.close()

    async def _stay_sealed(self, rule: str, reason: str) -> None:
        log.warning("%s", reason, extra={"rule": rule})
        self._unsealing.why = f"Sealed: {reason}"
        if self._book.state.opened is None:
            return
        try:
            async with self._book.turn():
                await self._book.record(e.SealedBy(self._book.now(), reason, rule=rule))
        except HsmpubError as error:
            log.warning("the log could not take the sealing: %s", error.detail, extra={"rule": error.rule})


def token_pipe(token: bytes) -> int:
    """The courier channel's token in a pipe that the next program inherits; -1 where there is none."""
    if not token:
        return -1
    reading, writing = os.pipe()
    os.write(writing, token)
    os.close(writing)
    os.set_inheritable(reading, True)
    return reading
