"""What a project says: who asks, which key makes what of which files, where it goes, who approves."""

from __future__ import annotations

from itertools import combinations

from hsmpub.formats.purposes import ROUTINE_FORMATS
from hsmpub.identity.ci import REGISTERED, RESERVED
from hsmpub.model.glob import is_wild
from hsmpub.model.toml_walk import Path
from hsmpub.policy import refusals as rule
from hsmpub.policy.bypass import may_both_be
from hsmpub.policy.checking import Checking
from hsmpub.policy.lists import GIVEN_PREDICATE, IMAGE_FORMATS
from hsmpub.policy.profile_check import check_profiles
from hsmpub.policy.project import Project, Requester


def check_project(check: Checking, name: str, project: Project) -> None:
    path: Path = ("project", name)
    for i, requester in enumerate(project.requesters):
        _check_requester(check, (*path, "requesters", i), requester)
    for (i, a), (j, b) in combinations(enumerate(project.requesters), 2):
        if set(a.claims) == set(b.claims) and may_both_be(a, b):
            first, line = check.line(*path, "requesters", i), check.line(*path, "requesters", j)
            raise rule.SaidTwice(f"a token can match this requester and the one of line {first}.", line=line)
    made = _check_sign(check, path, project)
    check_profiles(name, project, made, line=check.line(*path))
    _check_lists(check, path, project, made)
    check.once(((t, (*path, "publish", i)) for i, t in enumerate(project.publish)), "The same target")
    for i, target in enumerate(project.publish):
        if target not in check.policy.targets:
            line = check.line(*path, "publish", i)
            raise rule.UnknownReference(f"The policy has no target {target!r}.", line=line)
    check.approvals(path, project.approvals)


def _check_sign(check: Checking, path: Path, project: Project) -> set[str]:
    """All formats that the project makes. Each stands once, whatever the files: so a format alone tells its key, and no
    file is to have two signatures of one format. A key may stand once for each set of files."""
    entries = [((*path, "sign", i), signs) for i, signs in enumerate(project.sign)]
    keys = (((signs.key, frozenset(signs.files or ())), (*at, "key")) for at, signs in entries)
    check.once(keys, "The same key for the same files")
    made = [(name, (*at, "formats", k)) for at, signs in entries for k, name in enumerate(signs.formats)]
    check.once(made, "The same format", "Say it once, with all its files.")
    for at, signs in entries:
        for k, name in enumerate(signs.formats):
            check.fit(signs.key, name, check.line(*at, "formats", k))
        check.once(((one, (*at, "files", k)) for k, one in enumerate(signs.files or ())), "The same pattern")
        if signs.files is not None and (nameless := ROUTINE_FORMATS.intersection(signs.formats)):
            raise rule.FilesUnfit(f"{min(nameless)!r} is not made of named files.", line=check.line(*at, "files"))
    return {name for name, _ in made}


def _check_lists(check: Checking, path: Path, project: Project, made: set[str]) -> None:
    """Whoever makes signatures over images, or over predicates, says of which; nobody else does."""
    if bool(made & IMAGE_FORMATS) > bool(project.images):
        raise rule.ImagesUnstated("a project that signs images lists their repositories.", line=check.line(*path))
    if (GIVEN_PREDICATE in made) != bool(project.predicates):
        raise rule.PredicatesUnstated(
            f"{GIVEN_PREDICATE!r} and a list of predicates go together.", line=check.line(*path)
        )
    for name in ("images", "predicates"):
        check.once(((one, (*path, name, i)) for i, one in enumerate(getattr(project, name))), "The same")


def _check_requester(check: Checking, path: Path, requester: Requester) -> None:
    line = check.line(*path)
    if requester.issuer not in check.policy.issuers:
        raise rule.UnknownReference(f"The policy has no issuer {requester.issuer!r}.", line=line)
    for claim in requester.claims:
        if claim in (REGISTERED | RESERVED) - {"sub"}:
            raise rule.ClaimReserved(f"{claim!r} cannot be asked of a token.", line=check.line(*path, claim))
    if all(map(is_wild, requester.claims.values())):
        raise rule.RequesterWithoutClaim("this requester pins no claim to any text.", line=line)
