"""One name for each image, wherever it is built, pushed, tried or run."""

from __future__ import annotations

import re

import pytest

from tests.unit.deploy.files import DOCKERFILES, load, services, text, version

from .cluster import Cluster, containers, pod
from .rendering import BASE, every_kustomization, every_overlay, rendered

PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+(-[a-z]+)?(@sha256:[0-9a-f]{64})?")


def images(cluster: Cluster) -> dict[str, str]:
    """Container's name to its image."""
    return {
        each["name"]: each["image"] for workload in cluster.workloads for each in pod(workload)["containers"]
    }


def complaints(cluster: Cluster) -> list[str]:
    return [name for name, each in containers(cluster) if not PINNED.fullmatch(each["image"])]


@every_kustomization
def test_every_image_is_a_version_that_does_not_move(folder: str) -> None:
    assert complaints(rendered(folder)) == []


@pytest.mark.parametrize("image", ["redis", "redis:latest", "redis:8", "redis:8.10", "redis:alpine"])
def test_one_that_moves_is_found(image: str) -> None:
    path = "spec/template/spec/containers/0/image"
    assert complaints(rendered(BASE).changed("StatefulSet/redis", path, image)) == ["StatefulSet/redis/redis"]


@every_kustomization
def test_a_cluster_runs_what_compose_runs(folder: str) -> None:
    here, there = images(rendered(folder)), {name: each["image"] for name, each in services().items()}
    for name, image in here.items():
        # In production, of a registry.
        assert image.removeprefix("registry.example.com/") == there[name], name


@every_kustomization
@pytest.mark.parametrize("part", sorted(DOCKERFILES))
def test_our_images_carry_our_version(folder: str, part: str) -> None:
    assert images(rendered(folder))[part].endswith(f"neoserve-{part}:{version()}")


@every_overlay
def test_an_overlay_renames_all_of_ours_or_none(folder: str) -> None:
    # One that the base does not name would be passed over without a word.
    renamed = {each["name"] for each in load(f"{folder}/kustomization.yaml").get("images", [])}
    assert renamed in (set(), {f"neoserve-{part}" for part in DOCKERFILES})


@pytest.mark.parametrize("part", sorted(DOCKERFILES))
def test_the_documentation_builds_and_pushes_it_by_that_name(part: str) -> None:
    page = text("docs/deployment.md")
    assert f"docker build -f {DOCKERFILES[part]} -t neoserve-{part}:{version()} ." in page
    assert f"neoserve-{part}=" in page
    named = set(re.findall(rf"neoserve-{part}:(\d+\.\d+\.\d+)", page + text("README.md")))
    assert named == {version()}


def test_the_workflow_pushes_each_by_that_name() -> None:
    pushed = re.findall(r"ghcr\.io/\$\{GITHUB_REPOSITORY,,\}/([^\s\"]+)", text(".github/workflows/cicd.yml"))
    assert pushed == ["neoserve-$part"]
