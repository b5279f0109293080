"""Structured logs: one JSON object a line on stderr. Messages are ours and fixed; no bodies, tokens or secrets."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

_EXTRA = ("rule", "request", "route", "status", "ms", "method")


class JsonLines(logging.Formatter):
    """Time (RFC 3339, UTC), level, process name, message, and the few named extras."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self._process,
            "message": record.getMessage(),
        }
        line.update({name: getattr(record, name) for name in _EXTRA if hasattr(record, name)})
        if record.exc_info and record.exc_info[0] is not None:
            # Type and place only: the text of an unexpected exception may hold what it worked on.
            line["exception"] = record.exc_info[0].__name__
            line["where"] = _where(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False)


def _where(traceback: Any) -> list[str]:
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 2)[-1]}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return places[-8:]


def log_to_stderr(process: str, level: int = logging.INFO) -> None:
    """Sets up logging for a process of the service."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "alembic", "dbos"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
