"""Manifests that are made from others: `python -m tests.manifests` writes them, and tests compare them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]

NOTE = "# Made by `make manifests` from {source}; a change is made there.\n"

FIRST = '# No API pod starts without the Secret `neoserve-keys`: docs/deployment.md, "In production".\n'

#: Of one namespace: our series, and those that any other scraped pod has too.
_OURS = re.compile(r"\b((?:neoserve|redis)_\w+|up)\b(?:\{([^}]*)\})?")


class _Dumper(yaml.SafeDumper):
    """Several lines as several lines."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def render(folder: str) -> list[str]:
    """What `kubectl apply -k` would send, a document for each object."""
    kubectl = Path(sys.executable).with_name("kubectl")
    made = subprocess.run(
        [kubectl, "kustomize", ROOT / folder], capture_output=True, text=True, check=True, timeout=60
    )
    return made.stdout.split("---\n")


def of_namespace(expression: str, namespace: str) -> str:
    """The same of the series of one namespace."""

    def limited(found: re.Match[str]) -> str:
        matchers = [f'namespace="{namespace}"', *filter(None, [found[2]])]
        return f"{found[1]}{{{', '.join(matchers)}}}"

    return _OURS.sub(limited, expression)


def prometheus_rule() -> dict[str, Any]:
    """alert_rules.yml for the Prometheus Operator, whose Prometheus watches other namespaces as well."""
    spec = yaml.safe_load((ROOT / "alert_rules.yml").read_text(encoding="utf-8"))
    for group in spec["groups"]:
        for rule in group["rules"]:
            rule["expr"] = of_namespace(rule["expr"], "neoserve")
    labels = {"app.kubernetes.io/name": "neoserve", "app.kubernetes.io/component": "monitoring"}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "neoserve", "labels": labels},
        "spec": spec,
    }


def written() -> dict[str, str]:
    """File to its text."""
    base = {text: yaml.safe_load(text) for text in render("k8s/base")}
    services = [text for text, each in base.items() if each["kind"] == "Service"]
    # No pod needs the dashboard.
    pods = [
        text for text, each in base.items()
        if text not in services and "grafana_dashboard" not in each["metadata"]["labels"]
    ]  # fmt: skip
    return {
        "k8s/service.yaml": NOTE.format(source="k8s/base") + "---\n".join(services),
        "k8s/deployment.yaml": NOTE.format(source="k8s/base") + FIRST + "---\n".join(pods),
        "k8s/components/prometheus-operator/rules.yaml": NOTE.format(source="alert_rules.yml")
        + yaml.dump(prometheus_rule(), Dumper=_Dumper, sort_keys=False, width=120),
    }


if __name__ == "__main__":
    for name, content in written().items():
        (ROOT / name).write_text(content, encoding="utf-8")
