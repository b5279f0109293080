"""Signatures of witnesses, beside the transcript that they are of."""

from __future__ import annotations

import re
from pathlib import Path

from ceremony.inputs import read_file
from hsmpub.transcript.record import Transcript
from hsmpub.transcript.witness import WitnessMissing, check_witness, named_witnesses

_NAME = re.compile(r"\.witness-([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.sig")
_MAX_BYTES = 8192


def signature_path(transcript: Path, name: str) -> Path:
    """`transcript.json` → `transcript.witness-NAME.sig`."""
    return transcript.with_name(f"{transcript.stem}.witness-{name}.sig")


def check_witnesses(path: Path, data: bytes, transcript: Transcript, *, required: bool) -> tuple[str, ...]:
    """Every signature of a witness beside a checked transcript. Returns: who has witnessed.

    required: at least one witness is named, and each of them has signed.

    Raises:
        WitnessUnknown, WitnessRefused: one signature is not what its name says.
        WitnessMissing: somebody has not signed.
    """
    signed = []
    for found in sorted(path.parent.glob(f"{path.stem}.witness-*.sig")):
        match = _NAME.fullmatch(found.name.removeprefix(path.stem))
        name = match[1] if match else found.name
        check_witness(transcript, data, name, read_file(found, _MAX_BYTES))
        signed.append(name)
    named = named_witnesses(transcript)
    if required and not named:
        raise WitnessMissing("The ceremony named no witness.", next_step="Name them in the ceremony file: [[witness]].")
    if required and (missing := sorted(set(named) - set(signed))):
        raise WitnessMissing(f"Not witnessed yet by {', '.join(missing)}.")
    return tuple(signed)
