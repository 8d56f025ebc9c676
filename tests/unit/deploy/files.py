"""The deployment files, parsed."""

from __future__ import annotations

import configparser
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]

DOCKERFILES = {"api": "Dockerfile.api", "worker": "Dockerfile.worker"}

SUFFIXES = {"counter": ("",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def load(name: str) -> Any:
    return yaml.safe_load(text(name))


def services() -> dict[str, Any]:
    found: dict[str, Any] = load("docker-compose.yml")["services"]
    return found


def kustomization() -> dict[str, Any]:
    found: dict[str, Any] = load("k8s/base/kustomization.yaml")
    return found


def manifests() -> dict[str, Any]:
    """Kind/name to manifest, of every resource the kustomization lists."""
    resources = [load(f"k8s/base/{name}") for name in kustomization()["resources"]]
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in resources}


def workloads() -> dict[str, Any]:
    return {name: each for name, each in manifests().items() if "template" in each["spec"]}


def containers() -> dict[str, Any]:
    """Workload's name to its one container."""
    found = {}
    for name, each in workloads().items():
        [found[name.split("/")[1]]] = each["spec"]["template"]["spec"]["containers"]
    return found


def instructions(part: str) -> list[tuple[str, str]]:
    """(instruction, argument) of every line of a Dockerfile, continued lines joined."""
    lines = text(DOCKERFILES[part]).replace("\\\n", " ").splitlines()
    pairs = (line.split(None, 1) for line in lines if line.strip() and not line.startswith("#"))
    return [(word, rest.strip()) for word, rest in pairs]


def stages(part: str) -> list[list[tuple[str, str]]]:
    """The instructions of each stage, from its FROM on."""
    lines = instructions(part)
    starts = [index for index, (word, _) in enumerate(lines) if word == "FROM"]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def final_stage(part: str) -> list[tuple[str, str]]:
    return stages(part)[-1]


def code_stage(part: str) -> list[tuple[str, str]]:
    """That of which the final one has its code."""
    [found] = [each for each in stages(part) if each[0][1].endswith(" AS code")]
    return found


def copied(part: str) -> list[tuple[str, str]]:
    """(source, target) of what comes from the repository."""
    lines = [*code_stage(part), *final_stage(part)]
    pairs = [rest.split() for word, rest in lines if word == "COPY" and "--from" not in rest]
    return [(source, target) for source, target in pairs]


def image_environment(part: str) -> dict[str, str]:
    [declared] = [rest for word, rest in final_stage(part) if word == "ENV"]
    return dict(pair.split("=", 1) for pair in declared.split())


def version() -> str:
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    return metadata["metadata"]["version"]


def seconds(duration: str) -> int:
    """Of a duration such as 40s or 10m."""
    amount, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()  # type: ignore[union-attr]
    return int(amount) * {"s": 1, "m": 60, "h": 3600}[unit]


def documented_series() -> set[str]:
    """Those of docs/metrics.md, as a query names them."""
    rows = re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|", text("docs/metrics.md"), re.M)
    return {name + suffix for name, kind in rows for suffix in SUFFIXES[kind]}
