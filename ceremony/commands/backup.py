"""`hsmpub-ceremony backup`: take one (`backup FILE`), and look at one (`backup verify FILE`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from ceremony.backup import check_free, make_backup
from ceremony.backup_check import Backup, open_backup
from ceremony.commands.app import HomeOption, TrustOption, app, console, now
from ceremony.inputs import read_checkpoint_note, read_trust
from ceremony.lost_entries import what_follows
from hsmpub.errors import Conflict
from hsmpub.home import Home
from hsmpub.model.clock import rfc3339
from hsmpub.sandbox import harden
from hsmpub.scratch import scratch_folder

_DAY = 86_400


class BackupTooOld(Conflict):
    advice = "Take a new backup; if that should happen by itself, find out why it did not."


class _TakeByDefault(TyperGroup):
    """`backup FILE` is `backup take FILE`: taking one is what the word means."""

    fallback = "take"

    def parse_args(self, ctx, args):  # type: ignore[no-untyped-def]
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [self.fallback, *args]
        return super().parse_args(ctx, args)


backups = typer.Typer(cls=_TakeByDefault, no_args_is_help=True, rich_markup_mode=None)
app.add_typer(backups, name="backup", help="Take a backup (backup FILE), or look at one (backup verify FILE).")


@backups.command()
def take(
    out: Annotated[Path, typer.Argument(help="The file to write (tar); it must not exist.")],
    home: HomeOption = Path("home"),
    artifacts: Annotated[bool, typer.Option("--artifacts", help="With the artifact store.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Take it, check it, and leave nothing.")] = False,
) -> None:
    """Take a backup; no quorum is needed, and the service may run."""
    harden("keeper")
    if dry_run:
        rehearse(Home(home.resolve()), out.absolute(), artifacts=artifacts)
        return
    manifest = make_backup(Home(home.resolve()), out.absolute(), now=now(), artifacts=artifacts)
    say = console()
    say.print(f"{out}: {len(manifest.files)} files, a log of {manifest.log_size} entries.")
    say.print("Its keys are sealed to the recovery quorum; keep it where the service's machine is not.")


def rehearse(home: Home, out: Path, *, artifacts: bool) -> None:
    """The whole backup beside where it would lie, so that room and rights are those of the real one; then it goes.

    Raises what taking and checking one raise.
    """
    check_free(out)
    with scratch_folder("hsmpub-backup-rehearsal-", out.parent) as folder:
        make_backup(home, folder / out.name, now=now(), artifacts=artifacts)
        with open_backup(folder / out.name, read_trust(home.trust), folder=folder) as checked:
            show_backup(out, checked, now())
    console().print("Rehearsed; nothing was kept.")


@backups.command("verify")
def verify_backup(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    trust: TrustOption,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Newest checkpoint known elsewhere: the backup must reach it.")
    ] = None,
    max_age: Annotated[int, typer.Option("--max-age", min=0, help="Refuse one that is older, in days; 0: any.")] = 0,
) -> None:
    """Check a backup without any secret, and say what is in it. Exit status 1: it is no backup to rely on."""
    pins = read_trust(trust)
    known = None if checkpoint is None else read_checkpoint_note(checkpoint, pins)
    with open_backup(file, pins, known=known) as checked:
        what_follows(checked, known, None, accept_loss=False)
        at = now()
        show_backup(file, checked, at)
        if max_age and at - checked.manifest.at > max_age * _DAY:
            raise BackupTooOld(f"The backup is older than {max_age} days.")


def show_backup(file: Path, checked: Backup, at: int) -> None:
    """What a checked backup holds, in plain words. at: now."""
    manifest, say = checked.manifest, console()
    age = _age(at - manifest.at)
    say.print(f"{file}: a backup of {manifest.service}, taken {rfc3339(manifest.at)} ({age}), epoch {manifest.epoch}.")
    say.print(f"  log: {manifest.log_size} entries, root {manifest.log_root}")
    say.print(f"  policy {manifest.policy_sha256}")
    say.print(f"  roster {manifest.roster_sha256}")
    for name, quorum in (("unseal", manifest.unseal), ("recovery", manifest.recovery)):
        of = f"{quorum.group_threshold} of {len(quorum.groups)} groups: " if len(quorum.groups) > 1 else ""
        people = "; ".join(
            f"{group.name + ' ' if group.name else ''}{group.threshold} of {', '.join(group.holders)}"
            for group in quorum.groups
        )
        say.print(f"  {name} quorum of epoch {quorum.epoch}: {of}{people}", markup=False)
    say.print(f"  keys, wrapped at their birth: {', '.join(manifest.keys)}")
    if manifest.vendor_backup:
        say.print(f"  the HSM's own backup is elsewhere: {manifest.vendor_backup}", markup=False)
    sealed = sum(name.startswith("keeper/sealed/") for name in manifest.files)
    say.print(f"  {len(manifest.files)} files as signed, {sealed} of them sealed credentials")


def _age(seconds: int) -> str:
    days, hours = seconds // _DAY, seconds % _DAY // 3600
    return f"{days} days old" if days else f"{hours} hours old"
