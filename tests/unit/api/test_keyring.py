"""The keys that are valid now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from api.key_entry import new_key
from api.keyring import Keyring, keyring_of
from api.settings import ApiSettings
from tasks.jobs.settings import InvalidSetting

KEY, ENTRY = new_key("team-a")
OTHER_KEY, OTHER = new_key("team-b")


def test_a_key_leads_to_its_name_and_any_other_text_to_nobody() -> None:
    ring = Keyring([ENTRY, OTHER])
    assert ring.owner(KEY) == "team-a"
    assert ring.owner(OTHER_KEY) == "team-b"
    for wrong in ("", KEY[:-1], KEY.upper(), f"{KEY} ", ENTRY.digest, "\udcff"):
        assert ring.owner(wrong) is None


def test_without_any_key_nobody_is_asked_and_with_an_empty_file_nobody_is_let_in(tmp_path: Path) -> None:
    assert not Keyring([])
    file = tmp_path / "keys"
    file.touch()
    ring = Keyring([], file)
    assert ring
    assert ring.owner(KEY) is None


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(ENTRY.line())
    ring = Keyring([], file)
    assert ring.owner(KEY) == "team-a"

    file.write_text(f"{ENTRY.line()}\n{OTHER.line()}")
    assert ring.owner(OTHER_KEY) == "team-b"

    replacement = tmp_path / "new"
    replacement.write_text(OTHER.line())
    os.replace(replacement, file)
    assert ring.owner(KEY) is None
    assert ring.owner(OTHER_KEY) == "team-b"


def test_a_file_that_is_emptied_shuts_everybody_out_and_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_text(ENTRY.line())
    ring = Keyring([], file)
    file.write_text("")
    assert ring.owner(KEY) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_file_as_a_secret_volume_has_it_is_read_again_when_its_link_moves(tmp_path: Path) -> None:
    for name, entry in (("first", ENTRY), ("second", OTHER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "keys").write_text(entry.line())
    link = tmp_path / "data"
    link.symlink_to("first")
    ring = Keyring([], link / "keys")
    assert ring.owner(KEY) == "team-a"

    link.unlink()
    link.symlink_to("second")
    assert ring.owner(KEY) is None
    assert ring.owner(OTHER_KEY) == "team-b"


def test_keys_stay_valid_while_their_file_cannot_be_used_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_text(ENTRY.line())
    ring = Keyring([], file)
    for spoil in (lambda: file.write_text("team-a neoserve_secret"), file.unlink):
        caplog.clear()
        spoil()
        assert [ring.owner(KEY), ring.owner(KEY)] == ["team-a", "team-a"]
        assert caplog.text.count("cannot be used, and its keys stay as they were") == 1
        assert "secret" not in caplog.text

    file.write_text(OTHER.line())
    assert ring.owner(KEY) is None


def test_a_pipe_in_the_place_of_the_file_holds_nobody_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_text(ENTRY.line())
    ring = Keyring([], file)
    file.unlink()
    os.mkfifo(file)
    assert ring.owner(KEY) == "team-a"
    assert "it is no regular file" in caplog.text
    with pytest.raises(InvalidSetting, match="no regular file"):
        keyring_of(ApiSettings(api_keys_file=str(file)))


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("oops", "entry 1 is not")])
def test_at_the_start_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, content: str | None, reason: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InvalidSetting, match=reason):
        keyring_of(ApiSettings(api_keys_file=str(file)))
