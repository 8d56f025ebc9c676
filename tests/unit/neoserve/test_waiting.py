"""One call waits, is handed over, and waits on."""

from __future__ import annotations

import json

import pytest

from neoserve import JobCanceled, JobExpired, JobFailed, NotEnded, Unreachable, job_flows
from neoserve.patience import FOLLOWER_SECONDS
from neoserve.polling import POLL_SECONDS
from tests.unit.neoserve.network import Network, job_json, problem

BODY = {"text": "Hi"}
FAILURE = {"code": "worker_lost", "detail": "Three workers were lost."}


def predict(network: Network, timeout: float | None = None) -> str:
    return network.run(job_flows.predict(BODY, "key", timeout, network.persistence)).text


def test_a_job_that_ends_while_its_call_waits_takes_one_call() -> None:
    network = Network().says(200, job_json())
    assert predict(network) == "Hello, world!"
    assert network.asked == ["POST /predict?wait=30"]
    assert json.loads(network.calls[0].content or b"") == BODY


def test_a_job_that_is_handed_over_is_waited_for_at_its_address() -> None:
    network = Network().says(202, job_json("running")).says(200, job_json("running")).says(200, job_json())
    assert predict(network) == "Hello, world!"
    assert network.asked == ["POST /predict?wait=30", *["GET /jobs/job_1?wait=30"] * 2]


def test_a_job_that_has_not_ended_in_time_comes_with_the_error() -> None:
    network = Network().says(202, job_json("running")).says(200, job_json("running"))
    with pytest.raises(NotEnded) as caught:
        predict(network, timeout=40)
    assert network.asked == ["POST /predict?wait=30", "GET /jobs/job_1?wait=10"]
    assert caught.value.job is not None
    assert caught.value.job.id == "job_1"


@pytest.mark.parametrize(
    ("status", "kind"), [("failed", JobFailed), ("canceled", JobCanceled), ("expired", JobExpired)]
)
def test_a_job_without_a_result_is_the_same_error_in_either_call(status: str, kind: type[JobFailed]) -> None:
    ended = job_json(status, error=FAILURE)
    at_once = Network().says(503, problem(503, "worker_lost", detail=FAILURE["detail"], job=ended))
    later = Network().says(202, job_json("running")).says(200, ended)
    errors = []
    for network in (at_once, later):
        with pytest.raises(JobFailed) as caught:
            predict(network)
        errors.append((type(caught.value), str(caught.value), caught.value.code, caught.value.job))
    assert errors[0] == errors[1]
    assert errors[0][0] is kind


def test_a_restart_of_the_api_is_ridden_out_by_who_waits_also_without_patience() -> None:
    network = Network(patience=0).breaks(times=5).says(200, job_json())
    job = network.run(job_flows.wait_for("job_1", None, network.persistence))
    assert job.succeeded


def test_who_waits_gives_up_when_the_service_stays_away() -> None:
    network = Network().breaks(times=40)
    with pytest.raises(Unreachable):
        network.run(job_flows.wait_for("job_1", None, network.persistence))
    assert FOLLOWER_SECONDS - 10 < network.now <= FOLLOWER_SECONDS


def test_who_waits_for_a_time_gives_up_within_it_when_the_service_is_away() -> None:
    network = Network().breaks(times=40)
    with pytest.raises(Unreachable):
        network.run(job_flows.wait_for("job_1", 5, network.persistence))
    assert network.now <= 5


def test_a_service_that_does_not_wait_is_not_asked_all_the_time() -> None:
    network = Network()
    for _ in range(30):
        network.says(202, job_json("queued"))
    with pytest.raises(NotEnded):
        network.run(job_flows.wait_for("job_1", 10, network.persistence))
    assert len(network.calls) <= 10 / POLL_SECONDS + 1


def test_a_list_is_read_page_by_page() -> None:
    network = Network()
    network.says(200, {"jobs": [job_json(id="a"), job_json(id="b")], "next": "/jobs?status=failed&cursor=OA"})
    network.says(200, {"jobs": [], "next": "https://elsewhere.example/jobs?cursor=OB"})
    network.says(200, {"jobs": [job_json(id="c")], "next": None})
    listed = network.each(job_flows.list_all(["failed", "expired"], 2, network.persistence))
    assert [job.id for job in listed] == ["a", "b", "c"]
    assert network.asked == [
        "GET /jobs?status=failed%2Cexpired&limit=2",
        "GET /jobs?status=failed&cursor=OA",
        "GET /jobs?cursor=OB",
    ]


def test_an_id_cannot_leave_its_place_in_the_address() -> None:
    network = Network().says(200, job_json())
    network.run(job_flows.get("../metrics?x=1", network.persistence))
    assert network.asked == ["GET /jobs/..%2Fmetrics%3Fx%3D1"]
