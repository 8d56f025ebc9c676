"""k8s/deploy.sh, with programs in place of kubectl and kustomize that write down what they are asked for."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.manifests import render

ROOT = Path(__file__).resolve().parents[3]

API, WORKER = "ghcr.io/x/neoserve-api@sha256:aa", "ghcr.io/x/neoserve-worker@sha256:bb"

#: `fails`: patterns, each of the next call that fails; `revisions`: a line `PART BEFORE AFTER` for each part.
KUBECTL = """#!{python}
import pathlib, re, sys
folder = pathlib.Path({folder!r})
call = " ".join(sys.argv[1:])
with (folder / "calls").open("a") as calls:
    calls.write(f"kubectl {{call}}\\n")
fails = (folder / "fails").read_text().splitlines()
for pattern in filter(None, fails):
    if re.search(pattern, call):
        fails.remove(pattern)
        (folder / "fails").write_text("\\n".join(fails))
        sys.exit(1)
if call == "kustomize .":
    print((folder / "rendered").read_text())
if "apply --kustomize" in call:
    (folder / "applied").touch()
if asked := re.search("get deployment (\\\\w+)", call):
    revisions = dict(line.split(None, 1) for line in (folder / "revisions").read_text().splitlines())
    before, after = revisions[asked[1]].split()
    print((after if (folder / "applied").exists() else before).strip("-"), end="")
"""

KUSTOMIZE = """#!/bin/sh
echo "kustomize $*" >> {folder}/calls
"""

#: As often as it is looked whether a release serves.
DOES_NOT_SERVE = "\n".join(["get --raw"] * 3)


@dataclass
class Cluster:
    folder: Path
    calls: list[str] = field(default_factory=list)

    def deploy(
        self,
        *arguments: str,
        fails: str = "",
        revisions: str = "api 4 5\nworker 7 8\n",
        images: tuple[str, ...] = (API, WORKER),
    ) -> int:
        (self.folder / "fails").write_text(f"{fails}\n")
        (self.folder / "revisions").write_text(revisions)
        (self.folder / "rendered").write_text("".join(f"      - image: {each}\n" for each in images))
        environment = os.environ | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(
            [self.folder / "k8s/deploy.sh", *(arguments or ("production", API, WORKER))],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        calls = self.folder / "calls"
        self.calls = calls.read_text().splitlines() if calls.exists() else []
        return done.returncode

    def said(self, pattern: str) -> list[int]:
        """Which calls match."""
        return [number for number, call in enumerate(self.calls) if re.search(pattern, call)]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    (tmp_path / "bin").mkdir()
    for name, text in (("kubectl", KUBECTL), ("kustomize", KUSTOMIZE), ("sleep", "#!/bin/sh")):
        program = tmp_path / "bin" / name
        program.write_text(text.format(python=sys.executable, folder=str(tmp_path)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Cluster(tmp_path)


def test_a_release_that_serves_is_left_alone(cluster: Cluster) -> None:
    assert cluster.deploy() == 0
    [images] = cluster.said("kustomize edit set image")
    assert cluster.calls[images].endswith(f"neoserve-api={API} neoserve-worker={WORKER}")
    [apply] = cluster.said("apply --kustomize")
    rollouts = cluster.said(r"rollout status deployment/(api|worker) --timeout \d+m")
    [smoke] = cluster.said("get --raw .*/namespaces/neoserve/services/api:http/proxy/readyz")
    assert images < apply < min(rollouts) < max(rollouts) < smoke
    assert len(rollouts) == 2
    assert not cluster.said("undo")


@pytest.mark.parametrize("fails", ["get --raw", "get --raw\nget --raw"])
def test_a_look_that_is_lost_on_its_way_undoes_nothing(cluster: Cluster, fails: str) -> None:
    assert cluster.deploy(fails=fails) == 0
    assert not cluster.said("rollout undo")


def test_every_call_that_has_a_namespace_names_that_of_the_overlay(cluster: Cluster) -> None:
    cluster.deploy(fails=DOES_NOT_SERVE)
    calls = [call for call in cluster.calls if re.match("kubectl (?!apply|kustomize)", call)]
    assert all(call.startswith("kubectl --namespace neoserve ") for call in calls)


@pytest.mark.parametrize(
    "fails",
    ["rollout status deployment/api", "rollout status deployment/worker", DOES_NOT_SERVE],
)
def test_one_that_does_not_come_up_goes_back_to_what_was_there(cluster: Cluster, fails: str) -> None:
    assert cluster.deploy(fails=fails) == 1
    undone = [cluster.calls[number].split("rollout undo ")[1] for number in cluster.said("rollout undo")]
    assert undone == ["deployment/api --to-revision 4", "deployment/worker --to-revision 7"]
    assert max(cluster.said("rollout status")) > max(cluster.said("rollout undo"))
    assert max(cluster.said("get --raw")) > max(cluster.said("rollout undo"))


def test_what_the_release_did_not_change_stays_where_it_is(cluster: Cluster) -> None:
    assert cluster.deploy(fails="rollout status", revisions="api 4 5\nworker 7 7\n") == 1
    assert len(cluster.said("rollout undo")) == 1
    assert cluster.said("rollout undo deployment/api --to-revision 4")


def test_an_apply_that_fails_half_way_goes_back_as_well(cluster: Cluster) -> None:
    assert cluster.deploy(fails="apply --kustomize", revisions="api 4 4\nworker 7 7\n") == 1
    assert not cluster.said("rollout undo")
    assert cluster.said("get --raw")


def test_without_anything_before_somebody_has_to_look(cluster: Cluster) -> None:
    assert cluster.deploy(fails=DOES_NOT_SERVE, revisions="api - 1\nworker - 1\n") == 2
    assert not cluster.said("rollout undo")


def test_when_what_was_there_does_not_come_back_somebody_has_to_look(cluster: Cluster) -> None:
    assert cluster.deploy(fails=f"{DOES_NOT_SERVE}\n{DOES_NOT_SERVE}") == 2
    assert len(cluster.said("rollout undo")) == 2


@pytest.mark.parametrize("arguments", [("production",), ("production", "", WORKER), ("production", API, "")])
def test_without_both_images_nothing_is_touched(cluster: Cluster, arguments: tuple[str, ...]) -> None:
    assert cluster.deploy(*arguments) == 64
    assert cluster.calls == []


def test_a_step_back_that_is_refused_is_not_said_to_have_been_made(cluster: Cluster) -> None:
    # By then the release may serve, as the one that failed to for a moment.
    assert cluster.deploy(fails=f"{DOES_NOT_SERVE}\nrollout undo deployment/api") == 2
    assert cluster.said("rollout undo deployment/worker")


def test_an_overlay_that_takes_other_images_is_not_applied(cluster: Cluster) -> None:
    # ../production names a registry: in production-operators there is no neoserve-api any more.
    images = (API, "registry/neoserve-worker:1")
    assert cluster.deploy("production-operators", API, WORKER, images=images) == 64
    assert not cluster.said("apply")


def test_images_stand_in_a_rendered_overlay_as_the_script_looks_for_them() -> None:
    lines = {each.strip(" -") for each in "".join(render("k8s/overlays/production")).splitlines()}
    assert {"image: neoserve-api:0.1.0", "image: neoserve-worker:0.1.0"} <= lines
