"""Two services on one home: the second one says why it cannot, and ends; the first one does not notice."""

from __future__ import annotations

import subprocess

from deploy.demo.world import World


def test_a_second_service_on_a_home_ends_and_says_why(service: World) -> None:
    second = subprocess.run(
        [service.stage.bin / "hsmpub", "serve", "--home", service.home, "--listen", "127.0.0.1:0"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "Another keeper runs on this home" in second.stderr
    assert second.stderr.endswith("Next: See above what the keeper said, mend that, and start again.\n")
    assert "is unsealed." in service.hsmpub("status")
