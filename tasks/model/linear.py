"""Matrices in the form that their operator wants, each behind the same three calls.

The operators of oneDNN and FBGEMM are private to torch or exist on x86 only: `works` tries one before it is
relied on, and PlainLinear runs everywhere.
"""

from __future__ import annotations

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import gelu, linear

from tasks.model.precision import Precision

logger = logging.getLogger(__name__)

#: What an operator raises on a processor, or in a build of torch, that does not have it.
UNAVAILABLE = (AttributeError, NotImplementedError, RuntimeError, TypeError)
#: Rows for which oneDNN chooses its layout: about what a step of a full batch has.
EXPECTED_ROWS = 16


class Linear(ABC):
    """x·weightᵀ + bias. Called with [rows, in] float32, returns [rows, out] float32; a row's result depends
    on its own numbers alone, up to rounding."""

    @abstractmethod
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Takes weight [out, in] and bias [out], float32, into its own form; neither is changed."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor: ...

    def gelu(self, x: Tensor) -> Tensor:
        """The result through GPT's activation, the approximation of GELU by tanh."""
        return gelu(self(x), approximate="tanh")

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """The result and `residual` [rows, out], which is not changed."""
        return self(x) + residual


class PlainLinear(Linear):
    """The matrix as it came, shared with whoever else holds it."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: Tensor) -> Tensor:
        return linear(x, self._weight, self._bias)


class PackedLinear(Linear):
    """float32, packed by oneDNN, with activation and sum in the same pass."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, EXPECTED_ROWS)
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return result

    def gelu(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "gelu", [], "tanh")
        return result

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, residual, self._weight, self._bias, "add"
        )
        return result


class HalfLinear(Linear):
    """Weights in half precision, packed by FBGEMM; computed in float32."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight, bias)

    def __call__(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._packed)
        return result


class Int8Linear(Linear):
    """Weights in 8 bits with a scale per output, activations in 7 bits with a scale per row.

    The operator scales all its rows together, by the smallest and the largest number among them. So every row
    is divided by its own largest one first, and a row that holds -1 and 1 is added: then the common scale is
    the same in any company.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        num_outputs, num_inputs = weight.shape
        scales = weight.abs().amax(1).clamp_min(torch.finfo(weight.dtype).tiny) / 127
        with warnings.catch_warnings():
            # torch announces that it will drop these tensors one day; then `works` is false.
            warnings.simplefilter("ignore", UserWarning)
            quantized = torch.quantize_per_channel(
                weight, scales.double(), torch.zeros(num_outputs, dtype=torch.long), 0, torch.qint8
            )
            self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        self._bias = bias
        self._pin = torch.zeros(1, num_inputs)
        self._pin[0, :2] = torch.tensor([-1.0, 1.0])

    def __call__(self, x: Tensor) -> Tensor:
        largest = x.abs().amax(1, keepdim=True)  # [rows, 1]
        # A row that is broken must not take part in the common scale; the product below breaks it again.
        scaled = (x / largest.clamp_min(torch.finfo(x.dtype).tiny)).nan_to_num()
        # 7 bits: with 8, AVX2's sums of products would overflow.
        result: Tensor = torch.ops.quantized.linear_dynamic(
            torch.cat([scaled, self._pin]), self._packed, True
        )[:-1]
        result = result * largest
        return result if self._bias is None else result + self._bias


@cache
def works(kind: type[Linear]) -> bool:
    """Whether the operators of `kind` exist here and compute what they should."""
    generator = torch.Generator().manual_seed(0)
    weight, bias, x, residual = (
        torch.randn(shape, generator=generator) for shape in ((96, 64), (96,), (3, 64), (3, 96))
    )
    plain = PlainLinear(weight, bias)
    try:
        with torch.inference_mode():
            tried = kind(weight, bias)
            results = [tried(x), tried.gelu(x), tried.add(x, residual)]
    except UNAVAILABLE as error:
        logger.info("%s does not work here: %s", kind.__name__, error)
        return False
    expected = [plain(x), plain.gelu(x), plain.add(x, residual)]
    return all(
        # 8 bits are off by about 2 % of the largest result.
        bool((ours - theirs).abs().max() < 0.05 * theirs.abs().max())
        for ours, theirs in zip(results, expected, strict=True)
    )


def choose(
    precision: Precision, works: Callable[[type[Linear]], bool] = works
) -> tuple[Precision, type[Linear], type[Linear]]:
    """The precision that this machine serves when asked for `precision`, and the form of the blocks' matrices
    and of the vocabulary's. What does not work here gives way to float32."""
    exact = PackedLinear if works(PackedLinear) else PlainLinear
    wanted = Precision.FLOAT16 if precision is Precision.AUTO else precision
    forms: dict[Precision, tuple[type[Linear], type[Linear]]] = {
        Precision.FLOAT16: (HalfLinear, HalfLinear),
        Precision.FLOAT16_INT8HEAD: (HalfLinear, Int8Linear),
        Precision.INT8: (Int8Linear, Int8Linear),
    }
    blocks, head = forms.get(wanted, (exact, exact))
    if wanted is Precision.FLOAT32 or (wanted in forms and works(blocks) and works(head)):
        return wanted, blocks, head
    if precision is not Precision.AUTO:
        logger.warning("this processor has no operators for %s weights: serving float32", precision)
    return Precision.FLOAT32, exact, exact
