"""The table of formats says what the registry says; what foreign verifiers said is recorded as it was."""

from __future__ import annotations

import pytest
from documents import PROJECT
from formats_table import NOT_IN_CI, PAGE, VERIFIER, missing, page, proved_by, rows

from hsmpub.formats.registry import FORMATS
from tests import proofs
from tests.docs.ci_installs import ci_installs
from tests.proofs import Proof, Recorder, prover

TEXT = PAGE.read_text()
SOME = [Proof("cms", kind, "openssl cms -verify", "3.9.9", "a text", f"t::x[{kind}]") for kind in ("p256", "rsa3072")]


def test_every_format_has_a_row_that_says_what_the_registry_says() -> None:
    """After a change: python -m tests.docs.formats_table."""
    pytest.importorskip("pyhanko")
    made = rows(page(TEXT, []))
    told = rows(TEXT)
    assert list(told) == list(made)
    assert set(FORMATS) <= set(told)
    assert {name: row[:5] for name, row in told.items()} == {name: row[:5] for name, row in made.items()}
    assert not [name for name, row in told.items() if "?" in row[1:4]]


def test_every_verifier_of_the_table_is_one_that_a_test_asks() -> None:
    tests = "".join(file.read_text() for file in PROJECT.glob("tests/*/test_*.py"))
    for row in rows(TEXT).values():
        assert row[5], row[0]
        assert not [name for name in row[5].split("`")[1::2] if f'"{name}"' not in tests], row[0]


def test_a_row_names_verifier_version_and_maker_and_keeps_what_was_not_seen() -> None:
    [cell] = [row[5] for name, row in rows(page(TEXT, SOME)).items() if name == "cms"]
    assert cell == "`openssl cms -verify` 3.9.9 on a text"
    [cell] = [row[5] for name, row in rows(page(TEXT, SOME[:1])).items() if name == "cms"]
    assert cell == "`openssl cms -verify` 3.9.9 on a text (P-256)"
    once = page(TEXT, SOME)
    assert page(once, SOME) == once
    assert page(once, []) == once


def test_a_verifier_is_marked_where_ci_does_not_install_it_and_nowhere_else() -> None:
    for row in rows(TEXT).values():
        marked = [verifier for verifier, rest in VERIFIER.findall(row[5]) if NOT_IN_CI in rest]
        assert marked == [verifier for verifier, _ in VERIFIER.findall(row[5]) if not ci_installs(verifier)], row[0]
    assert proved_by("cms", frozenset(), [], "`rpm -Kv` 4; `another` 1.2 on a text") == (
        f"`rpm -Kv` 4; `another` 1.2 on a text {NOT_IN_CI}"
    )
    seen = [Proof("cms", "p256", "another --verify", "1.2")]
    assert proved_by("cms", frozenset(), seen, "") == f"`another --verify` 1.2 {NOT_IN_CI}"
    assert proved_by("cms", frozenset(), [], f"`rpm -Kv` 4 {NOT_IN_CI}") == "`rpm -Kv` 4"


def test_what_ci_installs_is_read_from_its_script_and_not_from_remarks() -> None:
    for brought in ("gpg --verify", "sshd", "pdfsig", "PyJWT", "tuf-js", "@sigstore/verify", "jose jwtVerify"):
        assert ci_installs(brought)
    for other in ("rpmkeys6 -Kv", "apt", "install", "Verifiers", "openpgp-other"):
        assert not ci_installs(other)


def test_the_check_names_what_was_not_seen_and_what_the_table_does_not_say() -> None:
    said = missing(TEXT, SOME[:1])
    assert "cms: openssl cms -verify was not seen" not in said
    assert "cms: no foreign verifier was shown a signature by a rsa3072 key" in said
    assert "openpgp: gpg --verify was not seen" in said
    other = Proof("cms", "p256", "another", "1")
    assert "cms: another was seen and is not in the table" in missing(TEXT, [other])
    assert "rpm: rpmkeys6 -Kv was not seen" not in missing(TEXT, [])


@pytest.mark.parametrize(("good", "tampered"), [(False, False), (True, True), (0, 0)])
def test_a_verifier_that_refuses_the_good_or_takes_the_tampered_proves_nothing(good: object, tampered: object) -> None:
    noted: list[object] = []
    with pytest.raises(AssertionError):
        prover(lambda *what: noted.append(what), "t")("cms", "p256", "openssl", good=good, tampered=tampered)
    assert not noted


def report(test: str, *told: Proof, outcome: str = "passed", when: str = "call") -> pytest.TestReport:
    said = [("proof", proofs.msgspec.to_builtins(proof)) for proof in told]
    return pytest.TestReport(test, ("", 0, ""), {}, outcome, None, when, user_properties=said)  # type: ignore[arg-type]


def test_the_record_holds_what_passed_and_a_part_of_the_tests_replaces_its_own(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "RECORD", tmp_path / "kept" / "proofs.json")  # type: ignore[operator]
    assert proofs.load() == []
    first, second = SOME
    whole = Recorder(whole=True)
    for when in ("setup", "call", "teardown"):
        whole.pytest_runtest_logreport(report(first.test, first, when=when))
        whole.pytest_runtest_logreport(report(second.test, second, when=when))
    whole.pytest_sessionfinish()
    assert proofs.load() == [first, second]
    part = Recorder(whole=False)
    part.pytest_runtest_logreport(report(first.test, first, outcome="failed"))
    part.pytest_sessionfinish()
    assert proofs.load() == [second]
    Recorder(whole=True).pytest_sessionfinish()
    assert proofs.load() == []
