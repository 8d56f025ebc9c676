"""How the embedded server is found and set up; tests/e2e runs it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.data_folder import DataFolder
from client.embedded_server import CONFIG_FILE, EmbeddedServer, find_server
from client.errors import StartFailed


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "data")
    folder.lock()
    yield folder
    folder.release()


@pytest.fixture
def without_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def test_the_server_keeps_every_job_on_disk_and_listens_on_loopback_alone(folder: DataFolder) -> None:
    EmbeddedServer(folder=folder, binary=Path("valkey-server"), port=7001).spec()
    lines = (folder.path / CONFIG_FILE).read_text().splitlines()
    wanted = {"bind 127.0.0.1", "port 7001", "appendonly yes", "appendfsync everysec"}
    assert wanted <= set(lines)
    assert "maxmemory-policy noeviction" in lines


def test_the_password_is_in_a_private_file_and_in_no_argument(folder: DataFolder) -> None:
    server = EmbeddedServer(folder=folder, binary=Path("valkey-server"), port=7001)
    spec = server.spec()
    assert f"requirepass {server.password}" in (folder.path / CONFIG_FILE).read_text()
    assert (folder.path / CONFIG_FILE).stat().st_mode & 0o777 == 0o600
    assert server.password not in " ".join(spec.command)
    assert server.password not in repr(server)
    assert server.url == f"redis://:{server.password}@127.0.0.1:7001/0"


def test_a_server_on_the_path_serves_where_the_wheel_is_missing(
    without_wheel: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert find_server() == tmp_path / name


def test_no_server_at_all_is_one_line_with_the_remedies(
    without_wheel: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartFailed, match=r"pip install 'neoserve\[embedded\]'.*REDIS_URL"):
        find_server()
