"""Every form of a matrix computes the same product."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tasks.model.forms import works
from tasks.model.linear import HalfLinear, Int8Linear, Linear, PackedLinear, PlainLinear
from tasks.model.native.linear import NativeFloatLinear, NativeHalfLinear

#: Largest error of each form as a share of the largest result.
ERRORS: dict[type[Linear], float] = {
    PlainLinear: 1e-6,
    PackedLinear: 1e-6,
    NativeFloatLinear: 1e-6,
    HalfLinear: 1e-3,
    NativeHalfLinear: 1e-3,
    Int8Linear: 0.03,
}

every_form = pytest.mark.parametrize("form", ERRORS, ids=lambda form: form.__name__)


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
