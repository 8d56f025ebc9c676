"""What does not work on a processor gives way to what does."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor

from tasks.model import forms
from tasks.model.forms import choose, works
from tasks.model.linear import HalfLinear, Int8Linear, Linear, PackedLinear, PlainLinear
from tasks.model.native.linear import NativeFloatLinear, NativeHalfLinear, NativeLinear
from tasks.model.precision import Kernels, Precision


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


def by_torch(form: type[Linear]) -> bool:
    return not issubclass(form, NativeLinear)


@pytest.mark.parametrize(
    ("precision", "served", "blocks", "head"),
    [
        ("auto", "float16", NativeHalfLinear, NativeHalfLinear),
        ("float32", "float32", NativeFloatLinear, NativeFloatLinear),
        ("float16", "float16", NativeHalfLinear, NativeHalfLinear),
        ("float16-int8head", "float16-int8head", NativeHalfLinear, Int8Linear),
        ("int8", "int8", Int8Linear, Int8Linear),
    ],
)
def test_native_kernels_go_before_torch(
    precision: str, served: str, blocks: type[Linear], head: type[Linear]
) -> None:
    chosen = choose(Precision(precision), works=lambda _: True)
    assert (chosen.precision, chosen.blocks, chosen.head, chosen.native) == (served, blocks, head, True)


@pytest.mark.parametrize("kernels", Kernels)
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
def test_where_they_are_missing_or_not_wanted_torch_computes(
    kernels: Kernels, precision: str, served: str, blocks: type[Linear], head: type[Linear]
) -> None:
    chosen = choose(Precision(precision), kernels, by_torch if kernels is Kernels.AUTO else lambda _: True)
    assert (chosen.precision, chosen.blocks, chosen.head, chosen.native) == (served, blocks, head, False)


@pytest.mark.parametrize("precision", list(Precision))
def test_without_any_operator_everything_is_plain(
    precision: Precision, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger=forms.__name__)
    chosen = choose(precision, works=lambda _: False)
    assert (chosen.precision, chosen.blocks, chosen.head) == (Precision.FLOAT32, PlainLinear, PlainLinear)
    assert not chosen.native
    # Who asked for something else is told.
    assert bool(caplog.records) == (precision not in (Precision.AUTO, Precision.FLOAT32))


def test_a_head_that_does_not_work_is_not_mixed_with_blocks_that_do() -> None:
    chosen = choose(Precision.FLOAT16_INT8HEAD, works=lambda form: by_torch(form) and form is not Int8Linear)
    assert (chosen.precision, chosen.blocks, chosen.head) == (Precision.FLOAT32, PackedLinear, PackedLinear)
