"""What is applied is what is written, and all of it."""

from __future__ import annotations

import re

import yaml

from tests.unit.deploy.files import ROOT, load

from .cluster import title
from .rendering import BASE, COMPONENTS, OPERATORS, OVERLAYS, PRODUCTION, every_kustomization, rendered


def test_there_is_an_overlay_for_each_place() -> None:
    assert OVERLAYS == ["k8s/overlays/local", PRODUCTION, OPERATORS]


def named_by(folder: str) -> set[str]:
    """The files and folders that a kustomization names, relative to the root."""
    words = re.findall(r"[\w./-]+", yaml.safe_dump(load(f"{folder}/kustomization.yaml")))
    places = [(ROOT / folder / word).resolve() for word in words]
    return {str(place.relative_to(ROOT)) for place in places if place.exists()}


def test_every_file_and_every_component_is_used() -> None:
    folders = [BASE, *OVERLAYS, *COMPONENTS]
    used = {each for folder in folders for each in named_by(folder)}
    for folder in folders:
        files = {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("*.yaml")}
        assert files - used == {f"{folder}/kustomization.yaml"}
    # How to reach the API from outside is an example: it asks nobody who they are.
    assert set(COMPONENTS) - used == {"k8s/components/ingress"}


@every_kustomization
def test_no_two_objects_have_one_name(folder: str) -> None:
    titles = [title(each) for each in rendered(folder).objects]
    assert len(titles) == len(set(titles))


@every_kustomization
def test_every_name_can_be_part_of_a_hosts_name(folder: str) -> None:
    for each in rendered(folder).objects:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", each["metadata"]["name"])
