"""Times as the policy writes them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

MIN_EXPIRY, MAX_EXPIRY = 60, 90 * 86_400
MAX_DAYS = 730
#: How long a request waits for approvals where the policy does not say.
DEFAULT_EXPIRY = 72 * 3600
_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_LONG = re.compile(r"([1-9][0-9]{0,5})([mhd])")


def parse_period(value: Any) -> Any:
    """`"72h"`, `"30m"`, `"7d"` as seconds."""
    seconds = _seconds(value)
    if not MIN_EXPIRY <= seconds <= MAX_EXPIRY:
        raise ValueError("a time lies between a minute and 90 days")
    return seconds


def parse_long_period(value: Any) -> Any:
    """The same, up to two years: for certificates."""
    seconds = _seconds(value)
    if seconds > MAX_DAYS * 86_400:
        raise ValueError(f"a certificate is valid for {MAX_DAYS} days at most")
    return seconds


def parse_days(value: Any) -> Any:
    """`"180d"` as seconds."""
    match = re.fullmatch(r"([1-9][0-9]{0,3})d", value) if isinstance(value, str) else None
    if match is None or int(match[1]) > MAX_DAYS:
        raise ValueError(f'a long time is written in days, such as "180d", up to {MAX_DAYS}')
    return int(match[1]) * 86_400


def _seconds(value: Any) -> int:
    match = _LONG.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a time is written as text, such as "72h", "30m" or "7d"')
    return int(match[1]) * _UNITS[match[2]]


def at_most(seconds: int, words: str) -> AfterValidator:
    """For a time that is bounded more tightly; words: the bound."""

    def check(value: int) -> int:
        if value > seconds:
            raise ValueError(f"{words} is the most")
        return value

    return AfterValidator(check)


Period = Annotated[int, BeforeValidator(parse_period)]
LongPeriod = Annotated[int, BeforeValidator(parse_long_period)]
Days = Annotated[int, BeforeValidator(parse_days)]
