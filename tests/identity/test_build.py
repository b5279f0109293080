"""What tokens of two forges say of a build, and that nothing is made up where one says too little."""

from __future__ import annotations

import pytest

from hsmpub.identity.build import GITHUB_TYPE, build_of

GITHUB = {
    "repository": "acme/web", "ref": "refs/tags/v1", "sha": "a" * 40, "run_id": "12", "run_attempt": "2",
    "workflow_ref": "acme/web/.github/workflows/release.yml@refs/heads/main", "event_name": "push",
    "runner_environment": "github-hosted", "actor": "ci-job",
}  # fmt: skip
GITLAB = {
    "project_path": "acme/web", "ref": "v1", "ref_type": "tag", "sha": "b" * 40, "pipeline_id": "7", "job_id": "8",
    "ci_config_ref_uri": "forge.example/acme/web//.gitlab-ci.yml@refs/tags/v1", "runner_environment": "self-hosted",
}  # fmt: skip


def test_a_job_of_github_actions_names_workflow_source_and_run():
    build = build_of("https://token.actions.githubusercontent.com", GITHUB)
    assert build is not None
    assert build.type == GITHUB_TYPE
    assert build.builder == "https://github.com/acme/web/.github/workflows/release.yml@refs/heads/main"
    assert build.source == "git+https://github.com/acme/web@refs/tags/v1"
    assert (build.commit, build.invocation) == ("a" * 40, "https://github.com/acme/web/actions/runs/12/attempts/2")
    assert build.external == {
        "repository": "https://github.com/acme/web", "ref": "refs/heads/main", "path": ".github/workflows/release.yml",
    }  # fmt: skip
    assert build.internal == {"event_name": "push", "runner_environment": "github-hosted"}


@pytest.mark.parametrize(
    ("issuer", "server"),
    [
        ("https://token.actions.acme.ghe.com", "https://acme.ghe.com"),
        ("https://forge.example/_services/token", "https://forge.example"),
        ("https://token.actions.githubusercontent.com.forge.example", None),
    ],
)
def test_the_server_follows_from_the_issuer_s_address_alone(issuer, server):
    build = build_of(issuer, {**GITHUB, "iss": "https://github.com", "server_url": "https://github.com"})
    assert build is not None
    assert build.source == f"git+{server or issuer}/acme/web@refs/tags/v1"


def test_a_reusable_workflow_is_the_builder():
    build = build_of("https://forge.example", {**GITHUB, "job_workflow_ref": "acme/shared/b.yml@refs/tags/v3"})
    assert build is not None
    assert build.builder == "https://forge.example/acme/shared/b.yml@refs/tags/v3"


def test_a_job_of_gitlab_names_configuration_source_and_job():
    build = build_of("https://forge.example", GITLAB)
    assert build is not None
    assert build.builder == "https://forge.example/acme/web//.gitlab-ci.yml@refs/tags/v1"
    assert build.source == "git+https://forge.example/acme/web@refs/tags/v1"
    assert build.invocation == "https://forge.example/acme/web/-/jobs/8"
    assert build.internal["pipeline_id"] == "7"


@pytest.mark.parametrize("claims", [GITHUB, GITLAB])
def test_says_nothing_where_a_claim_is_missing(claims):
    for name in ("ref", "sha", "run_id" if claims is GITHUB else "job_id"):
        assert build_of("https://forge.example", {k: v for k, v in claims.items() if k != name}) is None
    assert build_of("https://forge.example", {**claims, "sha": "main"}) is None


def test_a_workflow_of_another_repository_is_not_taken_for_its_own():
    assert build_of("https://forge.example", {**GITHUB, "workflow_ref": "other/web/release.yml@main"}) is None
    assert build_of("https://forge.example", {**GITHUB, "workflow_ref": "acme/web/release.yml"}) is None
