"""`neoserve settings` shows what the dataclasses define."""

from __future__ import annotations

import json
from dataclasses import fields

from click.testing import CliRunner

from client.main import main
from client.setting_table import PROCESSES, as_markdown, collect


def test_every_setting_of_every_process_is_listed_once() -> None:
    listed = [row.name for row in collect()]
    defined = {each.metadata["name"] for _, settings in PROCESSES for each in fields(settings)}
    assert len(listed) == len(set(listed))
    assert set(listed) == defined


def test_a_setting_that_processes_share_means_the_same_to_each() -> None:
    """The table shows one default and one meaning: there must be no other."""
    seen: dict[str, tuple[object, str]] = {}
    for _, settings in PROCESSES:
        for each in fields(settings):
            meaning = (each.default, each.metadata["help"])
            assert seen.setdefault(each.metadata["name"], meaning) == meaning


def test_a_shared_setting_names_all_its_processes() -> None:
    rows = {row.name: row for row in collect()}
    assert rows["REDIS_URL"].processes == ("api", "worker")
    assert rows["NEOSERVE_URL"].processes == ("client",)


def test_the_markdown_table_has_a_row_for_each_setting() -> None:
    rows = collect()
    lines = as_markdown(rows).splitlines()
    assert len(lines) == len(rows) + 2
    assert all(line.count(" | ") == 3 for line in lines)
    assert lines[2].startswith("| `REDIS_URL` | `redis://127.0.0.1:6379/0` | api, worker | ")


def test_the_command_prints_both_forms() -> None:
    runner = CliRunner()
    assert runner.invoke(main, ["settings", "--markdown"]).stdout == as_markdown(collect()) + "\n"
    assert (
        "NEOSERVE_URL  (default: http://127.0.0.1:8080; client)\n" in runner.invoke(main, ["settings"]).stdout
    )


def test_as_json_each_setting_is_an_object_on_a_line() -> None:
    lines = CliRunner().invoke(main, ["settings", "--json"]).stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == [row.name for row in collect()]
