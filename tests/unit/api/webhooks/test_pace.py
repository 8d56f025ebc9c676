"""How many deliveries a host gets, by how it has answered."""

from __future__ import annotations

from api.webhooks.pace import MAX_PROMPT_HOSTS, PROMPT_SECONDS, Pace


def deliver(pace: Pace, host: str, seconds: float) -> None:
    pace.begin(host)
    pace.end(host, seconds)


def test_of_a_host_that_nobody_knows_nothing_is_said() -> None:
    pace = Pace()
    assert pace.room() == {}
    pace.begin("new")
    assert (pace.room(), pace.num_under_way) == ({"new": 0}, 1)


def test_a_prompt_host_gets_more_at_the_same_time_until_it_is_slow() -> None:
    pace = Pace()
    deliver(pace, "host", PROMPT_SECONDS)
    assert pace.room() == {"host": 4}
    pace.begin("host")
    assert pace.room() == {"host": 3}
    deliver(pace, "host", PROMPT_SECONDS + 0.1)
    assert pace.room() == {"host": 0}
    pace.end("host", 0.1)
    assert (pace.room(), pace.num_under_way) == ({"host": 4}, 0)


def test_a_slow_host_with_nothing_under_way_is_as_if_unknown() -> None:
    pace = Pace()
    deliver(pace, "host", 5.0)
    assert pace.room() == {}


def test_the_latest_prompt_hosts_are_remembered() -> None:
    pace = Pace()
    for number in range(MAX_PROMPT_HOSTS):
        deliver(pace, f"host-{number}", 0.1)
    deliver(pace, "host-0", 0.1)
    deliver(pace, "another", 0.1)
    room = pace.room()
    assert len(room) == MAX_PROMPT_HOSTS
    assert "host-1" not in room
    assert {"host-0", "another"} <= room.keys()
