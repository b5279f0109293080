"""Witnesses: people without a share who were there, and say so by signing the transcript's exact bytes with SSH keys.

The ceremony file names them, so the transcript does. Their signatures lie beside it, `transcript.witness-NAME.sig`,
made by `ssh-keygen -Y sign` in a namespace of their own.
"""

from __future__ import annotations

import msgspec

from hsmpub.errors import Forbidden, HsmpubError, NotFound
from hsmpub.formats.ssh.sshsig_verify import verify_sshsig
from hsmpub.transcript.check import TranscriptMalformed
from hsmpub.transcript.record import Transcript

WITNESS_NAMESPACE = "hsmpub-witness"


class WitnessUnknown(NotFound):
    advice = "Only people whom the ceremony file named as [[witness]] can witness its transcript."


class WitnessRefused(Forbidden):
    advice = "Compare with the witness: have them sign this very file again with the key that the ceremony file names."


class WitnessMissing(Forbidden):
    advice = "Have them sign it with 'hsmpub-ceremony witness', and put their signatures beside the transcript."


class Witness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """key: OpenSSH public key line."""

    name: str
    key: str


def named_witnesses(transcript: Transcript) -> dict[str, Witness]:
    """The witnesses of a checked transcript, by name. Raises TranscriptMalformed."""
    facts = transcript.steps[0].facts if transcript.steps else {}
    try:
        found = msgspec.convert(facts.get("witnesses", []), tuple[Witness, ...])
    except msgspec.ValidationError:
        raise TranscriptMalformed("The transcript does not say who its witnesses are.") from None
    return {witness.name: witness for witness in found}


def check_witness(transcript: Transcript, data: bytes, name: str, signature: bytes) -> None:
    """The named witness signed the transcript. data: its exact bytes, checked before.

    Raises:
        WitnessUnknown: the ceremony named nobody so. WitnessRefused: not this witness's, or not of these bytes.
    """
    witness = named_witnesses(transcript).get(name)
    if witness is None:
        raise WitnessUnknown(f"{name[:80]!r} is no witness of this ceremony.")
    try:
        verify_sshsig(signature, data, WITNESS_NAMESPACE, [witness.key], touch_only=True)
    except HsmpubError as error:
        raise WitnessRefused(f"The signature of {name} does not stand: {error.detail}") from None
