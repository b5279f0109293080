"""A whole service on a module that is not SoftHSM's and that opens connections: from genesis to a signature."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from deploy.demo.servers.issuer import Issuer
from hsmpub.hsm.softhsm import softhsm_conf_text
from tests.box import genesis, make_world, running
from tests.hsm.faulty import Faults, compile_module

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"


def test_a_service_runs_on_a_module_that_opens_connections(tmp_path: Path, issuer: Issuer) -> None:
    (tmp_path / "tokens").mkdir()
    conf = tmp_path / "softhsm2.conf"
    conf.write_text(softhsm_conf_text(tmp_path / "tokens"))
    world = make_world(tmp_path / "world", issuer)
    module = compile_module(tmp_path, SOFTHSM)
    with socket.create_server(("127.0.0.1", 0)) as hsm:
        Faults(tmp_path / "tokens").are(connect=hsm.getsockname()[1])
        try:
            genesis(world, hsm=f'module = "{module}"\nnetwork = true\nenvironment = {{ SOFTHSM2_CONF = "{conf}" }}\n')
            assert "network = true" in (world.home / "config.toml").read_text()
            with running(world):
                file = tmp_path / "snapshot.tar"
                file.write_bytes(b"nightly")
                claims = world.ci(repository="example/nightly", ref="refs/heads/main")
                world.hsmpub("sign", file, "--project", "nightly", "--format", "sshsig", env=claims)
                receipt = f"{file}.receipt.json"
                world.stage.run(
                    world.stage.bin / "hsmpub", "verify", receipt, file, f"{file}.sig", "--trust", world.trust
                )
                status = json.loads(world.hsmpub("status", "--json"))
                assert any("signer: tcp" in warning for warning in status["warnings"])
        finally:
            world.stage.close()
