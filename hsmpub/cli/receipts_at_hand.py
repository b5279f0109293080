"""Several receipts at once, as `hsmpub sign` leaves them in a folder: which files belong to which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hsmpub.client.finding import signed_by
from hsmpub.errors import Invalid
from hsmpub.receipt.model import SUFFIX


class FileOfNoReceipt(Invalid):
    advice = "Name its receipt too, or verify it alone: by the pins, where it has none."


def share_out(
    files: Sequence[Path], receipts: Mapping[Path, bytes], names_in: Callable[[bytes], frozenset[str]]
) -> dict[bytes, list[Path]]:
    """The files of each receipt, by the receipt's bytes; every file is in some.

    `sign` writes FILE.receipt.json over that of an earlier request, so the receipt beside a file counts for it and its
    signatures, and not one beside another file that names it, too. A file without one is for all that name it.

    Args:
        names_in: names of the files and signatures that a receipt is about; raises where it does not verify.

    Raises:
        FileOfNoReceipt: and what `names_in` raises.
    """
    shares: dict[bytes, list[Path]] = {data: [] for data in receipts.values()}
    named = {data: names_in(data) for data in shares}
    for path in files:
        if path in receipts:
            continue
        of = signed_by(path) or path
        beside = receipts.get(of.with_name(of.name + SUFFIX))
        owners = [beside] if beside is not None else [data for data, names in named.items() if path.name in names]
        if not owners:
            raise FileOfNoReceipt(f"{path.name!r} is in none of the {len(shares)} receipts.")
        for data in owners:
            shares[data].append(path)
    return shares
