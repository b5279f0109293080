"""What whoever watches a ceremony sees: each step in a line as it is done, with what is to be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape

from hsmpub.shares.recipient import PAPER
from hsmpub.transcript.record import Step

Print = Callable[[Step], None]


def step_printer(console: Console) -> Print:
    """Prints each step in one line, with lines of fingerprints below it."""

    def told(step: Step) -> None:
        console.print(f"[bold]{step.number:>3}[/bold]  {escape(_sentence(step))}", highlight=False, soft_wrap=True)
        for line in _safe_details(step):
            console.print(f"     [dim]{escape(line)}[/dim]", highlight=False, soft_wrap=True)

    return told


def _sentence(step: Step) -> str:
    try:
        return _told(step)
    except (KeyError, TypeError, AttributeError):  # a signed transcript may say anything; only its shape was checked
        return f"{step.what} (its facts are not those of such a step)"


def _told(step: Step) -> str:
    facts = step.facts
    match step.what:
        case "ceremony file":
            return f"ceremony file read and checked, sha256 {facts['sha256']}"
        case "backup":
            return f"backup checked: a log of {facts['log_size']} entries, root {facts['log_root'][:16]}…"
        case "recovery quorum" | "unseal quorum":
            count = len(facts["holders"])
            asked = f"{facts['threshold']} of {count}"
            if groups := facts.get("groups"):
                asked = f"{facts['group_threshold']} of {len(groups)} groups, {count} holders"
            paper = sum(holder["recipient"] == PAPER for holder in facts["holders"])
            printed = f", {paper} of them on paper" if paper else ""
            return f"{step.what}: {asked}, each share encrypted to its holder's own key{printed}"
        case "recovery share" | "unseal share":
            return f"{step.what} of {facts['holder']} accepted, {facts['accepted']}"
        case "break-glass":
            return f"adopted without approvals: {', '.join(facts['adopted'])}; reason: {facts['reason']}"
        case "keys born":
            return "keys born in a throw-away token, wrapped, the token destroyed"
        case "key retired":
            then = f"; {facts['successor']} takes its place" if facts["successor"] else ""
            return f"{facts['name']} is retired ({facts['reason']}){then}"
        case "keys destroyed":
            return f"destroyed in the token: {', '.join(facts['names'])}. {facts['old_backups']}"
        case "certificate request":
            return f"request for a certificate of {facts['key']} made and signed in the HSM"
        case "certificate":
            return f"certificate of {facts['key']}: {facts['subject']}, until {facts['valid_until']}"
        case "transition":
            return f"statement of the change from {facts['old']} to {facts['new']}, by {', '.join(facts['signed_by'])}"
        case "keys":
            return f"keys in force from here on: {', '.join(facts['active'])}"
        case "keys restored":
            return "keys unwrapped; they are the pinned ones"
        case "OpenPGP certificate":
            return f"OpenPGP certificate: {facts['primary']} certifies, {facts['key']} signs"
        case "OpenPGP subkey revoked":
            return f"OpenPGP: {facts['key']} is no subkey of {facts['primary']} any more ({facts['reason']})"
        case "keys lost":
            return f"NOT RESTORED: {', '.join([*facts['ended'], *facts['unknown_to_the_log']])}. {facts['advice']}"
        case "keys found":
            return "the token has the pinned keys, and each works"
        case "vendor token":
            return f"token {facts['label']!r}, restored by its maker's means, has a new PIN that nobody saw"
        case "entries brought":
            return f"{facts['count']} entries after the backup were brought and are those of the known checkpoint"
        case "loss accepted":
            return f"entries {facts['first']} to {facts['size'] - 1} are lost; the log says so at each of them"
        case "drill":
            return f"drill of the {facts['quorum']} quorum, {facts['threshold']} of {len(facts['holders'])}"
        case "drill share":
            return f"share of {facts['holder']} accepted, {facts['accepted']}"
        case "proven":
            return f"the {facts['quorum']} quorum opened: {', '.join(facts['opened'])}; nothing was released"
        case "permission":
            return f"upgrade to the code {facts['code'][:16]}… permitted by {', '.join(facts['holders'])}"
        case "resumed" if "code" not in facts:
            return "went on after it was interrupted"
        case "resumed":
            return f"went on unsealed in the code {facts['code'][:16]}…, which used the permission up"
        case "person":
            return f"somebody leaves: {', '.join(facts['names'])}"
        case "found":
            counts = [f"{len(value)} {what}" for what, value in facts.items() if value]
            return f"what touches them: {', '.join(counts) or 'nothing'}"
        case "revocation asked for":
            how = f"refused: {facts['refused']}" if facts["refused"] else f"request {facts['request']}"
            return f"revocation asked for by {facts['by']}: {how}"
        case "left to do":
            return f"{len(facts['steps'])} steps are left to people"
        case "token":
            return f"token {facts['label']!r} made with a PIN that nobody saw; keys inside: {', '.join(facts['keys'])}"
        case "keys taken in":
            return f"keys in the token {facts['label']!r}, never to come out: {', '.join(facts['custody'])}"
        case "keeper identity":
            return "keeper identity made"
        case "backup of the keys":
            return f"sealed to the recovery quorum: {', '.join(facts['sealed'])}"
        case "public keys":
            return f"certificates made; log key {facts['log_key']}"
        case "outputs":
            return f"{len(facts['sha256'])} files written"
    return step.what


def _safe_details(step: Step) -> list[str]:
    try:
        return list(_details(step))
    except (KeyError, TypeError, AttributeError):
        return []


def _details(step: Step) -> Iterator[str]:
    facts: dict[str, Any] = step.facts
    if step.what in ("recovery quorum", "unseal quorum"):
        yield facts["words"]
        for holder in facts["holders"]:
            yield f"{holder['name']}  {holder['fingerprint']}  {holder.get('group', '')}".rstrip()
    elif step.what in ("keys born", "keys restored"):
        for key in facts["keys"]:
            yield f"{key['name']} ({key['kind']})  {key.get('words', '')}".rstrip()
    elif "protections" in facts:
        for name, state in facts["protections"].items():
            if state != "on":
                yield f"protection {name} is off: {state}"
    elif step.what == "left to do":
        yield from facts["steps"]
    elif step.what == "OpenPGP certificate":
        yield f"primary {facts['fingerprint']}, subkey {facts['subkey']}"
    elif step.what == "keeper identity":
        yield facts["words"]
    elif facts.get("still_in_policy"):
        yield f"the policy in force still names it: {', '.join(facts['still_in_policy'])}; adopt another"
    elif step.what in ("public keys", "certificates"):
        for certificate in facts["openpgp"]:
            yield f"{certificate['key']}  OpenPGP {certificate['fingerprint']}"
