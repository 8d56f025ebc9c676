"""Batches, from prompts to results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neoserve import NotEnded, UnexpectedAnswer, Unreachable, batch_flows
from tests.unit.neoserve.network import Network, batch_json, problem

BROKEN = Unreachable("The connection broke.")


def item(index: int, text: str = "a") -> bytes:
    result = [{"generated_text": f"{text}\u2028", "finish_reason": "eos"}]
    line = {"index": index, "status": "succeeded", "result": result}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def lines(body: bytes) -> list[Any]:
    return [json.loads(line) for line in body.splitlines()]


def test_a_batch_is_made_of_texts_and_requests() -> None:
    body = batch_flows.as_body(["One", {"text": "Two", "seed": 2}], {"ttl_s": 60})
    assert lines(body) == [{"batch": {"ttl_s": 60}}, {"text": "One"}, {"text": "Two", "seed": 2}]


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(b'{"text":"One"}\n\n')
    assert batch_flows.as_body(file, {}) == b'{"text":"One"}\n\n'
    assert lines(batch_flows.as_body(file, {"ttl_s": 1})[:-1])[0] == {"batch": {"ttl_s": 1}}


@pytest.mark.parametrize("prompts", ["One text", {"text": "One request"}])
def test_one_text_is_no_batch(prompts: Any) -> None:
    with pytest.raises(TypeError, match="iterable"):
        batch_flows.as_body(prompts, {})


def test_a_batch_runs_from_prompts_to_results() -> None:
    network = Network().breaks().says(202, batch_json("running"))
    network.says(200, batch_json("running")).says(200, batch_json())
    network.says(200, batch_json()).sends(item(0, "one") + item(1, "two"))
    items = network.each(batch_flows.run(b"{}", "key", None, network.persistence))
    assert [(each.index, each.text) for each in items] == [(0, "one\u2028"), (1, "two\u2028")]
    assert network.asked == [
        *["POST /batches"] * 2,
        *["GET /batches/batch_1?wait=30"] * 2,
        "GET /batches/batch_1",
        "GET /batches/batch_1/results",
    ]
    assert {call.headers["Idempotency-Key"] for call in network.calls[:2]} == {"key"}
    assert network.calls[0].headers["Content-Type"] == "application/jsonl"


@pytest.mark.parametrize("cut", [b"", item(0)[:9], item(0), item(0) + item(1)[:9]])
@pytest.mark.parametrize("end", [[], [BROKEN]])
def test_results_that_broke_off_are_read_on_and_told_once(cut: bytes, end: list[Unreachable]) -> None:
    network = Network().says(200, batch_json()).sends(cut, *end).sends(item(0), item(1))
    items = network.each(batch_flows.results("batch_1", network.persistence))
    assert [each.index for each in items] == [0, 1]


@pytest.mark.parametrize("line", [b"{}\n", b"[]\n", b"<html>\n"])
def test_results_of_another_program_are_none(line: bytes) -> None:
    network = Network().says(200, batch_json()).sends(line)
    with pytest.raises(UnexpectedAnswer):
        network.each(batch_flows.results("batch_1", network.persistence))


def test_a_batch_that_has_not_ended_in_time_comes_with_the_error() -> None:
    network = Network().says(200, batch_json("running"))
    with pytest.raises(NotEnded) as caught:
        network.run(batch_flows.wait_for("batch_1", 20, network.persistence))
    assert caught.value.batch is not None
    assert caught.value.batch.status == "running"


def test_a_batch_that_can_no_more_be_canceled_is_in_the_error() -> None:
    network = Network().says(409, problem(409, "batch_finished", batch=batch_json()))
    with pytest.raises(Exception, match="batch_finished") as caught:
        network.run(batch_flows.cancel("batch_1", network.persistence))
    assert caught.value.batch.id == "batch_1"  # type: ignore[attr-defined]


def test_batches_are_listed_page_by_page() -> None:
    network = Network().says(200, {"batches": [batch_json()], "next": "/batches?cursor=Nw"})
    network.says(200, {"batches": [batch_json()], "next": None})
    assert len(network.each(batch_flows.list_all(None, network.persistence))) == 2
    assert network.asked == ["GET /batches", "GET /batches?cursor=Nw"]
