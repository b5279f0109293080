"""One target under atheris: python -m tests.fuzz.one TARGET [options of libFuzzer] CORPUS…"""

from __future__ import annotations

import sys
import warnings

import atheris

with atheris.instrument_imports(include=["hsmpub"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    warnings.simplefilter("error")  # as in the tests
    program, name, *options = sys.argv
    atheris.Setup([program, *options], TARGETS[name].run)
    atheris.Fuzz()


main()
