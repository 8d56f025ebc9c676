"""Which forms and kernels compute a precision on this processor: each is tried before it is relied on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch

from tasks.model.linear import HalfLinear, Int8Linear, Linear, PackedLinear, PlainLinear
from tasks.model.native.linear import NativeFloatLinear, NativeHalfLinear
from tasks.model.precision import Kernels, Precision

logger = logging.getLogger(__name__)

#: What an operator raises on a processor, or in a build of torch, that does not have it.
UNAVAILABLE = (AttributeError, NotImplementedError, RuntimeError, TypeError)


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


@dataclass(frozen=True)
class Forms:
    """What this processor serves when it is asked for a precision."""

    precision: Precision  #: Never AUTO.
    blocks: type[Linear]
    head: type[Linear]  #: Of the vocabulary's matrix.
    native: bool  #: The native kernels may compute the attention as well.


def choose(
    precision: Precision,
    kernels: Kernels = Kernels.AUTO,
    works: Callable[[type[Linear]], bool] = works,
) -> Forms:
    """The fastest forms of `precision` that work here; where none does, those of float32."""
    native = kernels is Kernels.AUTO and works(NativeFloatLinear) and works(NativeHalfLinear)
    half = NativeHalfLinear if native else HalfLinear
    exact = NativeFloatLinear if native else PackedLinear if works(PackedLinear) else PlainLinear
    wanted = Precision.FLOAT16 if precision is Precision.AUTO else precision
    forms: dict[Precision, tuple[type[Linear], type[Linear]]] = {
        Precision.FLOAT16: (half, half),
        Precision.FLOAT16_INT8HEAD: (half, Int8Linear),
        Precision.INT8: (Int8Linear, Int8Linear),
    }
    blocks, head = forms.get(wanted, (exact, exact))
    if wanted is Precision.FLOAT32 or (wanted in forms and works(blocks) and works(head)):
        return Forms(wanted, blocks, head, native)
    if precision is not Precision.AUTO:
        logger.warning("this processor has no operators for %s weights: serving float32", precision)
    return Forms(Precision.FLOAT32, exact, exact, native)
