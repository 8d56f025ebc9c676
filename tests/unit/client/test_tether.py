"""A tethered command ends with its parent, by the kernel's help or by watching."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from client import tether
from tests.waiting import wait_until

#: Runs the tether as `neoserve up` does: python -c PARENT TETHER_COMMAND… ; prints its pid's line and waits.
PARENT = """
import os, signal, subprocess, sys
tether, command = sys.argv[1:-2], sys.argv[-2:]
subprocess.Popen([*tether, str(os.getpid()), *command], start_new_session=True)
signal.pause()
"""

#: The watching mode, on any platform.
WATCH = f"import runpy, sys; tether = runpy.run_path({tether.__file__!r}); "
WATCH += "sys.exit(tether['watch'](int(sys.argv[1]), sys.argv[2:]))"

MODES = [
    pytest.param(
        [tether.__file__],
        id="kernel",
        marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG"),
    ),
    pytest.param(["-c", WATCH], id="watching"),
]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    # An orphan is reaped by whatever runs as process 1, which may take its time.
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("mode", MODES)
def test_a_command_ends_when_its_parent_is_killed(mode: list[str], tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    script.write_text("import os, signal; print(os.getpid(), flush=True); signal.pause()")
    with subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            PARENT,
            sys.executable,
            "-I",
            "-S",
            *mode,
            sys.executable,
            str(script),
        ],
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
        wait_until(lambda: gone(pid), "the command ended with its parent")


@pytest.mark.parametrize("mode", MODES)
def test_the_exit_code_of_the_command_is_passed_on(mode: list[str]) -> None:
    command = [
        sys.executable,
        "-I",
        "-S",
        *mode,
        str(os.getpid()),
        sys.executable,
        "-c",
        "raise SystemExit(7)",
    ]
    assert subprocess.run(command, check=False).returncode == 7


def test_a_watched_command_gets_the_signals_sent_to_the_watcher(tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    script.write_text(
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); print('up', flush=True)\n"
        "while True: signal.pause()"
    )
    command = [sys.executable, "-I", "-S", "-c", WATCH, str(os.getpid()), sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == b"up\n"
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(10) == 5
