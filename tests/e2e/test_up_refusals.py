"""What keeps `neoserve up` from starting is one clear line with the remedy, and nothing is left running."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import SCRIPTED, StartUp
from tests.e2e.terminal import neoserve
from tests.services import RealServer, free_port


@pytest.fixture
def web_server() -> Iterator[int]:
    """Something that listens, and answers everything as a web server would."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def assert_refused(redis_url: str, words: str) -> None:
    result = neoserve("up", "--port", free_port(), REDIS_URL=redis_url)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(rf"neoserve: .*{words}.*\n", result.stderr)
    assert "REDIS_URL" in result.stderr
    assert "s3cret" not in result.stderr
    assert ".." not in result.stderr


def test_a_server_that_is_away() -> None:
    port = free_port()
    assert_refused(f"redis://:s3cret@127.0.0.1:{port}/0", f"127.0.0.1:{port}/0 cannot be used")


def test_a_server_that_wants_another_password(session_server: RealServer) -> None:
    url = session_server.url.replace("redis://", "redis://somebody:s3cret@")
    assert_refused(url, "cannot be used: .*password")


def test_a_server_of_another_kind(web_server: int) -> None:
    assert_refused(f"redis://:s3cret@127.0.0.1:{web_server}/0", "cannot be used")


@pytest.mark.parametrize("url", ["http://:s3cret@127.0.0.1/0", "s3cret", "redis://:s3cret@127.0.0.1:port/0"])
def test_an_address_that_is_none(url: str) -> None:
    assert_refused(url, "REDIS_URL cannot be used: ")


def test_an_address_with_an_option_that_is_none() -> None:
    assert_refused("redis://:s3cret@127.0.0.1/0?socket_timeout=soon", "its query may name db, ")


def test_a_model_that_is_neither_a_folder_nor_on_the_hub() -> None:
    result = neoserve("up", "--port", free_port(), "--model", "gpt2")
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(r"neoserve: There is no model folder gpt2\. .*owner/name.*\n", result.stderr)


def test_only_metrics_that_are_there_are_announced(start_up: StartUp) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        # Free where `neoserve up` looks, taken where the API listens.
        api, worker = taken.getsockname()[1], free_port()
        environ = {"NEOSERVE_METRICS_PORT": str(api), "NEOSERVE_WORKER_METRICS_PORT": str(worker)}
        up = start_up("--model", SCRIPTED, "--host", "127.0.0.2", **environ)
        up.wait_until_ready()
    line = up.terminal.wait_for(r"^neoserve +metrics on port (.*)$").group(1)
    assert line == f"{worker} (worker)"


def test_a_model_folder_that_holds_no_model(start_up: StartUp, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    up = start_up("--model", tmp_path / "empty")
    assert up.terminal.process.wait(90) == 1
    assert re.search(r"^neoserve: worker: .*empty.*$", up.terminal.output(), re.M)
    assert "Traceback" not in up.terminal.output()
    up.terminal.wait_until_nothing_is_left()
