"""Who has closed a connection, and who has only said all there was to say."""

from __future__ import annotations

import socket
import struct

import pytest

from api import hangups as module
from api.hangups import Client, Hangups
from tests.unit.api.fakes import Pair
from tests.waiting import wait_until


class Watched:
    """What a watched client has made happen; its probe is a byte."""

    def __init__(self, connection: socket.socket) -> None:
        self.num_wakes = self.num_probes = 0
        self.client = Client(connection, self._wake, self._probe)

    def _wake(self) -> None:
        self.num_wakes += 1

    def _probe(self) -> None:
        self.num_probes += 1
        self.client.connection.send(b"?")


def look_until_gone(hangups: Hangups, watched: Watched) -> None:
    def gone() -> bool:
        hangups.look()
        return watched.client.gone

    wait_until(gone, "the client is seen to be gone")


def test_a_client_that_is_there_is_left_alone(pair: Pair) -> None:
    hangups, watched = Hangups(), Watched(pair[0])
    with hangups.watch(watched.client):
        for _ in range(3):
            hangups.look()
    assert (watched.client.gone, watched.num_wakes, watched.num_probes) == (False, 0, 0)


def test_a_closed_connection_is_seen_after_one_question(pair: Pair) -> None:
    hangups, watched = Hangups(), Watched(pair[0])
    with hangups.watch(watched.client):
        pair[1].close()
        look_until_gone(hangups, watched)
        hangups.look()
    assert (watched.num_wakes, watched.num_probes) == (1, 1)


def test_a_reset_connection_is_seen_without(pair: Pair) -> None:
    hangups, watched = Hangups(), Watched(pair[0])
    with hangups.watch(watched.client):
        pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        pair[1].close()
        look_until_gone(hangups, watched)
    assert watched.num_probes == 0


def test_who_still_reads_is_not_gone_and_asked_now_and_then(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangups, watched = Hangups(), Watched(pair[0])
    pair[1].shutdown(socket.SHUT_WR)
    with hangups.watch(watched.client):
        wait_until(lambda: hangups.look() or watched.num_probes, "it is asked")
        for _ in range(10):
            hangups.look()
        assert (watched.client.gone, watched.num_probes) == (False, 1)
        assert pair[1].recv(10) == b"?"
        monkeypatch.setattr(watched.client, "_next_probe", 0.0)
        pair[1].close()
        look_until_gone(hangups, watched)


def test_a_next_request_is_no_end(pair: Pair) -> None:
    hangups, watched = Hangups(), Watched(pair[0])
    with hangups.watch(watched.client):
        pair[1].sendall(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: hangups.look() or hangups._clients == {}, "it is seen")
        pair[1].close()
        hangups.look()
    assert not watched.client.gone
    assert pair[0].recv(3) == b"GET", "nothing of it was taken"


def test_who_is_watched_no_more_is_not_touched(pair: Pair) -> None:
    hangups, watched = Hangups(), Watched(pair[0])
    with hangups.watch(watched.client):
        pass
    pair[1].close()
    hangups.look()
    assert (watched.client.gone, watched.num_probes) == (False, 0)


def test_the_thread_looks_by_itself(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    hangups, watched = Hangups(), Watched(pair[0])
    hangups.start()
    with hangups.watch(watched.client):
        pair[1].close()
        wait_until(lambda: watched.client.gone, "the client is seen to be gone")
    hangups.stop()
    hangups.stop()
