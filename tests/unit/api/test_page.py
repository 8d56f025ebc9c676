"""The page's files and how they are served; what it does in a browser is in tests/integration/page."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.page_files import FOLDER, page_files
from tests.unit.api.test_metrics import value

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

INDEX = (FOLDER / "index.html").read_text(encoding="utf-8")
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js")}
SHEETS = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.css")}


def test_a_browser_gets_the_page(client: FlaskClient) -> None:
    answer = client.get("/", headers=BROWSER)

    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert answer.text.startswith("<!doctype html>")
    assert "VERSION" not in answer.text
    assert "Accept" in answer.vary


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_a_program_gets_the_addresses_as_json(client: FlaskClient, accept: str | None) -> None:
    answer = client.get("/", headers={} if accept is None else {"Accept": accept})

    assert answer.json is not None
    assert answer.json["name"] == "neoserve"
    assert (answer.json["texts"], answer.json["jobs"]) == ("POST /predict", "/jobs/<id>")
    assert (answer.json["batches"], answer.json["limits"]) == ("POST /batches", "/info")
    assert "Accept" in answer.vary


def test_the_page_may_load_nothing_from_elsewhere_and_nothing_inline(client: FlaskClient) -> None:
    headers = client.get("/", headers=BROWSER).headers

    policy = headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_every_answer_says_that_it_is_what_it_says_it_is(client: FlaskClient) -> None:
    for path in ("/healthz", "/jobs/job_x", "/nowhere"):
        assert client.get(path).headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_is_asked_for_again_only_when_it_has_changed(client: FlaskClient) -> None:
    first = client.get("/", headers=BROWSER)
    assert first.headers["Cache-Control"] == "private, no-cache"

    again = client.get("/", headers={**BROWSER, "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_every_file_that_the_page_names_is_served_and_kept(client: FlaskClient) -> None:
    pages = client.get("/", headers=BROWSER).text + client.get("/docs").text
    named = set(re.findall(r'(?:href|src)="(/page/[^"]+)"', pages))

    assert {path.rsplit("/", 1)[1] for path in named} == set(page_files().files)
    for path in named:
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_scripts_and_sheets_have_the_type_that_browsers_insist_on(client: FlaskClient) -> None:
    version = page_files().version
    assert client.get(f"/page/{version}/app.js").mimetype == "text/javascript"
    assert client.get(f"/page/{version}/base.css").mimetype == "text/css"
    assert client.get(f"/page/{version}/icon.svg").mimetype == "image/svg+xml"


def test_a_page_of_another_release_gets_what_there_is_but_does_not_keep_it(client: FlaskClient) -> None:
    answer = client.get("/page/0123456789abcdef/app.js")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = client.get("/page/0123456789abcdef/app.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_files_are_sent_packed_to_who_can_unpack_them(client: FlaskClient) -> None:
    path = f"/page/{page_files().version}/app.js"
    plain, packed = client.get(path), client.get(path, headers={"Accept-Encoding": "gzip, br"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert "Accept-Encoding" in plain.vary


@pytest.mark.parametrize("name", ["nothing.js", "..%2fapp.py", "index.html", "%2e%2e"])
def test_nothing_but_the_page_s_files_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/page/{page_files().version}/{name}").status_code == 404


def test_a_version_makes_no_label(app: Flask) -> None:
    client = app.test_client()
    for number in range(20):
        client.get(f"/page/{number}/app.js")
    client.get("/", headers=BROWSER)

    count = "neoserve_http_requests_total"
    labels = {"method": "GET", "status": "200", "code": ""}
    assert value(app, count, route="/page/<version>/<name>", **labels) == 20
    assert value(app, count, route="/", **labels) == 1


def test_info_gives_the_defaults_of_a_request_that_leaves_all_open(client: FlaskClient) -> None:
    info = client.get("/info").json
    assert info is not None
    job = client.post("/jobs", json={"text": "Hello"}).json
    assert job is not None

    defaults = info["models"][0]["generation_defaults"]
    assert defaults["max_length"] == 50
    for name in ("do_sample", "temperature", "top_k", "top_p", "repetition_penalty"):
        assert defaults[name] == job["parameters"][name]


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(INDEX)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_nothing_in_the_page_is_inline() -> None:
    for tag, attributes in Elements().found:
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert [name for name in attributes if name == "style" or name.startswith("on")] == []


def test_the_scripts_find_what_they_look_for_and_each_other() -> None:
    ids = {attributes["id"] for _, attributes in Elements().found if "id" in attributes}
    for name, script in SCRIPTS.items():
        assert set(re.findall(r'byId\("([\w-]+)"\)', script)) <= ids, name
        assert set(re.findall(r'from "\./([\w.]+)"', script)) <= set(SCRIPTS), name


def test_no_script_makes_markup_of_a_text() -> None:
    for name, script in SCRIPTS.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script), name


def test_every_color_is_a_token() -> None:
    for name, sheet in SHEETS.items():
        if name != "tokens.css":
            assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb\(|hsl\(", sheet) == [], name


def test_the_page_is_small() -> None:
    files = page_files()
    assert sum(len(file.packed) for file in files.files.values()) < 40_000
