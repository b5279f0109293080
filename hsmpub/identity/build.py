"""From which build a CI job asks, in the words of its identity token: what provenance says.

Two dialects are known: that of GitHub Actions, whose build type is theirs, and that of GitLab CI. Which of them a token
speaks shows in its claims; the server's address comes from the issuer's URL in the policy, never from a claim.
Source: GitHub, "OpenID Connect reference" and the build type https://actions.github.io/buildtypes/workflow/v1; GitLab,
"OpenID Connect ID tokens".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hsmpub.model.attested import Build

GITHUB_TYPE = "https://actions.github.io/buildtypes/workflow/v1"
GITLAB_TYPE = "urn:hsmpub:gitlab-ci:v1"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_GITHUB = ("repository", "ref", "sha", "workflow_ref", "run_id", "run_attempt")
_GITLAB = ("project_path", "ref", "sha", "ci_config_ref_uri", "pipeline_id", "job_id")
_GITHUB_MORE = ("event_name", "repository_id", "repository_owner_id", "runner_environment", "environment", "actor_id",
                "workflow_sha", "job_workflow_sha")  # fmt: skip
_GITLAB_MORE = ("project_id", "namespace_id", "ref_type", "ref_protected", "pipeline_source", "runner_environment",
                "environment", "user_id", "ci_config_sha")  # fmt: skip


def build_of(issuer_url: str, claims: Mapping[str, str]) -> Build | None:
    """What a verified token says of its build; None: it does not say enough of it.

    Args:
        issuer_url: as the policy pins it. claims: of the token, as text.
    """
    if not _COMMIT.fullmatch(claims.get("sha", "")):
        return None
    if all(claims.get(name) for name in _GITHUB):
        return _github(_server(issuer_url), claims)
    if all(claims.get(name) for name in _GITLAB):
        return _gitlab(issuer_url.rstrip("/"), claims)
    return None


def _github(server: str, claims: Mapping[str, str]) -> Build | None:
    repository = claims["repository"]
    path, _, ref = claims["workflow_ref"].removeprefix(f"{repository}/").rpartition("@")
    if not path or not claims["workflow_ref"].startswith(f"{repository}/"):
        return None
    where = f"{server}/{repository}"
    return Build(
        builder=f"{server}/{claims.get('job_workflow_ref') or claims['workflow_ref']}",
        type=GITHUB_TYPE,
        invocation=f"{where}/actions/runs/{claims['run_id']}/attempts/{claims['run_attempt']}",
        source=f"git+{where}@{claims['ref']}",
        commit=claims["sha"],
        external={"repository": where, "ref": ref, "path": path},
        internal=_some(claims, _GITHUB_MORE),
    )


def _gitlab(server: str, claims: Mapping[str, str]) -> Build:
    where = f"{server}/{claims['project_path']}"
    full = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(claims.get("ref_type", ""), "") + claims["ref"]
    return Build(
        builder=f"https://{claims['ci_config_ref_uri']}",
        type=GITLAB_TYPE,
        invocation=f"{where}/-/jobs/{claims['job_id']}",
        source=f"git+{where}@{full}",
        commit=claims["sha"],
        external={"repository": where, "ref": full, "path": claims["ci_config_ref_uri"]},
        internal={"pipeline_id": claims["pipeline_id"], **_some(claims, _GITLAB_MORE)},
    )


def _some(claims: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: claims[name] for name in names if claims.get(name)}


def _server(issuer_url: str) -> str:
    """The forge of an issuer: github.com's and those of *.ghe.com have hosts of their own, servers a path."""
    url = issuer_url.rstrip("/").removesuffix("/_services/token")
    return re.sub(r"^https://token\.actions\.(githubusercontent\.com|([a-z0-9-]+\.ghe\.com))$",
                  lambda m: f"https://{m[2] or 'github.com'}", url)  # fmt: skip
