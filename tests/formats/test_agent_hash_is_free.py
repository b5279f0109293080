"""Who has an SSH agent's structure signed chooses the hash in it freely, and so the last bytes of what is signed: where
OpenPGP has its own. What fits both is why no key makes both."""

from __future__ import annotations

import pytest
from software_hsm import CREATED_AT, artifact_of, key_record, sign_raw

from hsmpub.formats.context import Context
from hsmpub.formats.openpgp.detached import OpenPgp
from hsmpub.formats.openpgp.packet import armor
from hsmpub.formats.openpgp.signature import (
    BINARY_DOCUMENT,
    assemble_signature,
    prepare_signature,
    signature_head,
    trailer,
)
from hsmpub.formats.purposes import PurposesMixed, check_purposes, family_of
from hsmpub.formats.registry import get_format
from hsmpub.formats.ssh.sshsig_agent import to_be_signed

AT = CREATED_AT + 1  # any time


def test_a_signature_that_an_agent_is_asked_for_can_be_one_of_openpgp_so_no_key_makes_both() -> None:
    agent, openpgp = key_record("p256", "ssh-agent-file"), key_record("p256", "openpgp")
    head = signature_head(openpgp, BINARY_DOCUMENT, AT)
    end = trailer(head)
    blob = to_be_signed("file", "sha512", b"what I like to say".rjust(64 - len(end)) + end)
    form = get_format("ssh-agent-file")
    prepared = form.prepare(artifact_of(blob, "x", form), agent, Context(at=2 * AT))
    raw = sign_raw(prepared)
    made = armor("SIGNATURE", assemble_signature(prepare_signature(prepared.payload, head, openpgp), raw))
    document = blob[: -len(end)]
    OpenPgp().check(made, artifact_of(document, "x", OpenPgp()), openpgp)  # the same key, as one would have it
    for other in ("openpgp", "sshsig", "dsse", "openpgp-cleartext"):
        with pytest.raises(PurposesMixed):
            check_purposes(key_record("p256", "ssh-agent-file", other))
    assert family_of("ssh-agent-file") == {"ssh-agent-file"}
