"""Every form of a matrix computes the same product, and what does not work gives way to what does."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor

from tasks.model import linear
from tasks.model.linear import HalfLinear, Int8Linear, Linear, PackedLinear, PlainLinear, choose, works
from tasks.model.precision import Precision

FORMS: list[type[Linear]] = [PlainLinear, PackedLinear, HalfLinear, Int8Linear]
#: Largest error of each form as a share of the largest result.
ERRORS = {PlainLinear: 1e-6, PackedLinear: 1e-6, HalfLinear: 1e-3, Int8Linear: 0.03}

every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def require(form: type[Linear]) -> None:
    if not works(form):
        pytest.skip(f"{form.__name__} does not work on this processor")


def is_close(ours: Tensor, theirs: Tensor, form: type[Linear]) -> bool:
    return bool((ours - theirs).abs().max() <= ERRORS[form] * theirs.abs().max())


@every_form
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("num_rows", [1, 3, 16, 17, 130])
@torch.inference_mode()
def test_every_form_computes_the_same(form: type[Linear], num_rows: int, with_bias: bool) -> None:
    require(form)
    weight, bias = numbers(80, 48), numbers(80, seed=1) if with_bias else None
    x, residual = numbers(num_rows, 48, seed=2), numbers(num_rows, 80, seed=3)
    exact = torch.nn.functional.linear(x, weight, bias)
    ours, before = form(weight, bias), residual.clone()
    assert is_close(ours(x), exact, form)
    assert is_close(ours.gelu(x), torch.nn.functional.gelu(exact, approximate="tanh"), form)
    assert is_close(ours.add(x, residual), exact + residual, form)
    assert torch.equal(residual, before)


@every_form
@torch.inference_mode()
def test_the_neighbours_of_a_row_do_not_change_it(form: type[Linear]) -> None:
    """Also where they are far larger, or broken."""
    require(form)
    ours = form(numbers(80, 48), numbers(80, seed=1))
    x = numbers(9, 48, seed=2)
    x[3] *= 1000
    x[5, 7], x[6, 8] = float("nan"), float("-inf")
    together = ours(x)
    for row in (0, 1, 3, 8):
        # float32's rounding: an operator may sum in another order when there are other rows.
        difference = (ours(x[row : row + 1])[0] - together[row]).abs().max()
        assert difference <= 2e-6 * together[row].abs().max()
    assert not together[5].isfinite().any()
    assert not together[6].isfinite().any()


@torch.inference_mode()
def test_a_row_or_an_output_of_zeros_is_no_trouble_in_8_bits() -> None:
    require(Int8Linear)
    weight = numbers(80, 48)
    weight[4] = 0
    result = Int8Linear(weight, None)(torch.stack([torch.zeros(48), torch.ones(48)]))
    assert torch.equal(result[0], torch.zeros(80))
    assert result[1, 4] == 0


def test_a_form_whose_operator_is_missing_does_not_work() -> None:
    class Missing(PlainLinear):
        def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
            super().__init__(weight, bias)
            torch.ops.quantized.there_is_no_such_operator(weight)

    class Refusing(PlainLinear):
        def __call__(self, x: Tensor) -> Tensor:
            raise RuntimeError("Didn't find engine for operation quantized::linear_prepack_fp16")

    class Wrong(PlainLinear):
        def add(self, x: Tensor, residual: Tensor) -> Tensor:
            return self(x) - residual

    assert [works(form) for form in (PlainLinear, Missing, Refusing, Wrong)] == [True, False, False, False]


@pytest.mark.parametrize(
    ("precision", "served", "blocks", "head"),
    [
        ("auto", "float16", HalfLinear, HalfLinear),
        ("float32", "float32", PackedLinear, PackedLinear),
        ("float16", "float16", HalfLinear, HalfLinear),
        ("float16-int8head", "float16-int8head", HalfLinear, Int8Linear),
        ("int8", "int8", Int8Linear, Int8Linear),
    ],
)
def test_a_precision_names_the_forms(
    precision: str, served: str, blocks: type[Linear], head: type[Linear]
) -> None:
    assert choose(Precision(precision), lambda _: True) == (served, blocks, head)


@pytest.mark.parametrize("precision", list(Precision))
def test_without_any_operator_everything_is_plain(
    precision: Precision, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger=linear.__name__)
    assert choose(precision, lambda _: False) == (Precision.FLOAT32, PlainLinear, PlainLinear)
    # Who asked for something else is told.
    assert bool(caplog.records) == (precision not in (Precision.AUTO, Precision.FLOAT32))


def test_a_head_that_does_not_work_is_not_mixed_with_blocks_that_do() -> None:
    chosen = choose(Precision.FLOAT16_INT8HEAD, lambda form: form is not Int8Linear)
    assert chosen == (Precision.FLOAT32, PackedLinear, PackedLinear)
