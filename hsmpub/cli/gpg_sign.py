"""What `hsmpub-gpg` asks of the service. It has no options of its own, so it is told by variables:

    HSMPUB_URL, HSMPUB_TRUST, HSMPUB_CA_FILE, HSMPUB_PROJECT, HSMPUB_TOKEN_COMMAND, HSMPUB_TOKEN_FILE, HSMPUB_AUDIENCE
                          as of `hsmpub sign`
    HSMPUB_GPG_RECEIPTS   a folder that keeps the receipt of each signature, under the signature's digest

What is given out was checked against the pinned key and found in the log, as with `hsmpub sign`.
"""

from __future__ import annotations

import os
from pathlib import Path

from hsmpub.cli.options import DEFAULT_URL, connect_ci
from hsmpub.cli.say import note
from hsmpub.client.client import Client
from hsmpub.client.outputs import write_whole
from hsmpub.client.receipts import check_receipt
from hsmpub.client.signing import Work
from hsmpub.errors import Invalid, Unavailable
from hsmpub.model.digest import sha256_hex
from hsmpub.receipt.model import SUFFIX


class ProjectMissing(Invalid):
    advice = "Set HSMPUB_PROJECT to the project of the policy that lets you sign."


def sign_by_service(work: Work, key: str) -> bytes:
    """One signature. Raises ProjectMissing, NoTokenSource, and what `hsmpub sign` refuses with."""
    setting = os.environ.get
    project = setting("HSMPUB_PROJECT", "")
    if not project:
        raise ProjectMissing("No project is named to sign for.")
    trust, ca_file, token = (env_path(name) for name in ("HSMPUB_TRUST", "HSMPUB_CA_FILE", "HSMPUB_TOKEN_FILE"))
    with connect_ci(setting("HSMPUB_URL", DEFAULT_URL), trust, ca_file, command=setting("HSMPUB_TOKEN_COMMAND", ""),
                    file=token, audience=setting("HSMPUB_AUDIENCE", "")) as client:  # fmt: skip
        [made] = client.sign_batch([work], project, key)
        if made.problems:
            raise made.problems[0].as_error()
        [output] = made.outputs.values()
        _keep_receipt(client, made.entry, output)
    return output


def _keep_receipt(client: Client, entry: int, output: bytes) -> None:
    """The log holds the signature; its receipt is kept where HSMPUB_GPG_RECEIPTS says. A late one is only noted."""
    try:
        receipt = client.routine_receipt(entry)
    except Unavailable as e:
        note(f"hsmpub-gpg: the receipt is late: {e.detail}")
        return
    check_receipt(receipt, client.trust, [sha256_hex(output)])
    folder = env_path("HSMPUB_GPG_RECEIPTS")
    if folder is not None:
        write_whole(folder, f"{sha256_hex(output)}{SUFFIX}", receipt)


def env_path(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None
