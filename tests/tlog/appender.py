"""A process that appends to a log and says what was acknowledged, one `ack INDEX` a line: to be killed or traced.

    python appender.py FOLDER thread|process CALLERS EACH [FILE-SIZE-LIMIT]

The second says who commits. With a limit of file sizes, it is set for who commits after the log was opened, lifted when
the first refusal was printed, and one more entry follows.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

from logs import Place

from hsmpub.errors import Unavailable


def say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


async def main(folder: str, apart: bool, callers: int, each: int, limit: int) -> None:
    place = Place(Path(folder), apart)
    log = place.open() if place.db.exists() else place.create(1)
    say(f"size {log.size}")

    async def caller(name: int) -> None:
        for i in range(each):
            say(f"ack {await log.append([b'caller %d entry %d ' % (name, i) + b'.' * 500])}")

    async def until_refused() -> None:
        writer = log.writer_pid or os.getpid()
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.prlimit(writer, resource.RLIMIT_FSIZE, (limit, hard))
        try:
            while True:
                say(f"ack {await log.append([b'.' * 60_000])}")
        except Unavailable as refused:
            say(f"refused {refused.rule}")
        size = log.size
        for _ in range(3):
            try:
                await log.append([b"." * 60_000])
            except Unavailable:
                assert log.size == size
        resource.prlimit(writer, resource.RLIMIT_FSIZE, (hard, hard))
        say(f"ack {await log.append([b'room again'])}")
        assert log.size == size + 1
        assert log.read(size) == b"room again"

    if limit:
        await until_refused()
    else:
        await asyncio.gather(*[caller(name) for name in range(callers)])
    log.close()
    say("end")


if __name__ == "__main__":
    where, who, *numbers = sys.argv[1:]
    asyncio.run(main(where, who == "process", *map(int, [*numbers, "0"][:3])))
