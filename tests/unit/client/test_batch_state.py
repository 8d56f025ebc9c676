"""A batch that was begun is found again, and never begun twice by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.batch_state import BatchState
from client.errors import WrongUsage

PROMPTS = b'{"text":"Hi"}\n'


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_the_same_prompts_for_the_same_output_keep_their_key(output: Path) -> None:
    assert BatchState(output).key_for(PROMPTS) == BatchState(output).key_for(PROMPTS)


def test_another_output_is_another_batch(output: Path) -> None:
    assert BatchState(output).key_for(PROMPTS) != BatchState(output.with_name("b.jsonl")).key_for(PROMPTS)


def test_other_prompts_do_not_take_the_place_of_a_batch_that_goes_on(output: Path) -> None:
    BatchState(output).key_for(PROMPTS)
    with pytest.raises(WrongUsage, match="other prompts"):
        BatchState(output).key_for(b"{}")


def test_results_that_are_there_are_not_overwritten(output: Path) -> None:
    output.write_bytes(b"precious")
    with pytest.raises(WrongUsage, match="is there already"):
        BatchState(output).key_for(PROMPTS)


def test_a_finished_batch_leaves_its_results_alone(output: Path) -> None:
    state = BatchState(output)
    state.key_for(PROMPTS)
    state.finish(b"results")
    assert [(each.name, each.read_bytes()) for each in output.parent.iterdir()] == [("out.jsonl", b"results")]


def test_a_refused_batch_leaves_nothing(output: Path) -> None:
    state = BatchState(output)
    state.key_for(PROMPTS)
    state.forget()
    assert list(output.parent.iterdir()) == []


def test_a_batch_that_was_begun_before_is_not_forgotten(output: Path) -> None:
    key = BatchState(output).key_for(PROMPTS)
    again = BatchState(output)
    again.key_for(PROMPTS)
    again.forget()
    assert BatchState(output).key_for(PROMPTS) == key


@pytest.mark.parametrize("content", [b"", b"[]", b'{"key":"k"}'])
def test_a_file_that_is_no_state_is_named_with_the_remedy(output: Path, content: bytes) -> None:
    output.with_name("out.jsonl.batch").write_bytes(content)
    with pytest.raises(WrongUsage, match=r"out\.jsonl\.batch is no state of a batch\. Delete it"):
        BatchState(output).key_for(PROMPTS)
