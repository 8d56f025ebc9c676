"""What `neoserve up` works out before it starts anything."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from client.errors import StartFailed
from client.plan import Plan, make_plan
from client.processes import ROOT, require, resolve_model
from tasks.jobs.settings import InvalidSetting
from tasks.worker.cores import num_cores
from tests.unit.worker.test_threads import enter_container

#: As the environment of a user who has set nothing.
BARE = {"HOME": "/home/me"}


def plan(environ: dict[str, str] | None = None, **options: Any) -> Plan:
    given: dict[str, Any] = {"port": None, "host": None, "workers": 1, "model": None, "data": None}
    return make_plan(environ={**BARE, **(environ or {})}, **{**given, **options})


def test_options_go_before_the_environment() -> None:
    made = plan({"NEOSERVE_PORT": "9000", "NEOSERVE_HOST": "127.0.0.2", "NEOSERVE_MODEL": "a/b"}, port=9001)
    assert (made.api.port, made.api.host, made.worker.model) == (9001, "127.0.0.2", "a/b")
    assert made.url == "http://127.0.0.2:9001"


def test_the_children_see_the_options_too() -> None:
    spec = plan(port=9001, model="scripted").api_spec("redis://server", ())
    assert spec.environ["NEOSERVE_PORT"] == "9001"
    assert spec.environ["NEOSERVE_MODEL"] == "scripted"
    assert spec.environ["HOME"] == BARE["HOME"]


def test_the_servers_address_reaches_children_by_environment_and_never_by_argument() -> None:
    made = plan(workers=2)
    secret = "redis://:secret@127.0.0.1:7001/0"
    for spec in (made.api_spec(secret, ()), *made.worker_specs(secret, (), Path("/scratch"))):
        assert spec.environ["REDIS_URL"] == secret
        assert "secret" not in " ".join(spec.command)


def test_an_api_on_every_address_is_reached_by_loopback() -> None:
    unguarded = {"NEOSERVE_INSECURE": "1"}
    assert plan(unguarded, host="0.0.0.0").url == "http://127.0.0.1:8080"
    assert plan(unguarded, host="::").url == "http://[::1]:8080"


@pytest.mark.parametrize("environ", [{"NEOSERVE_HOST": "0.0.0.0"}, {"NEOSERVE_RATE_LIMIT": "1/minute"}])
def test_what_the_api_would_refuse_is_refused_before_anything_is_started(environ: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match="NEOSERVE_API_KEYS_FILE"):
        plan(environ)


def test_workers_differ_in_name_node_and_metrics_port() -> None:
    specs = plan(workers=3).worker_specs("redis://server", (), Path("/scratch"))
    assert [spec.name for spec in specs] == ["worker-1", "worker-2", "worker-3"]
    assert len({tuple(spec.command) for spec in specs}) == 3
    assert len({spec.environ["NEOSERVE_WORKER_METRICS_PORT"] for spec in specs}) == 3


def test_a_metrics_port_that_is_taken_is_replaced_by_the_next_free_one() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        made = plan({"NEOSERVE_METRICS_PORT": str(taken)})
    assert made.api_metrics_port > taken


def test_metrics_that_are_off_stay_off() -> None:
    made = plan({"NEOSERVE_METRICS_PORT": "0", "NEOSERVE_WORKER_METRICS_PORT": "0"}, workers=2)
    assert (made.api_metrics_port, *made.worker_metrics_ports) == (0, 0, 0)


def test_workers_share_the_cores_unless_told_otherwise() -> None:
    many = num_cores() + 1
    assert plan(workers=many).environ["NEOSERVE_THREADS"] == "1"
    assert plan({"NEOSERVE_THREADS": "3"}, workers=many).environ["NEOSERVE_THREADS"] == "3"
    assert "NEOSERVE_THREADS" not in plan().environ


def test_workers_share_the_cores_of_a_container_and_not_those_of_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_container(monkeypatch, tmp_path, "0::/\n", {"cpu.max": "400000 100000\n"})
    assert plan(workers=2).environ["NEOSERVE_THREADS"] == "2"
    assert plan(workers=8).environ["NEOSERVE_THREADS"] == "1"


def test_a_model_folder_is_named_by_its_absolute_path_since_children_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    made = plan(model="mine")
    assert made.environ["NEOSERVE_MODEL"] == str(tmp_path / "mine")
    assert made.worker_specs("redis://server", (), Path("/scratch"))[0].folder == ROOT


def test_a_file_is_named_by_its_absolute_path_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = plan({"NEOSERVE_API_KEYS_FILE": "keys", "NEOSERVE_HEALTH_FILE": "./health"})
    assert made.api_spec("redis://server", ()).environ["NEOSERVE_API_KEYS_FILE"] == str(tmp_path / "keys")
    assert made.worker_specs("redis://server", (), Path("/scratch"))[0].health_file == tmp_path / "health"


def test_a_model_folder_may_be_named_from_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert plan(model="~/mine").environ["NEOSERVE_MODEL"] == str(tmp_path / "mine")


@pytest.mark.parametrize("name", ["./missing", "/missing/model", "~/missing-model", "gpt2", "no such model"])
def test_a_model_folder_that_is_not_there_is_one_line_with_the_remedy(name: str) -> None:
    with pytest.raises(StartFailed, match=r"There is no model folder .*--model or NEOSERVE_MODEL"):
        plan(model=name)


@pytest.mark.parametrize("name", ["", "stories", "scripted", "scripted:0.02", "EleutherAI/gpt-neo-125m"])
def test_other_names_of_models_are_left_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stories").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve_model(name) == name


def test_a_setting_of_any_child_is_checked_before_anything_starts() -> None:
    with pytest.raises(InvalidSetting, match="NEOSERVE_MAX_BATCH_SIZE"):
        plan({"NEOSERVE_MAX_BATCH_SIZE": "none"})
    with pytest.raises(InvalidSetting, match="NEOSERVE_MAX_QUEUED"):
        plan({"NEOSERVE_MAX_QUEUED": "none"})


def test_a_part_that_is_not_installed_is_one_line_with_the_command() -> None:
    with pytest.raises(StartFailed, match=r"The api needs no_such_module.*pip install 'neoserve\[api\]'"):
        require("api", ("json", "no_such_module"))


def health_files(made: Plan) -> list[str]:
    specs = made.worker_specs("redis://server", (), Path("/scratch"))
    for spec in specs:
        assert spec.environ["NEOSERVE_HEALTH_FILE"] == str(spec.health_file)
    return [str(spec.health_file) for spec in specs]


def test_every_worker_has_a_health_file_of_its_own() -> None:
    assert health_files(plan()) == ["/scratch/health"]
    assert health_files(plan(workers=2)) == ["/scratch/health-1", "/scratch/health-2"]
    named = {"NEOSERVE_HEALTH_FILE": "/run/worker"}
    assert health_files(plan(named)) == ["/run/worker"]
    assert health_files(plan(named, workers=2)) == ["/run/worker-1", "/run/worker-2"]
