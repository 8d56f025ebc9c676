"""Every abusive request is refused before anything is queued, and harms nobody."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.abuse.case import REFUSED, Case
from tests.abuse.corpus import corpus
from tests.abuse.exchange import send_all
from tests.abuse.good_traffic import GoodTraffic
from tests.e2e.deployment import Deployment
from tests.e2e.terminal import neoserve

#: With a secret, so that addresses of receivers are looked at, and not refused for want of it.
WEBHOOKS = {"NEOSERVE_WEBHOOK_SECRET": "whsec_" + base64.b64encode(b"s" * 32).decode()}
OPEN_ROUTES = ("/healthz", "/readyz", "/page/", "/docs", "/openapi.json")

Deploy = Callable[..., Deployment]


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    started: list[Deployment] = []

    def start(**settings: str) -> Deployment:
        deployment = Deployment(tmp_path, **WEBHOOKS, **settings)
        started.append(deployment)
        deployment.start()
        deployment.repair()
        return deployment

    yield start
    for deployment in started:
        deployment.stop()


def processes(deployment: Deployment) -> list[list[str]]:
    """Every process that serves: another list means that one has died."""
    pids = [str(each.process.pid) for each in (*deployment.apis, *deployment.workers)]
    return [[pid, *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] for pid in pids]


def num_jobs(url: str, headers: dict[str, str]) -> int:
    """That were ever recorded."""
    counts: dict[str, int] = httpx.get(f"{url}/health", headers=headers, timeout=20).json()["jobs"]
    return sum(counts.values())


def assert_harmless(deployment: Deployment, cases: list[Case], **headers: str) -> None:
    (api, *_), before = deployment.apis, processes(deployment)
    jobs = num_jobs(api.url, headers)
    with GoodTraffic(api.url, headers).running() as good:
        replies = send_all(api.port, cases)
    deployment.wait_idle()
    complaints = [complaint for each in replies if (complaint := each.complaint())]
    assert not complaints, "\n".join(complaints)
    assert good.statuses == {200}
    accepted = len(good.answers) + sum(each.recorded for each in replies)
    assert num_jobs(api.url, headers) == jobs + accepted
    assert processes(deployment) == before
    for output in (*(each.output for each in deployment.apis), *(each.err for each in deployment.workers)):
        assert "Traceback" not in output


def with_header(case: Case, line: str) -> Case:
    """As far as it has headers."""
    host = b"Host: abuse\r\n"
    return replace(case, data=case.data.replace(host, host + line.encode() + b"\r\n", 1))


def test_no_abusive_request_does_any_harm(deploy: Deploy) -> None:
    assert_harmless(deploy(), corpus())


@pytest.mark.slow
def test_nor_does_one_with_a_key_or_with_none(deploy: Deploy, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    key = neoserve("keys", "add", "team", "--file", keys).stdout.strip()
    deployment, authorization = deploy(NEOSERVE_API_KEYS_FILE=str(keys)), f"Bearer {key}"
    cases = corpus()
    with_key = [with_header(case, f"Authorization: {authorization}") for case in cases]
    assert_harmless(deployment, with_key, Authorization=authorization)
    strangers = [replace(case, answers=case.answers | REFUSED) for case in cases]
    assert_harmless(deployment, strangers, Authorization=authorization)
    assert key not in "".join(api.output for api in deployment.apis)
