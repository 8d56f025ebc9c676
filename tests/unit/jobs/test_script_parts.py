"""What is put in front of a script: the parts that it needs, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks.jobs import script

FOLDER = Path(script.__file__).with_name("scripts")
PARTS = {path.stem: path.read_text() for path in (FOLDER / "shared").glob("*.lua") if path.stem != "prelude"}
SCRIPTS = {path.stem: path.read_text() for path in FOLDER.glob("*.lua")}
ALL = {**SCRIPTS, **{f"shared/{name}": text for name, text in PARTS.items()}}


def defined(part: str) -> set[str]:
    return set(re.findall(r"^local (?:function )?(\w+)", PARTS[part], re.MULTILINE))


def used(text: str) -> set[str]:
    """Words of its code, without comments, strings and fields."""
    code = re.sub(r"--.*|'[^'\n]*'", "", text)
    return set(re.findall(r"(?<![\w.])\w+", code))


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_script_is_put_behind_every_part_that_it_uses(name: str) -> None:
    there = set(script._needed(ALL[name])) | {name.removeprefix("shared/")}
    missing = {part for part in PARTS if part not in there and defined(part) & used(ALL[name])}
    assert not missing


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_script_is_put_behind_nothing_that_it_does_without(name: str) -> None:
    needs = [line for line in ALL[name].splitlines() if line.startswith("-- needs: ")]
    for part in [part for line in needs for part in line.removeprefix("-- needs: ").split(", ")]:
        assert defined(part) & used(ALL[name])


def test_a_part_comes_behind_those_that_it_needs_itself() -> None:
    order = script._needed(SCRIPTS["finish"])
    assert order == ["flow", "queue", "tally", "webhooks", "enter", "batch", "ends", "milestones"]


def test_a_script_that_says_that_it_only_reads_has_no_command_that_writes() -> None:
    writes = re.compile(r"redis\.p?call\('(?:H?SET|ZADD|DEL|ZREM|XADD|P?EXPIRE\w*|HINCRBY|PUBLISH|INCR)'")
    reading = {name for name, text in SCRIPTS.items() if script._READS in script._said(text)}
    assert {"get", "list", "fleet"} <= reading
    assert not [name for name in reading if writes.search(SCRIPTS[name])]


def test_what_makes_jobs_is_refused_by_a_full_memory() -> None:
    refused = {name for name, text in SCRIPTS.items() if script._ACCEPTS in script._said(text)}
    assert refused == {"batch_put", "batch_start", "submit"}
