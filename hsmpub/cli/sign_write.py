"""What came of routine signatures, written beside the files or into them, once the log is known to hold it."""

from __future__ import annotations

from pathlib import Path

from hsmpub.cli.refusals import Refusals, problem_of
from hsmpub.cli.say import say
from hsmpub.client.client import Client
from hsmpub.client.embedding import stamped, write_signed
from hsmpub.client.outputs import write_whole
from hsmpub.client.signing import Made
from hsmpub.client.timestamp import Timestamps, token_for
from hsmpub.client.trust import pinned_key
from hsmpub.errors import HsmpubError, Unavailable
from hsmpub.formats.registry import FORMATS, get_format
from hsmpub.receipt.model import SUFFIX


def write_made(
    client: Client, batch: list[Made], output: Path | None, stamps: Timestamps | None, refused: Refusals
) -> None:
    """1. says what was not made, 2. gets the batch's receipt, 3. checks that the log holds every output, 4. writes them
    file by file.

    A receipt that is only late keeps no signature back; one that does not verify keeps back all.
    """
    for one in batch:
        for problem in one.problems:
            refused.add(one.path, problem)
    batch = [one for one in batch if one.outputs]
    if not batch:
        return  # where nothing was made there is no receipt
    receipt, late = b"", None
    try:
        receipt = client.receipt_of(batch)
    except HsmpubError as e:
        late = problem_of(e)
        if late.family != Unavailable.family:
            for one in batch:
                refused.add(one.path, late)
            return
    for one in batch:
        if late:
            refused.add(one.path, late)
        try:
            write_one(client, one, output or one.path.parent, receipt, stamps)
        except HsmpubError as e:
            refused.add(one.path, problem_of(e))


def write_one(client: Client, made: Made, folder: Path, receipt: bytes, stamps: Timestamps | None) -> None:
    inside = {one.name for one in made.embedded}
    forms = {form.output_name(made.path.name): form for form in FORMATS.values()}
    tokens = {name: token_for(output, forms[name], stamps) for name, output in made.outputs.items()}
    for name, content in made.outputs.items():
        if name not in inside:
            say(str(write_whole(folder, name, stamped(content, tokens[name], forms[name]))))
    for one in made.embedded:
        form, key = get_format(one.format), pinned_key(client.trust, one.key)
        say(str(write_signed(made.path, folder, made.hash, one.output, form, key, tokens[one.name], made.seen)))
    if made.outputs and receipt:
        write_whole(folder, f"{made.path.name}{SUFFIX}", receipt)
