"""Every rule of the code, and docs/errors.md made of them: `python -m tests.docs.rules_table`."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from hsmpub.errors import FAMILIES, HsmpubError, Refused, rule_name

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_AREAS = {
    "Holders and unsealing": ("hsmpub.shares", "hsmpub.keeper.unsealing", "hsmpub.cli.unseal"),
    "Identity of CI jobs": ("hsmpub.identity", "hsmpub.keeper.sessions", "hsmpub.client.token",
                            "hsmpub.client.session", "hsmpub.client.asks.asker"),
    "Policy and roster files": (
        "hsmpub.policy", "hsmpub.approval.roster", "hsmpub.model.toml_lines", "hsmpub.cli.roster",
        "hsmpub.cli.text_file",
    ),
    "Requests and approvals": (
        "hsmpub.approval", "hsmpub.model.submission", "hsmpub.model.statement", "hsmpub.model.attested",
        "hsmpub.model.image", "hsmpub.keeper.approving",
        "hsmpub.keeper.submitting", "hsmpub.formats.output_names", "hsmpub.keeper.entering", "hsmpub.keeper.personal",
        "hsmpub.formats.ssh", "hsmpub.cli.approve",
        "hsmpub.client.asks.releases", "hsmpub.cli.release", "hsmpub.client.ssh",
        "api.routes.requests", "api.routes.receipts", "hsmpub.keeper.book",
    ),
    "Files and uploads": ("hsmpub.artifact", "hsmpub.keeper.artifacts", "hsmpub.client"),
    "Encrypted files": ("hsmpub.envelope", "hsmpub.client.envelope", "hsmpub.client.backup_key", "hsmpub.cli.decrypt",
                        "hsmpub.keeper.decrypting"),
    "Signatures and the HSM": ("hsmpub.formats", "hsmpub.hsm", "hsmpub.secret", "hsmpub.cli.sign",
                               "hsmpub.client.asks.files"),
    "Images and registries": ("hsmpub.client.oci", "hsmpub.cli.oci", "hsmpub.formats.oci"),
    "Credentials and publishing": (
        "hsmpub.targets", "hsmpub.courier", "hsmpub.keeper.publishing", "hsmpub.keeper.credentials",
        "hsmpub.keeper.issuers", "hsmpub.cli.credential",
    ),
    "The log": ("hsmpub.tlog", "hsmpub.model.entry", "hsmpub.model.contradiction", "api.served_log",
                "hsmpub.client.signed_log", "hsmpub.client.adopted", "hsmpub.client.asks.log"),
    "Receipts": ("hsmpub.receipt",),
    "Ceremonies and backups": ("ceremony",),
    "Running the service": ("hsmpub", "api"),
}  # fmt: skip
_HEAD = """# Every refusal

Made by `python -m tests.docs.rules_table`; a test keeps it complete. The rule is the same word in the exception, in the
`type` of a problem document (`urn:hsmpub:rule:<rule>`), in the log lines and here. The next step is the usual one;
a message may give a better one. *Again*: the very same thing may be sent again.
"""


def every_rule() -> list[type[HsmpubError]]:
    """All rules of hsmpub, api and ceremony, without the families."""
    for package in ("hsmpub", "api", "ceremony"):
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(found.name)
    families = {HsmpubError, Refused, *FAMILIES.values()}
    rules, waiting = set[type[HsmpubError]](), [HsmpubError]
    while waiting:
        for rule in waiting.pop().__subclasses__():
            waiting.append(rule)
            ours = rule.__module__.split(".")[0] in ("hsmpub", "api", "ceremony")
            if ours and rule not in families and not rule.__name__.startswith("_"):
                rules.add(rule)
    return sorted(rules, key=lambda rule: (rule_name(rule), rule.__module__))


def _area(rule: type[HsmpubError]) -> str:
    fits = ((len(prefix), name) for name, prefixes in _AREAS.items() for prefix in prefixes
            if rule.__module__.startswith(prefix))  # fmt: skip
    return max(fits)[1]


def page() -> str:
    """The text of docs/errors.md."""
    parts = [_HEAD]
    rules = every_rule()
    for area in _AREAS:
        rows = dict.fromkeys(_row(rule) for rule in rules if _area(rule) == area)
        parts.append(f"\n## {area}\n\n| rule | status | again | next step |\n|---|---|---|---|\n")
        parts += [row + "\n" for row in rows]
    return "".join(parts)


def _row(rule: type[HsmpubError]) -> str:
    advice = rule.advice.replace("|", "\\|").replace("\n", " ")
    return f"| `{rule_name(rule)}` | {rule.status} | {'yes' if rule.retry_is_safe else 'no'} | {advice} |"


if __name__ == "__main__":
    PAGE.write_text(page())
