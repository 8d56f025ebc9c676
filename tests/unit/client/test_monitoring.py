"""What `neoserve up --monitoring` tells Prometheus, and what it says where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client import monitoring
from client.errors import StartFailed
from client.monitoring import CONFIG_FILE, Monitoring, find_program, require_prometheus, require_rules
from client.plan import Plan, make_plan


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `prometheus` that is on PATH, and nothing else."""
    path = tmp_path / "bin" / "prometheus"
    path.parent.mkdir()
    path.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


def plan(**environ: str) -> Plan:
    return make_plan(
        environ={"HOME": "/home/me", **environ},
        port=None,
        host=None,
        workers=2,
        model=None,
        data=None,
        monitoring=True,
    )


def planned(**environ: str) -> Monitoring:
    found = plan(**environ).monitoring
    assert found is not None
    return found


def test_no_prometheus_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(monitoring, "UNPACKED", tmp_path)
    with pytest.raises(StartFailed, match="apt install prometheus"):
        require_prometheus()


def test_what_is_installed_goes_before_what_was_unpacked(
    program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unpacked = tmp_path / "unpacked" / "usr" / "bin"
    unpacked.mkdir(parents=True)
    for name in ("prometheus", "promtool"):
        (unpacked / name).touch(mode=0o700)
    monkeypatch.setattr(monitoring, "UNPACKED", tmp_path / "unpacked")
    assert find_program("prometheus") == program
    assert find_program("another", "promtool") == unpacked / "promtool"
    assert find_program("another") is None


def test_rules_that_are_not_there_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert require_rules().name == "alert_rules.yml"
    monkeypatch.setattr(monitoring, "RULES", (tmp_path / "alert_rules.yml",))
    with pytest.raises(StartFailed, match=r"alert_rules\.yml is not there. Install NeoServe again"):
        require_rules()


def test_metrics_that_are_off_cannot_be_watched(program: Path) -> None:
    for name in ("NEOSERVE_METRICS_PORT", "NEOSERVE_WORKER_METRICS_PORT"):
        with pytest.raises(StartFailed, match=f"{name}=0"):
            plan(**{name: "0"})


def test_every_process_is_scraped_where_it_was_put(program: Path, tmp_path: Path) -> None:
    made = plan(NEOSERVE_WORKER_METRICS_HOST="0.0.0.0")
    found = made.monitoring
    assert found is not None
    found.spec(tmp_path, ())
    scrapes = json.loads((tmp_path / CONFIG_FILE).read_text())["scrape_configs"]
    assert {each["job_name"]: each["static_configs"][0]["targets"] for each in scrapes} == {
        "api": [f"127.0.0.1:{made.api_metrics_port}"],
        "worker": [f"127.0.0.1:{port}" for port in made.worker_metrics_ports],
        "prometheus": [f"127.0.0.1:{found.port}"],
    }


def test_prometheus_has_a_port_of_its_own_on_this_machine_only(program: Path, tmp_path: Path) -> None:
    made = plan(NEOSERVE_PORT="9090", NEOSERVE_METRICS_PORT="9091")
    found = made.monitoring
    assert found is not None
    assert found.port not in {9090, made.api_metrics_port, *made.worker_metrics_ports}
    assert f"--web.listen-address=127.0.0.1:{found.port}" in found.spec(tmp_path, ()).command


def test_the_pages_of_an_unpacked_prometheus_are_beside_it(
    program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = planned()
    assert not [each for each in found.spec(tmp_path, ()).command if "web.local-assets" in each]
    monkeypatch.setattr(monitoring, "UNPACKED", tmp_path)
    pages = f"--web.local-assets={tmp_path}/usr/share/prometheus/web/"
    assert pages in found.spec(tmp_path, ()).command
