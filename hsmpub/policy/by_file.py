"""What a file is signed as, and where it goes, by its name: the policy says it, not who asks (ADR 19). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hsmpub.errors import Forbidden
from hsmpub.model.glob import is_match
from hsmpub.model.predicate import Signing
from hsmpub.policy.model import Target
from hsmpub.policy.project import Project


class FileNotCovered(Forbidden):
    advice = "Leave the file out of the release, or have the policy's 'files' say what such a file is signed as."


class FormatNotForFile(Forbidden):
    advice = "Ask for the formats that the policy has for files of this name, or have its 'files' name this one, too."


class TargetWithoutFiles(Forbidden):
    advice = "Add a file that goes there, or have the policy's 'publish' leave the target out for this project."


def release_formats(name: str, project: Project, files: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """File → the formats of every entry that is for it. A project that signs nothing signs no file.

    Args:
        name: the project's, for messages.

    Raises:
        FileNotCovered: no entry is for a file.
    """
    found = {}
    for file in files:
        found[file] = tuple(one for signs in project.sign if is_for(signs.files, file) for one in signs.formats)
        if project.sign and not found[file]:
            raise FileNotCovered(f"No entry of 'sign' of project {name!r} is for the file {file!r}.")
    return found


def release_targets(targets: Mapping[str, Target], files: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """File → the targets that it goes to, of those that do not go to all. A tag is about no file.

    Args:
        targets: those of the project, by name.

    Raises:
        TargetWithoutFiles: a target is for none of the files; nothing would go there, and nobody would see it.
    """
    takes = {name: target.files for name, target in targets.items() if target.kind != "git"}
    found = {file: tuple(name for name, patterns in takes.items() if is_for(patterns, file)) for file in files}
    for name, patterns in takes.items():
        if patterns is not None and not any(name in own for own in found.values()):
            raise TargetWithoutFiles(f"No file is for the target {name!r}, which takes {', '.join(patterns)[:200]}.")
    return {file: own for file, own in found.items() if len(own) < len(takes)}


def is_for(patterns: Sequence[str] | None, file: str) -> bool:
    """Whether an entry of the policy is for files of this name. patterns: its `files`."""
    return patterns is None or any(is_match(pattern, file) for pattern in patterns)


def signings(project: Project, formats: Iterable[str] | None = None) -> tuple[Signing, ...]:
    """Each key once, with all that it makes of these formats, in the policy's order. None: of all."""
    wanted = None if formats is None else set(formats)
    made: dict[str, list[str]] = {}
    for signs in project.sign:
        made.setdefault(signs.key, []).extend(one for one in signs.formats if wanted is None or one in wanted)
    return tuple(Signing(key, tuple(names)) for key, names in made.items() if names)


def patterns_of(project: Project) -> dict[str, tuple[str, ...]]:
    """Format → names of the files that it is made of; a format of every file is left out."""
    return {one: signs.files for signs in project.sign if signs.files is not None for one in signs.formats}


def check_formats(patterns: Mapping[str, Sequence[str]], formats: Iterable[str], file: str) -> None:
    """Whether the formats that somebody named are for a file. patterns: of `patterns_of`. Raises FormatNotForFile."""
    for name in formats:
        files = patterns.get(name)
        if files is not None and not is_for(files, file):
            raise FormatNotForFile(f"The policy has {name!r} made of {', '.join(files)[:200]}, not of {file!r}.")
