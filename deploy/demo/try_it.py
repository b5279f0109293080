"""A service of one's own to try things on: `make try`. Stays until Ctrl-C, and can be started again.

All of it is in `.try/`: home, people, papers, and `env`, which a shell reads. The first start holds the ceremonies.
With `--once` it signs a file and stops, which shows that it would have worked.
"""

from __future__ import annotations

import json
import shlex
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from deploy.demo import try_papers as papers
from deploy.demo.servers.issuer import Issuer
from deploy.demo.stage import PROJECT, DemoFailed, Stage
from deploy.demo.try_ceremonies import HOLDERS, PEOPLE, hold_ceremonies
from deploy.demo.world import Service


def main() -> int:
    console, root = Console(), PROJECT / ".try"
    fresh = not (root / "ready").exists()
    stage = Stage(root, console, fresh=fresh)
    signal.signal(signal.SIGTERM, stop)
    try:
        with start_issuer(root, fresh=fresh) as issuer:
            if fresh:
                with stage.act("Ceremonies, once"):
                    hold_ceremonies(stage, issuer)
            with Service(stage, root / "home", port=last_port(root)) as service:
                unseal(stage, service)
                if fresh:
                    adopt(stage, service, issuer)
                write_environment(stage, service, issuer)
                if "--once" in sys.argv[1:]:
                    stage.run("sh", "-c", ". ./env && hsmpub sign env --format sshsig && hsmpub verify env")
                    return 0
                show(service, console)
                service.wait()
                console.print(f"The service ended. Its own words are in {root / 'service.log'}", highlight=False)
                return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 0
    except DemoFailed as error:
        console.print(str(error), markup=False, highlight=False)
        return 1
    finally:
        stage.close()


def stop(*_: object) -> None:
    """What it started ends with it."""
    raise KeyboardInterrupt


def start_issuer(root: Path, *, fresh: bool) -> Issuer:
    """Where the policy has it, once there is one. Raises DemoFailed."""
    port = 0 if fresh else urlsplit((root / "issuer").read_text()).port or 0
    try:
        return Issuer.start(port=port)
    except OSError as error:
        raise DemoFailed(
            f"The issuer of identity tokens cannot listen at port {port}, where the policy has it: {error.strerror}.\n"
            f"Is 'make try' running already? Else stop what listens there, or remove {root} and start anew."
        ) from None


def last_port(root: Path) -> int:
    """Where the service was the last time, so that a shell that has read `env` finds it again; 0: not free, or none."""
    try:
        port = int((root / "port").read_text())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            probe.bind(("127.0.0.1", port))
    except (OSError, ValueError, OverflowError):
        return 0
    return port


def unseal(stage: Stage, service: Service) -> None:
    for name in HOLDERS:
        share, identity = stage.root / "home/genesis/shares" / f"{name}.age", stage.root / f"people/{name}.age-identity"
        _hsmpub(stage, service, "unseal", "--holder", name, "--share", share, "--identity", identity, "--yes")


def adopt(stage: Stage, service: Service, issuer: Issuer) -> None:
    """The policy with all keys: one person asks, the other approves."""
    (stage.root / "policy.toml").write_text(papers.whole_policy(issuer.url))
    _hsmpub(stage, service, "trust", "update")
    asker, approver = (("--person", name, "--key", stage.root / "people" / f"{name}.ssh") for name in PEOPLE)
    _hsmpub(stage, service, "policy", "adopt", stage.root / "policy.toml", *asker)
    [waiting] = json.loads(_hsmpub(stage, service, "release", "list", "--json"))
    _hsmpub(stage, service, "approve", waiting["request"], *approver, "--yes")
    (stage.root / "ready").touch()


def write_environment(stage: Stage, service: Service, issuer: Issuer) -> None:
    """What a shell needs to be a job and a person of this service, by the names that GitHub gives a job."""
    token = stage.root / "job-token"  # the same each time, so that a shell need not read `env` anew
    known = token.read_text() if token.exists() else ""
    job = issuer.job(
        request_token=known, repository="example/try", repository_id="1", ref="refs/heads/main", actor="ci-job"
    )
    write_secretly(token, job.request_token)
    settings = {
        **_settings(stage, service), **job.environment,
        "HSMPUB_PROJECT": "files", "TRY": str(stage.root),
    }  # fmt: skip
    (stage.root / "timestamps.toml").write_text(
        f'[[authority]]\nname = "own"\nurl = "{service.url}/v1/timestamp"\ncertificates = "ca/root.pem"\n'
    )
    (stage.root / "port").write_text(str(urlsplit(service.url).port))
    lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    write_secretly(stage.root / "env", "\n".join([*lines, f'export PATH={shlex.quote(str(stage.bin))}:"$PATH"', ""]))


def write_secretly(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def show(service: Service, console: Console) -> None:
    console.print(
        f"\n[bold]The service is unsealed at {service.url}[/bold], until Ctrl-C. In another terminal, here:\n"
        "    . .try/env\n"
        "    hsmpub status\n"
        "    hsmpub sign README.md --format sshsig --output /tmp\n"
        "docs/try.md has commands for every format. 'make try' starts it again as it was; removing .try forgets it.",
        highlight=False,
        soft_wrap=True,
    )


def _settings(stage: Stage, service: Service) -> dict[str, str]:
    return {"HSMPUB_URL": service.url, "HSMPUB_TRUST": str(stage.root / "home" / "trust.json")}


def _hsmpub(stage: Stage, service: Service, *arguments: str | Path) -> str:
    return stage.run(stage.bin / "hsmpub", *arguments, env=_settings(stage, service))


if __name__ == "__main__":
    sys.exit(main())
