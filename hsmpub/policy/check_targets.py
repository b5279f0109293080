"""Where tokens come from and releases go: every address is plain, every credential has one target."""

from __future__ import annotations

from hsmpub.policy import refusals as rule
from hsmpub.policy.address import check_tag, check_url
from hsmpub.policy.checking import Checking
from hsmpub.policy.model import Target


def check_issuers(check: Checking) -> None:
    for name, issuer in check.policy.issuers.items():
        check_url(issuer.url, issuer.loopback, line=check.line("issuer", name, "url"))
    issuers = check.policy.issuers.items()
    check.once(((issuer.url, ("issuer", n, "url")) for n, issuer in issuers), "The same issuer's URL")


def check_targets(check: Checking) -> None:
    seen: dict[str, str] = {}
    for name, target in check.policy.targets.items():
        check_url(target.url, target.loopback, line=check.line("target", name, "url"))
        _check_index(check, name, target)
        line = check.line("target", name, "credential")
        if target.credential in seen:
            raise rule.CredentialShared(f"Target {seen[target.credential]!r} has this credential.", line=line)
        seen[target.credential] = name
        _check_tag(check, name, target)
        _check_files(check, name, target)
    targets = check.policy.targets.items()
    check.once((((t.kind, t.url.rstrip("/"), t.tag), ("target", n, "url")) for n, t in targets), "The same target")


def _check_index(check: Checking, name: str, target: Target) -> None:
    """What is uploaded is read back from the index, so a pypi target names it; no other has one."""
    line = check.line("target", name, "index" if target.index else "kind")
    if (target.kind == "pypi") != bool(target.index):
        raise rule.IndexRefused(
            f"Target {name!r} {'does not say where its index is' if not target.index else 'has no index'}.",
            line=line,
        )
    if target.index:
        check_url(target.index, target.loopback, line=line)


def _check_tag(check: Checking, name: str, target: Target) -> None:
    tag_line, key_line = check.line("target", name, "tag"), check.line("target", name, "key")
    if target.kind != "git":
        if target.tag or target.key:
            line = tag_line if target.tag else key_line
            raise rule.TagRefused(f"Target {name!r} is not git and has no tags.", line=line)
        return
    check_tag(target.tag, line=tag_line)
    if not target.key:
        raise rule.TagRefused(f"Target {name!r} does not say which key signs its tags.", line=tag_line)
    check.fit(target.key, "openpgp", key_line)


def _check_files(check: Checking, name: str, target: Target) -> None:
    at = ("target", name, "files")
    if target.kind == "git" and target.files is not None:
        raise rule.FilesUnfit(f"A tag goes to target {name!r}, and no file does.", line=check.line(*at))
    check.once(((one, (*at, k)) for k, one in enumerate(target.files or ())), "The same pattern")
