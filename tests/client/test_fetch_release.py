"""What is fetched of a release is of that release: whoever answers cannot give another one's in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_keeper import view

from hsmpub.client.asks import Asks
from hsmpub.client.receipts import ReceiptOfAnother
from hsmpub.client.steps import Call, Local, Step, run_steps
from hsmpub.model import entry as e
from hsmpub.model.trust import Trust
from tests.receipt import story

TRUST = Trust(story.SERVICE, str(story.LOG_KEY), "00" * 32, (story.KEY,))


def test_the_receipt_of_another_release_is_not_taken_for_this_one_s(tmp_path: Path) -> None:
    """It verifies, and so do its signatures: over files that may have the same names, of an older version."""
    told, into = story.release(), tmp_path / "made"
    receipt, asked = story.told(tmp_path, told), []
    outputs = {one.name: one.content for made in told.values() if isinstance(made, e.Signed) for one in made.outputs}
    into.mkdir()

    def front(step: Step) -> Any:
        if isinstance(step, Local):
            return step.work()
        assert isinstance(step, Call)
        asked.append(step.path)
        if step.path.endswith("/receipt"):
            return receipt
        return outputs[step.path.rpartition("/")[2]] if "/outputs/" in step.path else view(state="done", missing={})

    with pytest.raises(ReceiptOfAnother):
        run_steps(Asks(TRUST).fetch_release("r2", into), front)
    assert [*into.iterdir()] == []
