"""Free and taken ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from client.errors import StartFailed
from client.ports import first_free, free_port, require_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_one_line_with_the_remedy(taken: int) -> None:
    with pytest.raises(StartFailed, match=rf"Port {taken} on 127.0.0.1 is taken.*--port"):
        require_free(taken, "127.0.0.1")


def test_a_free_port_is_no_reason_to_complain() -> None:
    require_free(free_port(), "127.0.0.1")


def test_an_address_of_another_machine_is_one_line_with_the_remedy() -> None:
    with pytest.raises(StartFailed, match=r"'192\.0\.2\.1' is no address of this machine.*--host"):
        require_free(free_port(), "192.0.2.1")


def test_the_first_free_port_is_neither_taken_nor_given_away(taken: int) -> None:
    found = first_free(taken, {taken + 1})
    assert found > taken + 1


def test_a_port_that_is_off_stays_off() -> None:
    assert first_free(0, set()) == 0
