"""The workflow: what the linters do not look at."""

from __future__ import annotations

import re
from typing import Any

from .files import DOCKERFILES, load, text, workloads

PATH = ".github/workflows/cicd.yml"


def jobs() -> dict[str, Any]:
    found: dict[str, Any] = load(PATH)["jobs"]
    return found


def scripts(job: str) -> str:
    return "\n".join(step.get("run", "") for step in jobs()[job]["steps"])


def test_images_wait_for_the_tests_and_the_deployment_for_the_images() -> None:
    assert "make test" in scripts("test")
    assert jobs()["images"]["needs"] == "test"
    assert jobs()["deploy"]["needs"] == "images"


def test_only_the_default_branch_pushes_and_deploys() -> None:
    condition = jobs()["images"]["if"]
    assert "github.event_name == 'push'" in condition
    assert "github.ref_name == github.event.repository.default_branch" in condition
    # A job whose need was skipped is skipped too, unless a condition of its own says otherwise.
    assert "if" not in jobs()["deploy"]


def test_a_job_may_do_no_more_than_it_needs() -> None:
    assert load(PATH)["permissions"] == {}
    allowed = {name: job["permissions"] for name, job in jobs().items()}
    assert allowed["images"] == {"contents": "read", "packages": "write"}
    assert allowed["test"] == allowed["deploy"] == {"contents": "read"}


def test_the_deployment_stands_behind_an_environment() -> None:
    assert jobs()["deploy"]["environment"] == "production"


def test_a_deployment_that_has_begun_is_not_cut_off() -> None:
    assert load(PATH)["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


def test_every_action_is_pinned_by_commit_and_names_its_version() -> None:
    uses = re.findall(r"uses: *(.*)", text(PATH))
    assert uses
    for line in uses:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_nothing_trusts_an_unknown_host_or_a_moving_tag() -> None:
    for word in ("StrictHostKeyChecking", "ssh-keyscan", ":latest", "pull_request_target", "curl", "| sh"):
        assert word not in text(PATH)


def test_no_event_text_reaches_a_shell() -> None:
    assert not [name for name in jobs() if "${{" in scripts(name)]


def test_every_job_has_a_time_limit() -> None:
    assert all(job["timeout-minutes"] <= 30 for job in jobs().values())


def test_it_builds_the_dockerfiles_that_exist() -> None:
    assert jobs()["images"]["strategy"]["matrix"]["part"] == list(DOCKERFILES)


def test_the_deployment_sets_both_images_and_waits_for_both_rollouts() -> None:
    for part in DOCKERFILES:
        assert f"neoserve-{part}=$registry/neoserve-{part}:$GITHUB_SHA" in scripts("deploy")
        assert f"kubectl rollout status deployment/{part} " in scripts("deploy")
        assert f"Deployment/{part}" in workloads()
