"""Plays the demo: `make demo`. Leaves `.demo/` to look at, and nothing running."""

from __future__ import annotations

import secrets
import sys
import time
from contextlib import ExitStack

from rich.console import Console

from deploy.demo import acts
from deploy.demo.people import gather
from deploy.demo.servers.devpi import Devpi
from deploy.demo.servers.git_http import GitServer
from deploy.demo.servers.issuer import Issuer
from deploy.demo.stage import PROJECT, DemoFailed, Stage
from deploy.demo.world import Service, World


def main() -> int:
    console = Console()
    stage = Stage(PROJECT / ".demo", console)
    began = time.monotonic()
    try:
        with ExitStack() as stack:
            world = set_the_stage(stage, stack)
            play(world)
    except DemoFailed as error:
        console.print(f"[red]The demo stopped.[/red] Everything that ran is in {stage.root / 'commands.log'}")
        console.print(str(error), markup=False, highlight=False)
        return 1
    finally:
        stage.close()
    console.print(f"\n[bold]Done in {time.monotonic() - began:.0f} s; nothing is left running.[/bold]")
    show(world, console)
    return 0


def set_the_stage(stage: Stage, stack: ExitStack) -> World:
    """The world outside: a CI issuer, a package index and a git server, each real and on loopback."""
    with stage.act("The world outside"):
        index_password, git_password = secrets.token_hex(16), secrets.token_hex(16)
        world = World(
            stage=stage,
            people=gather(stage),
            issuer=stack.enter_context(Issuer.start()),
            index=stack.enter_context(Devpi(stage.root / "index", password=index_password)),
            git=stack.enter_context(GitServer(stage.root / "git", password=git_password)),
            home=stage.root / "home",
            index_password=index_password.encode(),
            git_password=git_password.encode(),
        )
        stage.say("CI issuer, PyPI-compatible index and git server run on loopback")
    return world


def play(world: World) -> None:
    stage, holders = world.stage, world.people.holders
    with stage.act("1 Genesis ceremony"):
        acts.genesis(world)
    with Service(stage, world.home) as world.service:
        with stage.act("2 Unseal"):
            acts.unseal(world, world.home, holders[:3])
            acts.seal_credentials(world)
        with stage.act("3 CI submits"):
            acts.build(world)
            acts.submit(world)
        with stage.act("4 Approvers co-sign"):
            acts.co_sign(world)
        with stage.act("5 Sign and publish"):
            acts.publish(world)
        with stage.act("6 Anybody checks"):
            acts.check(world)
        with stage.act("7 Routine signing"):
            acts.routine(world)
        with stage.act("8 Drill"):
            acts.drill(world)
    world.service = None
    with stage.act("9 Recovery"):
        fresh = acts.recover(world)
        with Service(stage, fresh) as world.service:
            acts.unseal(world, fresh, (holders[4], holders[3], holders[1]))
            acts.after_recovery(world)


def show(world: World, console: Console) -> None:
    """What was made, where it lies, and the commands that check each piece."""
    root = world.stage.root.relative_to(PROJECT)
    wheel = next(world.outputs.glob("*.whl")).name
    receipt = next(world.outputs.glob("*.receipt.json")).name
    binary = world.stage.bin.relative_to(PROJECT) if world.stage.bin.is_relative_to(PROJECT) else world.stage.bin
    lines = [
        ("the transcript of the ceremony", f"{binary}/hsmpub-ceremony verify {root}/home/genesis/transcript.json "
         f"--trust {root}/home/trust.json"),
        ("the release and its receipt", f"{binary}/hsmpub verify {root}/release/{receipt} {root}/release/* "
         f"--trust {root}/home/trust.json"),
        ("an OpenPGP signature", f"gpg --homedir {root}/gnupg --verify {root}/release/{wheel}.asc "
         f"{root}/release/{wheel}"),
        ("the signed tag", f"GNUPGHOME=\"$PWD/{root}/gnupg\" git -C {root}/clone verify-tag v{world.version}"),
        ("an SSH signature", f"ssh-keygen -Y verify -f {root}/allowed_signers -I release -n file "
         f"-s {root}/release/{wheel}.sig < {root}/release/{wheel}"),
        ("every command that ran", f"less {root}/commands.log"),
    ]  # fmt: skip
    for what, command in lines:
        console.print(f"\n{what}:", highlight=False)
        console.print(f"    {command}", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
