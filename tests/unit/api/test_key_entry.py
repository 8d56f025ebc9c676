"""What is kept of a key."""

from __future__ import annotations

import pytest

from api.key_entry import KeyEntry, digest_of, new_key, parse_entries

HASH = "ab" * 32


def test_a_new_key_is_long_unique_and_kept_as_its_hash_alone() -> None:
    (one, entry), (other, _) = new_key("team-a"), new_key("team-a")
    assert one != other
    assert one.startswith("neoserve_")
    assert len(one) >= 50
    assert entry.digest == digest_of(one)
    assert one not in entry.line()
    assert parse_entries(entry.line()) == (entry,)


@pytest.mark.parametrize("name", ["", "a b", "a,b", "#a", "-a", "a" * 65, "ä", "a\n"])
def test_a_name_that_would_not_fit_in_a_line_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 letters"):
        new_key(name)


def test_entries_stand_in_lines_or_behind_commas_between_comments() -> None:
    text = f"# our keys\n\na sha256:{HASH} 2026-11-23 # the first\n  b\tsha256:{HASH} , c sha256:{HASH}\r\n"
    assert parse_entries(text) == (
        KeyEntry("a", HASH, "2026-11-23"),
        KeyEntry("b", HASH),
        KeyEntry("c", HASH),
    )
    assert parse_entries("") == ()


@pytest.mark.parametrize(
    "line", ["neoserve_secret", "a neoserve_secret", f"a {HASH}", f"a sha256:{HASH[1:]}", f"sha256:{HASH}"]
)
def test_a_line_that_is_none_is_named_by_its_number_and_not_shown(line: str) -> None:
    with pytest.raises(ValueError, match="entry 2 is not `NAME sha256:HASH`") as caught:
        parse_entries(f"a sha256:{HASH}\n{line}")
    assert "secret" not in str(caught.value)
