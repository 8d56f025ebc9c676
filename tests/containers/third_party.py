"""Stand-ins for the images of others that docker-compose.yml names, where their registries are out of reach.

The same programs from Debian and from the package index, in whatever version those have; only Grafana, which
neither has, is a server that answers and draws nothing.
"""

from __future__ import annotations

from typing import Any

import yaml

from .engine import ROOT, Engine

FOLDER = ROOT / "tests/containers/stand_ins"

#: Name of an image, without its tag, to the stage of the Dockerfile that stands in for it.
STAGES = {
    "redis": "redis",
    "prom/prometheus": "prometheus",
    "prom/alertmanager": "alertmanager",
    "oliver006/redis_exporter": "redis-exporter",
    "ghcr.io/danihodovic/celery-exporter": "celery-exporter",
    "grafana/grafana": "grafana",
}


def services() -> dict[str, Any]:
    """Those of docker-compose.yml."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def names() -> set[str]:
    """Of all images there that the project does not build itself."""
    return {service["image"] for service in services().values() if "build" not in service}


def build_third_party(engine: Engine) -> None:
    """Each under exactly the name that docker-compose.yml has. Fetches what it needs."""
    for name in sorted(names()):
        repository = name.rpartition(":")[0]
        engine.build(name, FOLDER / "Dockerfile", context=FOLDER, target=STAGES[repository])
