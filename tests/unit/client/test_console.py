"""What `neoserve up` writes."""

from __future__ import annotations

import io

import pytest

from client.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class GoneReader(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_every_line_carries_the_name_of_its_source(output: io.StringIO) -> None:
    console = Console(output, width=8)
    console.line("api", "api ready: http://127.0.0.1:8080")
    console.say("ready")
    assert output.getvalue() == "api       api ready: http://127.0.0.1:8080\nneoserve  ready\n"


def test_a_file_or_pipe_gets_no_colours(output: io.StringIO) -> None:
    Console(output).line("api", "up")
    assert "\x1b" not in output.getvalue()


def test_sources_differ_in_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    console = Console(terminal)
    console.line("api", "")
    console.line("worker", "")
    api, worker = (line.partition("m")[0] for line in terminal.getvalue().splitlines())
    assert api.startswith("\x1b[")
    assert api != worker


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)
    terminal = Terminal()
    Console(terminal).line("api", "up")
    assert "\x1b" not in terminal.getvalue()


def test_a_reader_that_went_away_does_not_stop_the_service() -> None:
    console = Console(GoneReader())
    console.say("one")
    console.say("two")
