"""Who has closed a connection, and who has only said all there was to say."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from api import hangups as module
from api.company import Company, Line, line_of
from api.hangups import Client, Hangups
from tasks.jobs.attendance import LEASE_SECONDS, Attendance
from tasks.jobs.models import JobStatus
from tasks.jobs.store import JobStore
from tests.job_steps import claim as take
from tests.job_steps import finish, submit
from tests.time_travel import let_pass
from tests.waiting import wait_until

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's end, with a timeout as gunicorn gives it, and the client's."""
    with ExitStack() as ending:
        listener = ending.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = ending.enter_context(socket.create_connection(listener.getsockname()))
        server, _ = listener.accept()
        ending.enter_context(server)
        server.settimeout(30)
        yield server, client


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


def wait_and_hang_up(store: JobStore, pair: Pair, job_id: str, *, takes_interim_answers: bool = True) -> None:
    hangups = Hangups()
    company, line = Company(store, hangups), Line(pair[0], takes_interim_answers)
    with company.waits(store.get(job_id), line, lambda: None) as client:
        assert client is not None
        pair[1].close()
        wait_until(lambda: hangups.look() or client.gone, "the client is seen to be gone")


@pytest.mark.parametrize("takes_interim_answers", [True, False])
def test_the_last_client_that_hangs_up_cancels(
    store: JobStore, pair: Pair, takes_interim_answers: bool
) -> None:
    submit(store, "a", cancel_on_disconnect=True)
    wait_and_hang_up(store, pair, "a", takes_interim_answers=takes_interim_answers)
    assert store.get("a").status is JobStatus.CANCELED
    assert store.client.keys("neoserve:clients:*") == []


def test_another_client_keeps_the_job(store: JobStore, pair: Pair) -> None:
    job = submit(store, "a", cancel_on_disconnect=True)
    with Company(store, Hangups()).stays(job):
        wait_and_hang_up(store, pair, "a")
        assert store.get("a").status is JobStatus.QUEUED
    assert store.get("a").status is JobStatus.QUEUED, "who goes without hanging up cancels nothing"


def test_a_client_of_a_process_that_died_counts_for_a_while(store: JobStore, pair: Pair) -> None:
    submit(store, "a", cancel_on_disconnect=True)
    Attendance(store).attend("a", "of the dead")
    let_pass(store, LEASE_SECONDS + 1)
    store.client.zadd("neoserve:clients:a", {"of the dead": 0})
    wait_and_hang_up(store, pair, "a")
    assert store.get("a").status is JobStatus.CANCELED


def test_a_job_that_ended_meanwhile_stays_as_it_is(store: JobStore, pair: Pair) -> None:
    submit(store, "a", cancel_on_disconnect=True)
    taken = take(store)
    hangups = Hangups()
    with Company(store, hangups).waits(store.get("a"), Line(pair[0], True), lambda: None) as client:
        pair[1].close()
        wait_until(lambda: hangups.look() or (client and client.gone), "the client is seen to be gone")
        assert finish(store, taken)
    assert store.get("a").status is JobStatus.SUCCEEDED


def test_nobody_is_watched_whose_end_would_change_nothing(store: JobStore, pair: Pair) -> None:
    company = Company(store, Hangups())
    plain, wanted = submit(store, "a"), submit(store, "b", cancel_on_disconnect=True)
    with company.waits(plain, Line(pair[0], True), lambda: None) as client:
        assert client is None
    with company.waits(wanted, line_of({}), lambda: None) as client:
        assert client is None
