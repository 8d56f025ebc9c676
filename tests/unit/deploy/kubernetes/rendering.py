"""What `kubectl kustomize` makes of k8s/."""

from __future__ import annotations

from functools import cache

import pytest
import yaml

from tests.manifests import render
from tests.unit.deploy.files import ROOT

from .cluster import Cluster


def _folders(kind: str) -> list[str]:
    """Those below k8s/ that hold a kustomization.yaml of that kind."""
    found = {
        str(path.parent.relative_to(ROOT)): yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in (ROOT / "k8s").rglob("kustomization.yaml")
    }
    return sorted(folder for folder, each in found.items() if each["kind"] == kind)


BASE = "k8s/base"
LOCAL = "k8s/overlays/local"
PRODUCTION = "k8s/overlays/production"
OPERATORS = "k8s/overlays/production-operators"

#: What is applied.
OVERLAYS = [each for each in _folders("Kustomization") if each != BASE]

#: What overlays are put together from.
COMPONENTS = _folders("Component")

every_kustomization = pytest.mark.parametrize("folder", [BASE, *OVERLAYS])

every_overlay = pytest.mark.parametrize("folder", OVERLAYS)


@cache
def rendered(folder: str) -> Cluster:
    return Cluster(map(yaml.safe_load, render(folder)))
