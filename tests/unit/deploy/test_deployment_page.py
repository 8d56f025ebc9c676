"""docs/deployment.md says of the cluster what the manifests say."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.manifests import render

from .files import ROOT, services, text

UNITS = {"m": 0.001, "": 1, "Mi": 2**20, "Gi": 2**30}


def amount(quantity: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(m|Mi|Gi|)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def test_every_folder_that_can_be_applied_or_added_is_explained() -> None:
    folders = {str(path.parent.relative_to(ROOT)) for path in (ROOT / "k8s").rglob("kustomization.yaml")}
    assert set(re.findall(r"^\| `(k8s/[\w/-]+)` \|", text("docs/deployment.md"), re.M)) == folders


def test_the_page_names_what_the_small_overlay_asks_for() -> None:
    objects = [yaml.safe_load(each) for each in render("k8s/overlays/local")]
    asked = {"cpu": 0.0, "memory": 0.0}
    for each in (each for each in objects if "template" in each.get("spec", {})):
        [container] = each["spec"]["template"]["spec"]["containers"]
        for what, quantity in container["resources"]["requests"].items():
            asked[what] += each["spec"]["replicas"] * amount(quantity)
    said = f"it asks for {asked['cpu']:.1f} cores and {asked['memory'] / 1e9:.1f} GB"
    assert said in text("docs/deployment.md")


@pytest.mark.parametrize("overlay", sorted(path.name for path in (ROOT / "k8s/overlays").iterdir()))
def test_a_registry_can_be_named_in_every_overlay(overlay: str, tmp_path: Path) -> None:
    # As the page says, over the overlay as it is: a name that the overlay changes would be passed over.
    page = re.findall(r"(neoserve-\w+)=(REGISTRY/neoserve-\w+):(\S+)", text("docs/deployment.md"))
    images = [{"name": name, "newName": there, "newTag": tag} for name, there, tag in page]
    assert len(images) == 2
    resources = [os.path.relpath(ROOT / "k8s/overlays" / overlay, tmp_path)]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": resources, "images": images}))
    named = set(re.findall(r"image: (.*neoserve-.*)", "".join(render(str(tmp_path)))))
    assert named == {f"{there}:{tag}" for _, there, tag in page}


def test_the_autoscalers_have_the_bounds_that_the_page_names() -> None:
    scalers = {
        "api-hpa": ("hpa.yaml", "minReplicas", "maxReplicas"),
        "worker-hpa": ("hpa.yaml", "minReplicas", "maxReplicas"),
        "worker-keda": ("scaled-object.yaml", "minReplicaCount", "maxReplicaCount"),
    }
    for name, (file, least, most) in scalers.items():
        spec = yaml.safe_load(text(f"k8s/components/{name}/{file}"))["spec"]
        row = re.search(rf"^\| `k8s/components/{name}` \| (\d+) to (\d+) ", text("docs/deployment.md"), re.M)
        assert row is not None, name
        assert [int(each) for each in row.groups()] == [spec[least], spec[most]]


def test_every_secret_of_production_stands_with_what_has_to_be_set_up() -> None:
    named = set(
        re.findall(
            r"secretName: (\S+)|secretKeyRef:\s+key: \S+\s+name: (\S+)",
            "".join(render("k8s/overlays/production")),
        )
    )
    secrets = {one or other for one, other in named}
    assert secrets == {"neoserve-keys", "neoserve-redis"}
    [to_set_up] = re.findall(
        r"^What you have to set up:\n(.*?)^No job", text("docs/deployment.md"), re.M | re.S
    )
    for place in (
        to_set_up,
        text("docs/deployment.md").partition("### In production")[2].partition("### ")[0],
    ):
        assert {each for each in secrets if each in place} == secrets


def test_the_page_names_the_settings_that_a_file_beside_compose_cannot_change() -> None:
    fixed = {name for part in ("api", "worker") for name in services()[part]["environment"]}
    [said] = re.findall(
        r"takes them over\. (.*?) stand in `docker-compose.yml`", text("docs/deployment.md"), re.S
    )
    assert set(re.findall(r"`(\w+)`", said)) == fixed


def test_the_changelog_says_what_an_upgrade_needs_where_callers_had_no_keys() -> None:
    changed = text("CHANGELOG.md").partition("### Changed")[2]
    assert "NEOSERVE_API_KEYS_FILE" in changed
    assert "NEOSERVE_INSECURE=1" in changed
    assert "`neoserve-keys`" in changed


def test_the_page_names_the_room_that_a_worker_has_for_a_model_of_the_hub() -> None:
    [worker] = (
        each
        for each in map(yaml.safe_load, render("k8s/base"))
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "worker")
    )
    [room] = worker["spec"]["template"]["spec"]["volumes"]
    assert f"its pod has {room['emptyDir']['sizeLimit'].replace('Mi', ' MiB')}" in text("docs/deployment.md")


def test_the_file_that_is_applied_alone_says_which_secret_it_needs() -> None:
    said, made = re.fullmatch(r"((?:#[^\n]*\n)+)(.*)", text("k8s/deployment.yaml"), re.S).groups()  # type: ignore[union-attr]
    assert "`neoserve-keys`" in said
    # Nothing of the first object has become part of what is said.
    assert {(each["apiVersion"], each["kind"]) for each in yaml.safe_load_all(made)} >= {("v1", "ConfigMap")}
