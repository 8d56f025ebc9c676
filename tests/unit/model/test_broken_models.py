"""A model loads completely, or one clear line says which file is wrong and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from tokenizers import Tokenizer, decoders

from tasks.model.loading import ModelError, load
from tests.models import build_small_model, small_tokenizer
from tests.reference import read_network
from tests.unit.model.folders import edit_json


def _truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _only_pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _drop_tensors(folder: Path) -> None:
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "h.2.mlp" not in name}
    safetensors.torch.save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def _drop_shard(folder: Path) -> None:
    read_network(folder).save_pretrained(folder, max_shard_size="200KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    min(folder.glob("model-*.safetensors")).unlink()


def _write_index(weight_map: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    return write


def _empty_vocabulary(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("{}")
    (folder / "merges.txt").write_text("")


def _other_decoder(folder: Path) -> None:
    tokenizer = small_tokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.save(str(folder / "tokenizer.json"))


def _larger_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["one", "more"])
    tokenizer.save(str(folder / "tokenizer.json"))


def _write(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


def _edit(name: str, **values: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        edit_json(folder / name, **values)

    return change


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("damage", "place", "remedy"),
    [
        (_remove("config.json"), "config.json is missing", "save or fetch"),
        (_write("config.json", "{not json"), "config.json cannot be read", "save or fetch"),
        (_write("config.json", "[]"), "config.json is not a JSON object", "save or fetch"),
        (_edit("config.json", model_type="gpt2"), "config.json describes a model of type 'gpt2'", "GPT-Neo"),
        (_edit("config.json", auto_map={"AutoModel": "x.Y"}), "config.json names code", "remove the entry"),
        (_write("tokenizer_config.json", '{"auto_map": {}}'), "tokenizer_config.json names code", "remove"),
        (_edit("config.json", num_layers=3), "cannot be loaded as GPT-Neo", "check its config.json"),
        (_edit("config.json", hidden_size=32), "cannot be loaded as GPT-Neo", "check its config.json"),
        *(
            (_edit("config.json", **{name: value}), f"{name} must be a whole number of at least 1", "save or")
            for name, value in (
                ("window_size", 0),
                ("window_size", -3),
                ("num_heads", 0),
                ("num_heads", -4),
            )
        ),
        *(
            (_edit("config.json", **{name: value}), "cannot be loaded as GPT-Neo", "check its config.json")
            for name, value in (
                ("window_size", 1.5),
                ("window_size", True),
                ("vocab_size", None),
                ("vocab_size", "300"),
                ("dtype", "zzz"),
                ("id2label", 3),
            )
        ),
        (_edit("config.json", num_heads="four"), "cannot be loaded as GPT-Neo", "check its config.json"),
        (
            _edit("config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}),
            "cannot be loaded as GPT-Neo",
            "check its config.json",
        ),
        (_write("generation_config.json", "{"), "generation_config.json cannot be read", "save or fetch"),
        (_truncate, "model.safetensors is missing, truncated or damaged", "fetch or save it again"),
        (_write("model.safetensors", "x" * 99), "model.safetensors is missing, truncated", "fetch or save"),
        (_only_pickled, "only pytorch_model.bin", "save the model as model.safetensors"),
        (_remove("model.safetensors"), "holds no weights", "save the model as model.safetensors"),
        (_drop_tensors, "lack 4 tensors", "save or fetch the model again"),
        (_drop_shard, "00001-of-", "fetch or save it again"),
        *(
            (_write_index(weight_map), "weight_map must name the file", "save or fetch the model again")
            for weight_map in (None, ["model.safetensors"], {"lm_head.weight": 3}, {"lm_head.weight": ["a"]})
        ),
        *(
            (
                _edit("config.json", task_specific_params=params),
                "task_specific_params",
                "correct or remove it",
            )
            for params in ([1], "text-generation", {"text-generation": [1]}, {"text-generation": "sample"})
        ),
        (_empty_vocabulary, "the tokenizer knows no text", "save or fetch the tokenizer"),
        (_remove("tokenizer.json"), "tokenizer.json is missing", "save the model's tokenizer"),
        (_write("tokenizer.json", "{}"), "tokenizer.json cannot be read", "save or fetch the tokenizer"),
        (_other_decoder, "tokenizer.json decodes with WordPiece", "put the model's own tokenizer there"),
        (_larger_tokenizer, "they do not belong together", "put the model's own tokenizer there"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_folder_is_one_clear_error(
    folder: Path, damage: Callable[[Path], None], place: str, remedy: str
) -> None:
    damage(folder)
    with pytest.raises(ModelError) as caught:
        load(str(folder))
    message = str(caught.value)
    assert str(folder) in message
    assert place in message
    assert remedy in message
    assert "\n" not in message
    assert caught.value.code == "model_not_loadable"


def test_weights_that_this_user_may_not_read_are_not_said_to_be_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def refused(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "model.safetensors":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ModelError, match=r"may not be read by user \d+, .* `chmod -R a\+rX"):
        load(str(folder))


def test_a_tokenizer_that_is_much_smaller_than_the_model_is_refused(tmp_path: Path) -> None:
    folder = build_small_model(tmp_path / "model", vocab_size=5000)
    with pytest.raises(ModelError, match="they do not belong together"):
        load(str(folder))
