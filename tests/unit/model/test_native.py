"""The native kernels of every level: right, and the same to the last bit in any company."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence as Rows
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, linear

from tasks.engine.runner import Chunk
from tasks.engine.types import SamplingParams
from tasks.model.forms import choose
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.native import library
from tasks.model.native.attention import NativeAttention
from tasks.model.native.largest import largest
from tasks.model.native.library import Level, applicable, best_level, load
from tasks.model.native.linear import NativeFloatLinear, NativeHalfLinear, NativeLinear
from tasks.model.precision import Kernels, Precision
from tasks.model.torch_attention import TorchAttention
from tasks.model.weights import Weights, pack
from tests.models import random_config, random_network
from tests.quality import Recorder
from tests.services import require_service

pytestmark = pytest.mark.skipif(not applicable(), reason="the native kernels are for x86 on Linux")

LEVELS = [Level.AVX2, Level.AVX512, Level.AMX]
#: Beyond a window of 40, a page of 128 and several tiles of 16.
TEXT = tuple(17 * place % 251 for place in range(300))

every_level = pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
both_forms = pytest.mark.parametrize("form", [NativeFloatLinear, NativeHalfLinear])


def require(level: Level) -> None:
    require_service(best_level() is not Level.NONE, "the native kernels are not built: make native")
    if level > best_level():
        pytest.skip(f"this processor has no {level.name}")


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@both_forms
@every_level
@pytest.mark.parametrize(("num_outputs", "num_inputs"), [(1, 1), (16, 32), (100, 50), (257, 131), (64, 3072)])
@torch.inference_mode()
def test_products_of_every_size_are_right(
    form: type[NativeLinear], level: Level, num_outputs: int, num_inputs: int
) -> None:
    require(level)
    weight, bias = numbers(num_outputs, num_inputs), numbers(num_outputs, seed=1)
    ours = form(weight, bias, level)
    for num_rows in (1, 2, 5, 16, 17, 40):
        x, residual = numbers(num_rows, num_inputs, seed=2), numbers(num_rows, num_outputs, seed=3)
        exact = linear(x.double(), weight.to(form.dtype).double(), bias.double())
        # Half-precision weights with activations of 16 bits and more: 2⁻¹⁶ of the sum of the products.
        allowed = 2e-5 * (x.abs() @ weight.T.abs()).double() + 1e-6
        assert ((ours(x) - exact).abs() <= allowed).all()
        assert ((ours.gelu(x) - gelu(exact, approximate="tanh")).abs() <= 1.2 * allowed).all()
        assert ((ours.add(x, residual) - exact - residual).abs() <= allowed).all()


@both_forms
@every_level
@torch.inference_mode()
def test_a_row_is_the_same_to_the_last_bit_in_any_company(form: type[NativeLinear], level: Level) -> None:
    require(level)
    ours = form(numbers(100, 200), numbers(100, seed=1), level)
    x = numbers(70, 200, seed=2)
    together = ours(x)
    for first, last in ((0, 1), (3, 5), (7, 14), (20, 36), (69, 70), (31, 70)):
        assert torch.equal(ours(x[first:last]), together[first:last])


@torch.inference_mode()
def test_a_weight_beyond_half_precision_is_its_largest_number() -> None:
    require(Level.AVX2)
    ours = NativeHalfLinear(torch.tensor([[1e9, 0.0], [0.0, -1e9]]), None)
    assert ours(torch.eye(2)).diagonal().tolist() == [65504, -65504]


def small_weights(kernels: Kernels) -> Weights:
    """Heads of 32 numbers, a window of 40."""
    config = random_config("tiny", vocab_size=256, num_heads=2, window_size=40, max_position_embeddings=512)
    return pack(random_network(config), choose(Precision.FLOAT32, kernels))


@pytest.fixture(scope="module")
def weights() -> Weights:
    return small_weights(Kernels.TORCH)


@pytest.fixture(scope="module")
def native_weights() -> Weights:
    """torch's products change with the number of rows; these do not."""
    return small_weights(Kernels.AUTO)


def logits(
    weights: Weights, attention: NativeAttention | TorchAttention, cuts: Rows[int], company: int = 0
) -> Tensor:
    """Of the last token of TEXT, its prompt cut at `cuts`; [vocabulary]."""
    recorder = Recorder(weights.head)
    runner = GPTNeoRunner(
        replace(weights, head=recorder),
        num_slots=1 + company,
        eos_token_ids=frozenset(),
        num_kv_tokens=4096,
        attention=attention,
    )
    for slot in range(1 + company):
        runner.admit(slot, TEXT, 1, SamplingParams())
    for start, end in zip((0, *cuts), (*cuts, len(TEXT)), strict=True):
        runner.run(
            [
                Chunk(slot=slot, token_ids=TEXT[: 1 + 13 * slot], start=0, emits=False)
                for slot in range(1, 1 + company)
                if start == 0
            ]
            + [Chunk(slot=0, token_ids=TEXT[start:end], start=start, emits=end == len(TEXT))]
        )
    return recorder.logits[-1][0]


@every_level
@pytest.mark.parametrize(("half", "allowed"), [(False, 2e-5), (True, 2e-2)])
def test_attention_equals_that_of_torch(weights: Weights, level: Level, half: bool, allowed: float) -> None:
    require(level)
    exact = logits(weights, TorchAttention(), cuts=[128, 256])
    ours = logits(weights, NativeAttention(half=half, level=level), cuts=[128, 256])
    assert (ours - exact).abs().max() < allowed * exact.std()


@every_level
@pytest.mark.parametrize("half", [False, True])
def test_a_text_is_the_same_to_the_last_bit_however_it_is_cut_and_in_any_company(
    native_weights: Weights, level: Level, half: bool
) -> None:
    require(level)
    attention = NativeAttention(half=half, level=level)
    whole = logits(native_weights, attention, cuts=[])
    for cuts in ([1], [299], [5, 21, 128, 129], list(range(1, 300)), list(range(16, 300, 16))):
        assert torch.equal(logits(native_weights, attention, cuts), whole)
    assert torch.equal(logits(native_weights, attention, [100], company=3), whole)


@every_level
@pytest.mark.parametrize("count", [4096, 5000, 50257])
def test_the_largest_of_each_row_come_in_order_and_equal_ones_by_their_places(
    level: Level, count: int
) -> None:
    require(level)
    smooth, rough = numbers(5, count), numbers(5, count, seed=1).round()
    flat, rising = torch.zeros(1, count), torch.arange(count).float()[None]
    for rows in (smooth, rough, flat, rising, -rising, smooth - 1e30):
        values, places = largest(rows, 256, level)
        exact, order = rows.sort(dim=1, descending=True, stable=True)
        assert torch.equal(values, exact[:, :256])
        assert torch.equal(places, order[:, :256])


def test_heads_that_do_not_fill_the_registers_are_left_to_torch() -> None:
    assert NativeAttention.serves(64)
    assert not NativeAttention.serves(24)


def test_a_level_that_the_processor_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    require(Level.AVX2)
    monkeypatch.setattr(library, "best_level", lambda: Level.AVX2)
    with pytest.raises(RuntimeError, match="not for this processor"):
        NativeAttention(half=False, level=Level.AMX)


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_library_that_was_cut_off_is_not_even_opened(
    tmp_path: Path, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    require(Level.AVX2)
    content = library.PATH.read_bytes()
    (tmp_path / "cut.so").write_bytes(content[: int(share * len(content))])
    assert load(tmp_path / "cut.so") is None
    (line,) = (each.getMessage() for each in caplog.records)
    assert "cut.so cannot be loaded: it is incomplete" in line


def test_a_library_that_is_missing_broken_or_out_of_date_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    require(Level.AVX2)
    caplog.set_level(logging.WARNING, logger=library.__name__)
    assert load(tmp_path / "missing.so") is None
    assert not caplog.records
    (tmp_path / "broken.so").write_bytes(b"this is no library" + library.TRAILER)
    assert load(tmp_path / "broken.so") is None
    old = Path(shutil.copyfile(library.PATH, tmp_path / "old.so"))
    monkeypatch.setattr(library, "sources", lambda: "another state")
    assert load(old) is None
    assert "out of date" in caplog.text
