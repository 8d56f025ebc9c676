"""The workflow: what the linters do not look at."""

from __future__ import annotations

import pytest

from .files import DOCKERFILES, load, text
from .workflow_checks import findings

PATH = ".github/workflows/cicd.yml"

#: A mistake of each kind, as what is written in place of what.
MISTAKES = [
    ("a stranger's host is trusted", "make lint", "ssh -o StrictHostKeyChecking=no host make lint"),
    ("a download is run", "make lint", "curl https://example.com/install | sh"),
    ("an action by a tag", "checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "checkout@v7"),
    ("an action without its version", " # v7.0.1", ""),
    ("a tag that moves", '"$name:$GITHUB_SHA"', '"$name:latest"'),
    ("a stranger's pull request with our rights", "  pull_request:", "  pull_request_target:"),
    ("rights for everything", "permissions: {}", "permissions: write-all"),
    ("a right too many", "      contents: read\n", "      contents: write\n"),
    ("a push before the tests", "    needs: [test, containers]\n", "    needs: containers\n"),
    ("a push of untested images", "    needs: images\n", ""),
    ("a push from any branch", "    needs: images\n    if: ", "    needs: images\n    x-if: "),
    ("a deployment without a push", "    needs: push\n", ""),
    ("a deployment whatever happened", "    needs: push\n", "    needs: push\n    if: always()\n"),
    ("a deployment that nobody approves", "    environment: production\n", ""),
    ("a secret in a script", '"$KUBECONFIG_DATA"', '"${{ secrets.KUBECONFIG_DATA }}"'),
    ("an event's text in a script", '"neoserve-$PART:', '"neoserve-${{ matrix.part }}:'),
    ("a token that stays", "          persist-credentials: false\n", "          fetch-depth: 1\n"),
    ("images that nobody looked into", "          load: true\n", "          push: true\n"),
    ("a target that is none", "make test\n", "make tests\n"),
    ("a script that is not there", "k8s/deploy.sh production", "k8s/roll.sh production"),
    ("a job without an end", "    timeout-minutes: 40\n", ""),
    ("a failure that nobody hears of", "    name: Tests\n", "    name: Tests\n    continue-on-error: true\n"),
]


def test_nothing_is_wrong_with_it() -> None:
    assert findings(text(PATH)) == []


@pytest.mark.parametrize(("old", "new"), [pytest.param(*each[1:], id=each[0]) for each in MISTAKES])
def test_a_mistake_is_found(old: str, new: str) -> None:
    assert old in text(PATH)
    assert findings(text(PATH).replace(old, new))


def test_a_deployment_that_has_begun_is_not_cut_off() -> None:
    assert load(PATH)["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


def test_it_runs_for_pushes_to_the_default_branch_and_for_pull_requests() -> None:
    assert load(PATH)[True] == {"push": {"branches": ["main"]}, "pull_request": {"branches": ["main"]}}


def test_it_builds_the_dockerfiles_that_exist_and_pushes_what_it_built() -> None:
    jobs = load(PATH)["jobs"]
    assert jobs["images"]["strategy"]["matrix"]["part"] == list(DOCKERFILES)
    [push] = [step["run"] for step in jobs["push"]["steps"] if step.get("id") == "push"]
    assert f"for part in {' '.join(DOCKERFILES)}; do" in push
    assert set(jobs["push"]["outputs"]) == set(DOCKERFILES)


def test_images_are_looked_into_before_they_are_kept() -> None:
    uses = [step.get("uses", "").partition("@")[0] for step in load(PATH)["jobs"]["images"]["steps"]]
    order = [
        "docker/build-push-action",
        "anchore/sbom-action",
        "anchore/scan-action",
        "actions/upload-artifact",
    ]
    assert [each for each in uses if each in order] == order
