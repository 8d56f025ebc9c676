"""What a model folder brings with it."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import safetensors.torch
import torch
from tokenizers import Tokenizer

from tasks.model import loading
from tasks.model.loading import LoadedModel, ModelError, load
from tests.fakes import make_request
from tests.models import build_small_model
from tests.reference import generate, numbers_engine, read_network, run_all, tokens
from tests.unit.model.folders import edit_json


def some_tokens(model: LoadedModel) -> list[int]:
    engine = numbers_engine(model.new_runner(1))
    generation = engine.submit(make_request(prompt_ids=model.encode("The cat"), max_new_tokens=3))
    run_all(engine)
    return tokens(generation)


def test_a_folder_loads_with_all_that_a_worker_needs(small_model: LoadedModel) -> None:
    assert (small_model.model_id, small_model.revision) == ("small", "")
    assert re.fullmatch(r"[0-9a-f]{12}", small_model.fingerprint)
    assert (small_model.max_positions, small_model.eos_token_ids) == (128, {0})
    text = "The cat saw 雪だるま."
    assert Tokenizer.from_str(small_model.tokenizer_json).decode(list(small_model.encode(text))) == text
    runner = small_model.new_runner(3)
    assert (runner.num_slots, runner.max_positions, runner.eos_token_ids) == (3, 128, {0})


def test_no_threads_are_kept_beside_those_that_compute_a_step(small_model: LoadedModel) -> None:
    assert torch.get_num_interop_threads() == 1
    assert small_model.precision == small_model.weights.precision.value == "float32"


def test_weights_that_were_saved_in_half_precision_are_computed_in_float32(folder: Path) -> None:
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    halves = {name: tensor.half() for name, tensor in weights.items()}
    safetensors.torch.save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    edit_json(folder / "config.json", dtype="float16")
    model = load(str(folder))
    network = read_network(folder)
    assert torch.equal(network.transformer.wte.weight, weights["transformer.wte.weight"].half().float())
    assert some_tokens(model) == generate(network, model.encode("The cat"), 3)


def test_weights_in_several_files_load(folder: Path, small_model: LoadedModel) -> None:
    network = read_network(folder)
    (folder / "model.safetensors").unlink()
    network.save_pretrained(folder, max_shard_size="200KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    assert some_tokens(load(str(folder))) == some_tokens(small_model)


def test_the_two_files_of_an_older_tokenizer_load(folder: Path, small_model: LoadedModel) -> None:
    made = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(made["vocab"]))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, made["merges"])]))
    text = "The cat saw 雪だるま<|endoftext|>"
    assert load(str(folder)).encode(text) == small_model.encode(text)


def test_the_same_content_has_the_same_fingerprint_wherever_it_is(
    folder: Path, small_model: LoadedModel
) -> None:
    (folder / "README.md").write_text("no part of what runs")
    assert load(str(folder)).fingerprint == small_model.fingerprint


def _change_weights(folder: Path) -> None:
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["transformer.wpe.weight"][0, 0] += 1
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _change_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(["<|endoftext|>", "The"])
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.mark.parametrize(
    "change",
    [
        _change_weights,
        _change_tokenizer,
        lambda folder: edit_json(folder / "config.json", layer_norm_epsilon=1e-4),
        lambda folder: edit_json(folder / "generation_config.json", eos_token_id=[0, 7]),
    ],
    ids=["weights", "tokenizer", "config", "generation config"],
)
def test_other_content_has_another_fingerprint(
    folder: Path, small_model: LoadedModel, change: Callable[[Path], None]
) -> None:
    change(folder)
    assert load(str(folder)).fingerprint != small_model.fingerprint


def test_generation_defaults_are_read_in_order(folder: Path) -> None:
    assert load(str(folder)).generation_defaults == {
        "do_sample": True,
        "temperature": 0.9,
        "max_length": 50,
        "top_k": 50,
    }
    edit_json(folder / "generation_config.json", temperature=0.3, top_k=7, top_p=0.5, do_sample=None)
    edit_json(folder / "config.json", task_specific_params={"text-generation": {"top_p": 0.8}})
    assert load(str(folder)).generation_defaults == {"temperature": 0.3, "top_k": 7, "top_p": 0.8}
    edit_json(folder / "config.json", task_specific_params=None)
    (folder / "generation_config.json").unlink()
    assert load(str(folder)).generation_defaults == {"top_k": 50}


@pytest.mark.parametrize(("value", "ids"), [([0, 7], {0, 7}), (5, {5}), (None, set())])
def test_end_tokens_come_from_the_generation_config(folder: Path, value: Any, ids: set[int]) -> None:
    edit_json(folder / "generation_config.json", eos_token_id=value)
    assert load(str(folder)).eos_token_ids == ids


def test_end_tokens_come_from_the_config_where_there_is_no_generation_config(folder: Path) -> None:
    (folder / "generation_config.json").unlink()
    edit_json(folder / "config.json", eos_token_id=4)
    assert load(str(folder)).eos_token_ids == {4}


def test_truncation_and_padding_saved_with_a_tokenizer_are_dropped(
    folder: Path, small_model: LoadedModel
) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=20)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert load(str(folder)).encode("The cat saw the dog") == small_model.encode("The cat saw the dog")


def test_a_vocabulary_rounded_up_for_speed_is_fine(tmp_path: Path) -> None:
    folder = build_small_model(tmp_path / "model", vocab_size=384)
    assert len(some_tokens(load(str(folder)))) == 3


def test_a_window_beyond_the_context_is_the_context(folder: Path) -> None:
    edit_json(folder / "config.json", window_size=128)
    expected = some_tokens(load(str(folder)))
    edit_json(folder / "config.json", window_size=10**12)
    model = load(str(folder))
    assert {layer.window for layer in model.weights.layers} == {None, 128}
    assert some_tokens(model) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "hot"),
        ("temperature", 0),
        ("temperature", float("nan")),
        ("top_k", -1),
        ("top_k", "x"),
        ("top_p", 5),
        ("do_sample", "yes"),
        ("max_length", 0),
        ("repetition_penalty", 1e9),
    ],
)
@pytest.mark.parametrize("file", ["generation_config.json", "config.json"])
def test_a_default_that_no_request_may_have_is_left_out_and_logged(
    folder: Path, file: str, name: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    edit_json(folder / "config.json", task_specific_params=None)
    of_task = {"task_specific_params": {"text-generation": {name: value}}}
    edit_json(folder / file, **({name: value} if file == "generation_config.json" else of_task))
    assert load(str(folder)).generation_defaults == {"top_k": 50}
    (line,) = (each.getMessage() for each in caplog.records if "left out" in each.getMessage())
    assert f"{folder / file}: {name} cannot be {value!r}" in line


@pytest.mark.parametrize("file", ["generation_config.json", "config.json"])
@pytest.mark.parametrize("value", ["x", [None], {}, 10**9, -1, True, [0, 298]])
def test_end_tokens_that_are_not_in_the_vocabulary_are_refused(folder: Path, file: str, value: Any) -> None:
    if file == "config.json":
        (folder / "generation_config.json").unlink()
    edit_json(folder / file, eos_token_id=value)
    with pytest.raises(ModelError, match=r"eos_token_id|cannot be loaded as GPT-Neo"):
        load(str(folder))


def test_texts_end_with_the_usual_end_token_where_none_is_named(folder: Path) -> None:
    (folder / "generation_config.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    del config["eos_token_id"]
    (folder / "config.json").write_text(json.dumps(config))
    assert load(str(folder)).eos_token_ids == {50256}


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOMEM, "Cannot allocate memory"), MemoryError(), torch.OutOfMemoryError()]
)
def test_settings_that_no_memory_holds_are_named(
    small_model: LoadedModel, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    # Whether the machine itself refuses depends on how much it has.
    monkeypatch.setattr(loading, "GPTNeoRunner", Mock(side_effect=error))
    with pytest.raises(ModelError) as caught:
        small_model.new_runner(4096, num_kv_tokens=10**8, num_prefix_tokens=256)
    for name in (
        "NEOSERVE_MAX_BATCH_SIZE=4096",
        "NEOSERVE_KV_TOKENS=100000000",
        "NEOSERVE_PREFIX_TOKENS=256",
    ):
        assert name in str(caught.value)


def test_less_room_than_the_context_is_the_context_and_logged(
    small_model: LoadedModel, caplog: pytest.LogCaptureFixture
) -> None:
    assert small_model.new_runner(2, num_kv_tokens=128).num_kv_tokens == 128
    assert small_model.new_runner(2).num_kv_tokens == 1024
    assert not caplog.records
    assert small_model.new_runner(2, num_kv_tokens=127).num_kv_tokens == 128
    (line,) = (each.getMessage() for each in caplog.records)
    assert "NEOSERVE_KV_TOKENS=127" in line
    assert "128 tokens" in line
