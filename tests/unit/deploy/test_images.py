"""Dockerfiles, and the images that compose and the cluster name."""

from __future__ import annotations

import json
import re
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

from .files import (
    DOCKERFILES,
    ROOT,
    copied,
    final_stage,
    image_environment,
    instructions,
    services,
    stages,
    text,
    version,
)

both = pytest.mark.parametrize("part", sorted(DOCKERFILES))


def argument(part: str, word: str) -> str:
    [found] = [rest for each, rest in final_stage(part) if each == word]
    return found


@both
def test_an_image_runs_as_a_numeric_user_who_is_not_root(part: str) -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", argument(part, "USER"))


@both
def test_the_process_itself_gets_the_stop_signal(part: str) -> None:
    command = json.loads(argument(part, "CMD"))  # JSON is the exec form: no shell in between
    assert command[0] in {each.name for each in entry_points(group="console_scripts")}
    assert argument(part, "STOPSIGNAL") == "SIGTERM"


@both
def test_an_init_process_is_in_the_image_and_comes_first(part: str) -> None:
    assert json.loads(argument(part, "ENTRYPOINT")) == ["tini", "--"]
    [installed] = [rest for word, rest in final_stage(part) if word == "RUN"]
    assert "tini" in installed.split()


@both
def test_the_label_tells_the_version_and_what_changes_often_comes_last(part: str) -> None:
    arguments = [("ARG", f"VERSION={version()}"), ("ARG", "REVISION="), ("ARG", "SOURCE=")]
    *told, (last, labels) = final_stage(part)[-4:]
    assert told == arguments
    assert last == "LABEL"
    assert 'version="$VERSION"' in labels


def test_a_worker_asks_no_hub_and_serves_what_was_baked_in() -> None:
    environment = image_environment("worker")
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["NEOSERVE_MODEL"] == "$MODEL"
    assert environment["NEOSERVE_MODEL_REVISION"] == "$MODEL_REVISION"
    assert ("ARG", "MODEL=stories") in final_stage("worker")


@both
def test_packages_are_locked_and_installed_before_the_code_is_copied(part: str) -> None:
    lines = instructions(part)
    install = lines.index(("RUN", f"pip install --no-cache-dir --require-hashes -r /tmp/{part}.txt"))
    first_copy = next(
        i for i, (word, rest) in enumerate(lines) if word == "COPY" and rest.startswith(("tasks", "api"))
    )
    assert ("COPY", f"requirements/{part}.txt /tmp/{part}.txt") in lines[:install]
    assert install < first_copy


@both
def test_no_line_makes_the_build_fetch_its_syntax(part: str) -> None:
    assert "# syntax=" not in text(DOCKERFILES[part])


@both
def test_rights_of_the_checkout_do_not_come_into_the_image(part: str) -> None:
    # A strict umask, or safetensors, leaves files for their owner alone; the image has another user.
    copies = [rest for word, rest in final_stage(part) if word == "COPY"]
    assert all(each.startswith("--from=") for each in copies)
    for stage in stages(part):
        name = stage[0][1].rpartition(" AS ")[2]
        if f"--from={name} /app /app" in copies:
            assert any(word == "RUN" and rest.startswith("chmod -R a+rX .") for word, rest in stage), name


@both
def test_what_is_copied_is_not_ignored(part: str) -> None:
    kept = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    for source, _ in copied(part):
        assert (ROOT / source).exists()
        assert Path(source).parts[0] in kept


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+)==(\S+)", text(f"requirements/{lock}.txt"), re.MULTILINE))


@both
def test_an_image_has_what_makes_traces_only_when_it_is_asked_for(part: str) -> None:
    lines = instructions(part)
    asked = lines.index(("ARG", "OTEL="))
    assert lines[asked + 1] == ("COPY", "requirements/otel.txt /tmp/otel.txt")
    assert lines[asked + 2][1].startswith('[ -z "$OTEL" ] || pip install --no-cache-dir --require-hashes -r')
    assert not any(name.startswith("opentelemetry") for name in pins(part))


@pytest.mark.parametrize("lock", ["api", "worker", "run", "dev"])
def test_what_makes_traces_changes_no_version_of_another_lock(lock: str) -> None:
    wanted, there = pins("otel"), pins(lock)
    assert "opentelemetry-sdk" in wanted
    assert {name: there[name] for name in wanted.keys() & there.keys()} == {
        name: wanted[name] for name in wanted.keys() & there.keys()
    }


def test_the_api_image_has_no_torch() -> None:
    assert not re.search(r"^(torch|transformers)==", text("requirements/api.txt"), re.MULTILINE)
    assert "torch" not in "".join(rest for _, rest in instructions("api"))


def test_the_worker_image_and_make_install_the_same_torch_from_the_same_index() -> None:
    lines = instructions("worker")
    assert ("ARG", "TORCH_INDEX=https://download.pytorch.org/whl/cpu") in lines
    assert "TORCH_INDEX ?= https://download.pytorch.org/whl/cpu" in text("Makefile")
    made = re.findall(r"^TORCH_VERSION := (.*)$", text("Makefile"), re.MULTILINE)
    built = re.findall(r"torch==([\d.]+)", " ".join(rest for _, rest in lines))
    assert made == built


def test_the_api_command_names_a_configuration_and_an_application_that_exist() -> None:
    command = json.loads(argument("api", "CMD"))
    assert command[:2] == ["gunicorn", "-c"]
    assert find_spec(command[2].removeprefix("python:"))
    module, call = command[3].split(":")
    assert module == "api.app"
    assert call == "from_environment()"


def test_the_worker_command_names_a_module_that_exists() -> None:
    command = json.loads(argument("worker", "CMD"))
    assert command[0] == "celery"
    assert find_spec(command[command.index("-A") + 1])
    assert services()["worker"]["command"] == [*command, "--task-events"]


def test_every_image_is_pinned_and_ours_carry_the_version() -> None:
    for image in (each["image"] for each in services().values()):
        assert re.search(r":v?\d+\.\d+\.\d+(-[a-z]+)?$", image), image
    for part in DOCKERFILES:
        assert services()[part]["image"] == f"neoserve-{part}:{version()}"


@both
def test_the_base_image_names_a_version(part: str) -> None:
    [base] = [rest for word, rest in instructions(part) if word == "ARG" and rest.startswith("PYTHON_IMAGE=")]
    assert base == "PYTHON_IMAGE=python:3.11-slim-bookworm"
    froms = [rest.split() for word, rest in instructions(part) if word == "FROM"]
    assert {each[0] for each in froms} - {each[2] for each in froms if len(each) == 3} == {"${PYTHON_IMAGE}"}


@both
def test_cluster_and_image_agree_on_the_user(part: str) -> None:
    assert image_environment(part)["HOME"] == "/tmp"
