"""Weights that a form cannot hold are noticed before anybody gets a text from them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import safetensors.torch
import torch

from tasks.model.errors import BrokenLogits
from tasks.model.loading import LoadedModel, ModelError, load
from tasks.model.precision import Kernels, Precision
from tests.fakes import make_request
from tests.reference import numbers_engine, run_all, tokens

EMBEDDING, KEYS = "transformer.wte.weight", "transformer.h.1.attn.attention.k_proj.weight"
POSITIONS, NORM = "transformer.wpe.weight", "transformer.ln_f.weight"


def put(folder: Path, name: str, value: float) -> None:
    """Into the last place, a token that no text here has."""
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights[name].view(-1)[-1] = value
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def text(model: LoadedModel) -> list[int]:
    engine = numbers_engine(model.new_runner(1))
    generation = engine.submit(make_request(prompt_ids=model.encode("The cat"), max_new_tokens=3))
    run_all(engine)
    assert generation.error is None
    return tokens(generation)


@pytest.mark.parametrize("precision", ["auto", "float32", "int8"])
@pytest.mark.parametrize(
    ("name", "value"), [(KEYS, math.inf), (EMBEDDING, math.nan), (POSITIONS, -math.inf), (NORM, math.nan)]
)
def test_weights_that_are_no_numbers_are_refused(
    folder: Path, precision: str, name: str, value: float
) -> None:
    put(folder, name, value)
    with pytest.raises(ModelError, match=f"the weights in {name} are not all finite"):
        load(str(folder), precision=Precision(precision))


@pytest.mark.parametrize("kernels", list(Kernels))
@pytest.mark.parametrize(("name", "value"), [(KEYS, -70000), (EMBEDDING, 1e9)])
def test_weights_beyond_half_precision_are_served_in_float32(
    folder: Path, name: str, value: float, kernels: Kernels, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder, name, value)
    model = load(str(folder), precision=Precision.AUTO, kernels=kernels)
    assert model.precision == "float32"
    (line,) = (each.getMessage() for each in caplog.records if "half precision" in each.getMessage())
    assert str(folder) in line
    assert name in line
    assert text(model) == text(load(str(folder)))


@pytest.mark.parametrize("precision", ["float16", "float16-int8head"])
def test_half_precision_that_is_asked_for_and_cannot_hold_the_weights_is_refused(
    folder: Path, precision: str
) -> None:
    put(folder, KEYS, 65505)
    with pytest.raises(ModelError, match=r"exceed half precision.*NEOSERVE_PRECISION=float32"):
        load(str(folder), precision=Precision(precision))


def test_weights_that_half_precision_just_holds_are_served_in_it(folder: Path) -> None:
    put(folder, KEYS, 65504)
    put(folder, POSITIONS, 1e6)
    assert load(str(folder), precision=Precision.AUTO).precision == "float16"


def test_an_embedding_beyond_half_precision_stays_float32_beside_matrices_of_8_bits(folder: Path) -> None:
    put(folder, EMBEDDING, 1e6)
    embedding = load(str(folder), precision=Precision.INT8).weights.token_embedding
    assert embedding.dtype is torch.float32
    assert embedding[-1, -1] == 1e6


def test_whoever_gets_broken_logits_is_told_what_holds_larger_numbers() -> None:
    assert "NEOSERVE_PRECISION=float32" in str(BrokenLogits())
