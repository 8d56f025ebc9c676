"""What the forms of the weights cost in quality, and save in memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tasks.model import loading
from tasks.model.forms import choose, works
from tasks.model.linear import HalfLinear, Int8Linear
from tasks.model.loading import load
from tasks.model.precision import Precision
from tests.fakes import make_request
from tests.memory import held_bytes
from tests.quality import Distance, distance, forced_log_probabilities
from tests.reference import generate, numbers_engine, read_network, run_all, tokens
from tests.services import require_service

#: On both sides of the window of 256 tokens.
LENGTHS = (80, 200, 300, 600)
NUM_FORCED = 40


def measure(folder: Path, texts: list[tuple[int, ...]], precision: Precision) -> Distance:
    require_service(works(HalfLinear) and works(Int8Linear), "this processor has float32 only")
    exact = forced_log_probabilities(load(str(folder)).weights, texts, NUM_FORCED)
    loaded = load(str(folder), precision=precision).weights
    assert loaded.precision == precision
    return distance(forced_log_probabilities(loaded, texts, NUM_FORCED), exact, texts)


def stories(folder: Path) -> list[tuple[int, ...]]:
    """Pieces of text that the shipped model has not seen in training."""
    ids = load(str(folder)).encode((folder / "held_out.txt").read_text(encoding="utf-8"))
    return [ids[1000 * place : 1000 * place + length] for place, length in enumerate(LENGTHS)]


def noise(folder: Path) -> list[tuple[int, ...]]:
    ids = load(str(folder)).encode(
        "A text for weights that are noise; the place in it makes it differ. " * 50
    )
    return [ids[5 * place : 5 * place + length] for place, length in enumerate(LENGTHS)]


def test_half_precision_loses_nothing_on_the_shipped_model_which_was_saved_so(shipped_folder: Path) -> None:
    measured = measure(shipped_folder, stories(shipped_folder), Precision.FLOAT16)
    assert measured.agreement == 1
    assert measured.largest_divergence < 1e-5


@pytest.mark.slow
def test_half_precision_changes_almost_nothing_on_weights_saved_in_float32(gpt_neo_125m_folder: Path) -> None:
    measured = measure(gpt_neo_125m_folder, noise(gpt_neo_125m_folder), Precision.FLOAT16)
    assert measured.divergence < 1e-6
    # Noise has no clear favourites: the likeliest tokens are often nearly equal.
    assert measured.agreement >= 0.97


@pytest.mark.parametrize(
    ("precision", "divergence", "loss", "agreement"),
    [(Precision.FLOAT16_INT8HEAD, 1e-3, 0.01, 0.95), (Precision.INT8, 1e-2, 0.03, 0.9)],
)
def test_8_bits_change_the_shipped_model_measurably_but_little(
    shipped_folder: Path, precision: Precision, divergence: float, loss: float, agreement: float
) -> None:
    measured = measure(shipped_folder, stories(shipped_folder), precision)
    assert 1e-5 < measured.divergence < divergence
    assert abs(measured.loss) < loss
    assert measured.agreement >= agreement


@pytest.mark.parametrize("precision", [Precision.FLOAT16, Precision.INT8])
def test_a_text_is_the_same_alone_and_in_company(shipped_folder: Path, precision: Precision) -> None:
    model = load(str(shipped_folder), precision=precision)
    requests = [make_request(prompt_ids=ids, max_new_tokens=20) for ids in stories(shipped_folder)]
    together = numbers_engine(model.new_runner(len(requests)))
    generations = [together.submit(each) for each in requests]
    run_all(together)
    for each in generations:
        alone = numbers_engine(model.new_runner(1))
        generation = alone.submit(each.request)
        run_all(alone)
        assert tokens(generation) == tokens(each)


def test_a_processor_without_any_operator_computes_the_same_text(
    shipped_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "choose", partial(choose, works=lambda _: False))
    model = load(str(shipped_folder), precision=Precision.AUTO)
    assert model.weights.precision == Precision.FLOAT32
    engine = numbers_engine(model.new_runner(2))
    generations = [engine.submit(make_request(prompt_ids=ids)) for ids in stories(shipped_folder)]
    run_all(engine)
    network = read_network(shipped_folder)
    for each in generations:
        assert tokens(each) == generate(network, each.request.prompt_ids, each.request.max_new_tokens)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("precision", "bytes_per_weight"),
    # The vocabulary's matrix is held twice, for looking up and for multiplying.
    [
        (Precision.FLOAT32, 4),
        (Precision.FLOAT16, 2),
        pytest.param(Precision.INT8, 1, marks=pytest.mark.slow),
    ],
)
def test_the_weights_are_held_once(
    gpt_neo_125m_folder: Path, precision: Precision, bytes_per_weight: int
) -> None:
    require_service(choose(precision).precision is precision, f"this processor has no {precision}")
    num_weights, num_looked_up = 124e6, 50257 * 768
    expected = num_weights * bytes_per_weight + num_looked_up * max(2, bytes_per_weight)
    assert held_bytes(gpt_neo_125m_folder, precision) < 1.15 * expected + 40e6
