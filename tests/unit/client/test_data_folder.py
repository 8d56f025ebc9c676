"""The folder that holds the jobs: private, and used by one at a time."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from client.data_folder import DataFolder, default_folder
from client.errors import StartFailed

#: A process that inherited the lock, as a worker of a killed `neoserve up` has; its parent is gone.
HOLDER = "import sys; print('holding', flush=True); sys.stdin.read()"


def test_every_port_has_a_folder_of_its_own_in_the_users_data() -> None:
    assert default_folder(9000, {"XDG_DATA_HOME": "/data/me"}) == Path("/data/me/neoserve/9000")
    assert default_folder(8080, {}) == Path.home() / ".local/share/neoserve/8080"


def test_a_relative_xdg_folder_is_ignored_as_the_standard_says() -> None:
    assert default_folder(8080, {"XDG_DATA_HOME": "data"}) == Path.home() / ".local/share/neoserve/8080"


def test_the_folder_is_made_for_its_user_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "deep" / "data")
    folder.lock()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.release()


def test_a_second_user_of_the_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path / "data"), DataFolder(tmp_path / "data")
    first.lock()
    with pytest.raises(StartFailed, match=r"Another `neoserve up` is using .*--port or --data"):
        second.lock()
    first.release()
    second.lock()
    second.release()


def test_the_lock_is_held_until_the_last_process_that_inherited_it_is_gone(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path / "data"), DataFolder(tmp_path / "data")
    first.lock()
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[first.descriptor],
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        # The owner is gone, as after kill -9: the second waits, but not for ever.
        first.release()
        with pytest.raises(StartFailed):
            second.lock(leftovers_seconds=0.1)
        holder.send_signal(signal.SIGKILL)
        second.lock(leftovers_seconds=10)
    second.release()


def test_an_owner_that_was_killed_counts_as_gone_before_it_is_reaped(tmp_path: Path) -> None:
    lock = "import sys; from client.data_folder import DataFolder; from pathlib import Path; "
    lock += "DataFolder(Path(sys.argv[1])).lock(); print('holding', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", lock, str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        second = DataFolder(tmp_path / "data")
        with pytest.raises(StartFailed):
            second.lock()
        owner.send_signal(signal.SIGKILL)
        owner.stdout.read()  # Its end closes the pipe; it stays a zombie until somebody waits for it.
        second.lock(leftovers_seconds=0)
        second.release()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(StartFailed, match="holds other files"):
        DataFolder(tmp_path).lock()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartFailed, match=r"cannot be used: Not a directory.*--data"):
        DataFolder(tmp_path / "file" / "data").lock()
