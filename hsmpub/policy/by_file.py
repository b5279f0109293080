"""What a file of a project is signed as, by its name: the policy says it, not who asks (ADR 19). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hsmpub.errors import Forbidden
from hsmpub.model.glob import is_match
from hsmpub.model.predicate import Signing
from hsmpub.policy.project import Project, Signs


class FileNotCovered(Forbidden):
    advice = "Leave the file out of the release, or have the policy's 'files' say what such a file is signed as."


class FormatNotForFile(Forbidden):
    advice = "Ask for the formats that the policy has for files of this name, or have its 'files' name this one, too."


def release_formats(name: str, project: Project, files: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """File → the formats of every entry that is for it. A project that signs nothing signs no file.

    Args:
        name: the project's, for messages.

    Raises:
        FileNotCovered: no entry is for a file.
    """
    found = {}
    for file in files:
        found[file] = tuple(one for signs in project.sign if is_for(signs, file) for one in signs.formats)
        if project.sign and not found[file]:
            raise FileNotCovered(f"No entry of 'sign' of project {name!r} is for the file {file!r}.")
    return found


def is_for(signs: Signs, file: str) -> bool:
    """Whether an entry of the policy is for files of this name."""
    return signs.files is None or any(is_match(pattern, file) for pattern in signs.files)


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
        if files is not None and not any(is_match(pattern, file) for pattern in files):
            raise FormatNotForFile(f"The policy has {name!r} made of {', '.join(files)[:200]}, not of {file!r}.")
