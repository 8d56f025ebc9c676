"""docs/deployment.md says of the cluster what the manifests say."""

from __future__ import annotations

import re

import yaml

from tests.manifests import render

from .files import ROOT, text

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
