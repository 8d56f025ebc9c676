"""`neoserve keys`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.keyring import Keyring
from client.main import main


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def run(file: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["keys", *words, "--file", str(file)])


def test_a_key_that_was_added_is_valid_until_it_is_revoked(file: Path) -> None:
    key = run(file, "add", "team-a").stdout.strip()
    ring = Keyring([], file)
    assert ring.owner(key) == "team-a"
    assert key not in file.read_text()

    assert run(file, "revoke", "team-a").exit_code == 0
    assert ring.owner(key) is None


def test_a_key_is_rotated_without_a_moment_in_which_none_is_valid(file: Path) -> None:
    old = run(file, "add", "team-a").stdout.strip()
    [first] = run(file, "list").stdout.splitlines()
    new = run(file, "add", "team-a").stdout.strip()
    ring = Keyring([], file)
    assert [ring.owner(old), ring.owner(new)] == ["team-a", "team-a"]

    revoked = run(file, "revoke", first.split()[1])

    assert revoked.stdout == f"revoked {first.split()[1]} of team-a\n"
    assert [ring.owner(old), ring.owner(new)] == [None, "team-a"]


def test_the_list_as_json_is_a_line_for_each_key_and_holds_no_hash(file: Path) -> None:
    run(file, "add", "team-a")
    run(file, "add", "team-b")
    words = [line.split() for line in run(file, "list").stdout.splitlines()]
    lines = [json.loads(line) for line in run(file, "list", "--json").stdout.splitlines()]
    assert [[each["name"], each["id"], each["created"]] for each in lines] == words


def test_what_was_added_and_revoked_is_told_as_json_too(file: Path) -> None:
    added = json.loads(run(file, "add", "team-a", "--json").stdout)
    assert Keyring([], file).owner(added.pop("key")) == "team-a"
    assert json.loads(run(file, "list", "--json").stdout) == added
    assert json.loads(run(file, "revoke", "team-a", "--json").stdout) == added


def test_the_key_alone_is_on_standard_output(file: Path) -> None:
    added = run(file, "add", "team-a")
    assert len(added.stdout.splitlines()) == 1
    assert "shown only now" in added.stderr


def test_comments_and_a_last_line_without_an_end_stay_what_they_are(file: Path) -> None:
    file.write_text(f"# ours\nother sha256:{'ab' * 32} # no date")
    run(file, "add", "team-a")
    run(file, "revoke", "team-a")
    assert file.read_text() == f"# ours\nother sha256:{'ab' * 32} # no date\n"


def test_the_file_stays_the_same_file_since_containers_keep_what_they_mounted(file: Path) -> None:
    run(file, "add", "a")
    number = file.stat().st_ino
    run(file, "add", "b")
    run(file, "revoke", "a")
    assert file.stat().st_ino == number


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("list",), 1, "No such file or directory"),
        (("revoke", "a"), 1, "No such file or directory"),
        (("add", "a b"), 2, "1 to 64 letters"),
    ],
)
def test_what_cannot_be_done_is_one_plain_line(
    file: Path, words: tuple[str, ...], code: int, reason: str
) -> None:
    result = run(file, *words)
    assert result.exit_code == code
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not file.exists()


def test_a_name_that_has_no_key_is_said(file: Path) -> None:
    run(file, "add", "a")
    result = run(file, "revoke", "b")
    assert result.exit_code == 1
    assert "has no key 'b'" in result.stderr


def test_a_file_with_a_secret_in_it_is_refused_without_showing_it(file: Path) -> None:
    file.write_text("a neoserve_secret\n")
    result = run(file, "list")
    assert result.exit_code == 1
    assert "entry 1 is not" in result.stderr
    assert "secret" not in result.stderr.replace(str(file), "")


def test_without_a_file_the_command_asks_for_one() -> None:
    result = CliRunner().invoke(main, ["keys", "list"])
    assert result.exit_code == 2
    assert "NEOSERVE_API_KEYS_FILE" in result.stderr
