"""What each ceremony does, step by step: the transcript of its rehearsal is the one in golden/, which people read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ceremony_stage import POLICY, Born
from golden_transcript import FOLDER, check_golden
from standing_stage import copy_home, now, write_papers

from ceremony.standing.hold import hold, read_papers
from ceremony.standing.kind import Papers
from ceremony.standing.kinds import KINDS
from ceremony.standing.rehearsal import rehearse_on
from ceremony.standing.stand import Layout, Stand, layout_of, make_stand
from hsmpub.model.trust import load_trust
from hsmpub.shares.pending import load_pending
from hsmpub.transcript.check import check_transcript
from tests.formats.code_signing_ca import CodeSigningCa, chain_of

HEAD = 'ceremony = "{}"\nservice = "releases"\n'
UNSEAL = """\
[unseal]
threshold = 2
holders = [
  {{ name = "holder-1", key = "{0}" }},
  {{ name = "new-holder", key = "{1}" }},
]
[recovery]
threshold = 2
holders = [
  {{ name = "recovery-1", key = "{0}" }},
  {{ name = "new-recovery", key = "{1}" }},
]
"""
FILES = {
    "break-glass": 'reason = "all managers have left"\npolicy = "policy.toml"\n',
    "pin-change": "",
    "so-pin-change": "",
    "reshare": UNSEAL,
    "key-generate": '[[key]]\nname = "nightly"\nkind = "ed25519"\nformats = ["sshsig"]\n',
    "key-rotate": '[[key]]\nreplaces = "release"\nname = "release-2027"\n',
    "certificate-import": '[[certificate]]\nkey = "release-openpgp"\nchain = "chain.toml"\n',
    "key-destroy": '[[key]]\nname = "routine"\n',
    "openpgp-subkey": '[[certificate]]\nprimary = "release-primary"\nkey = "release"\n'
    'user_id = "Example Releases <releases@example.org>"\n'
    '[[revocation]]\nprimary = "release-primary"\nkey = "release-openpgp"\n',
    "key-retire": '[[key]]\nname = "routine"\nreason = "compromised"\n',
    "csr": '[[request]]\nkey = "release-openpgp"\ncommon_name = "Example Ltd"\n',
}


#: What has to be held before: name → the other ceremony, and its one key.
BEFORE: dict[str, tuple[str, dict[str, str]]] = {
    "key-destroy": ("key-retire", {"name": "routine"}),
    "openpgp-subkey": ("key-generate", {"name": "release-primary", "kind": "p256"}),
}


def test_every_standing_ceremony_has_a_golden_transcript() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {*KINDS, "genesis", "restore", "offboard"}


@pytest.fixture(scope="module")
def layout(born: Born) -> Layout:
    return layout_of(born.home)


@pytest.fixture(scope="module")
def stand(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    return make_stand(layout, tmp_path_factory.mktemp("stand"), now)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_rehearsal_does_the_steps_that_the_golden_transcript_says(
    layout: Layout, stand: Stand, tmp_path: Path, name: str
) -> None:
    own = replace(stand, home=copy_home(stand.home, tmp_path / "home"))
    keys = [key.recipient for key in stand.keys.values()]
    text = HEAD.format(name) + FILES[name].format(*keys)
    policy = POLICY.replace('"managers", count = 1 }]\n[administration.roster]', '"managers", count = 1 }]\n'
                            'expires = "24h"\n[administration.roster]')  # fmt: skip
    file = write_papers(tmp_path / "papers", ceremony=text, policy=policy, chain=_chain())
    papers = read_papers(file, KINDS[name])
    if name in BEFORE:
        kind, key = BEFORE[name]
        before = KINDS[kind].form.model_validate({"ceremony": kind, "service": "releases", "key": [key]})
        hold(KINDS[kind], Papers("", before, {}), own.home, own.at_hand(), now=now, rehearsal=True)
    done = rehearse_on(own, KINDS[name], papers, layout, now=now)
    transcript = check_transcript(done.transcript, load_trust(own.home.trust.read_bytes()))
    assert transcript.head.rehearsal
    check_golden(name, transcript)
    if name == "reshare":
        _finish(own, replace(layout, pending=load_pending(own.home.pending_sets.read_bytes())), done.folder, tmp_path)


def _chain() -> str:
    """For some key: a rehearsal has no key of the service."""
    ca = CodeSigningCa(now())
    return chain_of(ca.leaf, ca.intermediate, ca.root)


def _finish(stand: Stand, layout: Layout, folder: Path, tmp_path: Path) -> None:
    """The home after the first step takes the real one's place; the rehearsal gets a stand of its own."""
    kind = KINDS["reshare-finish"]
    papers = read_papers(folder / "finish.toml", kind)
    own = make_stand(layout, tmp_path / "stand", now)
    done = rehearse_on(own, kind, papers, layout, now=now)
    check_golden("reshare-finish", check_transcript(done.transcript, load_trust(own.home.trust.read_bytes())))
