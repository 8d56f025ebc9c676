"""What the documentation names exists, and what exists is documented."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from flask import Flask

from api.batch_list_routes import batch_list
from api.batch_routes import batches
from api.errors import ApiError
from api.event_routes import events
from api.job_list_routes import job_list
from api.job_routes import jobs
from api.openai.routes import openai
from api.openapi.routes import reference
from api.page_routes import page as page_routes
from api.problems import CODE_OF_STATUS
from api.service_routes import service
from api.settings import ApiSettings
from client.main import main
from client.settings import ClientSettings
from tasks.jobs.errors import JobsError, RingFailed
from tasks.worker.settings import WorkerSettings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def fences(page: Path) -> str:
    return "\n".join(
        re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )


def typed(page: Path, program: str) -> Iterator[list[str]]:
    """The arguments of every line in a code fence that a reader would type to run `program`."""
    for line in fences(page).splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True) if line.startswith("$ ") else []
        if words and words[0].rsplit("/", 1)[-1] == program:
            yield words[1:]


def rows(page: str) -> Iterator[list[str]]:
    """Cells of the table rows of a page in docs/."""
    for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@every_page
def test_a_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@every_page
def test_a_command_in_an_example_exists_with_its_options(page: Path) -> None:
    for arguments in typed(page, "neoserve"):
        command = main.commands[arguments[0]]
        if isinstance(command, click.Group):
            command = command.commands[arguments[1]]
        known = {name for each in command.params if isinstance(each, click.Option) for name in each.opts}
        given = {word.partition("=")[0] for word in arguments[1:] if word.startswith("-") and word != "-"}
        assert given <= known, arguments


@every_page
def test_an_example_of_the_shell_has_no_mistake_of_syntax(page: Path) -> None:
    script = "\n".join(
        re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )
    checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert checked.stderr == ""


@every_page
def test_a_make_target_in_an_example_exists(page: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for arguments in typed(page, "make"):
        assert {word for word in arguments if "=" not in word} <= set(targets)


def test_the_configuration_page_holds_what_the_command_prints() -> None:
    printed = CliRunner().invoke(main, ["settings", "--markdown"])
    assert printed.exit_code == 0
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert page.endswith("\n\n" + printed.output), "put `neoserve settings --markdown` into the page"


@pytest.mark.parametrize("settings", [ApiSettings, WorkerSettings, ClientSettings])
def test_every_setting_is_documented(settings: type) -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert [each.name for each in fields(settings) if f"`{each.metadata['name']}`" not in page] == []


def test_the_endpoint_table_lists_what_there_is() -> None:
    app = Flask("routes")
    app.register_blueprint(jobs)
    app.register_blueprint(batches)
    app.register_blueprint(batch_list)
    app.register_blueprint(events)
    app.register_blueprint(job_list)
    app.register_blueprint(openai)
    app.register_blueprint(service)
    app.register_blueprint(page_routes)
    app.register_blueprint(reference)
    routes = {
        f"{method} {re.sub('<[a-z_:]+>', '<id>', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in ("static", "page.show_file")  # the latter is part of what `GET /` gives
    }
    listed = {
        name for cells in rows("api.md") for name in re.findall(r"`((?:GET|POST|DELETE) /[^`]*)`", cells[0])
    }
    assert listed == routes


def codes(error: type[ApiError] | type[JobsError]) -> set[str]:
    return {error.code}.union(*(codes(each) for each in error.__subclasses__()))


def test_the_problem_table_lists_every_code() -> None:
    listed = {
        code
        for cells in rows("api.md")
        if cells[0][:3].isdigit()
        for code in re.findall(r"`(\w+)`", cells[1])
    }
    roots = {
        JobsError.code,
        RingFailed.code,
    }  # never sent: one is abstract, the other is made good by the reaper
    assert listed >= (codes(ApiError) | codes(JobsError) | set(CODE_OF_STATUS.values())) - roots


@every_page
def test_a_file_of_the_project_that_a_page_names_exists(page: Path) -> None:
    folders = "api|bench|client|docs|k8s|neoserve|tasks|tests"
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []
