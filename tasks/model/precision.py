"""The forms in which a model's weights can be held, and what computes. Importing this needs no torch."""

from __future__ import annotations

from enum import StrEnum


class Precision(StrEnum):
    """Values of NEOSERVE_PRECISION."""

    AUTO = "auto"  #: FLOAT16 on processors that have its operator, else FLOAT32; on GPUs BFLOAT16.
    FLOAT32 = "float32"  #: Greedy texts equal transformers' `generate()` token for token.
    FLOAT16 = "float16"  #: Weights rounded to half precision, computed in float32: half the memory.
    FLOAT16_INT8HEAD = "float16-int8head"  #: The same, and the vocabulary matrix as INT8.
    INT8 = "int8"  #: Weights and activations in 8 bits: fastest, and another text than the model's own.
    BFLOAT16 = "bfloat16"  #: On GPUs only, and AUTO there: weights, activations, keys and values in 2 bytes.


class Kernels(StrEnum):
    """Values of NEOSERVE_KERNELS."""

    AUTO = "auto"  #: The native ones of tasks.model.native where they are built and the processor has them.
    TORCH = "torch"  #: torch's operators only.
