"""Where a model can be computed. Importing this needs no torch."""

from __future__ import annotations

from enum import StrEnum


class Device(StrEnum):
    """Values of NEOSERVE_DEVICE."""

    AUTO = "auto"  #: CUDA where torch sees a GPU, else CPU.
    CPU = "cpu"
    CUDA = "cuda"  #: One of NVIDIA's GPUs, through a build of torch that has CUDA.
