"""Whether there is a GPU, and the form in which it holds weights."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.model.device import Device
from tasks.model.errors import ModelError
from tasks.model.forms import Forms
from tasks.model.linear import Linear, PlainLinear
from tasks.model.precision import Precision


class BFloat16Linear(PlainLinear):
    """Weights in bfloat16, called with bfloat16: GPUs sum such products in float32."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight.bfloat16(), None if bias is None else bias.bfloat16())


#: What each precision that a GPU serves becomes there.
GPU_FORMS: dict[Precision, tuple[Precision, type[Linear]]] = {
    Precision.AUTO: (Precision.BFLOAT16, BFloat16Linear),
    Precision.BFLOAT16: (Precision.BFLOAT16, BFloat16Linear),
    Precision.FLOAT32: (Precision.FLOAT32, PlainLinear),
}


def find_device(wanted: Device) -> torch.device:
    """Raises ModelError where CUDA is asked for and there is none."""
    if wanted is Device.CPU:
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda:0")
    if wanted is Device.AUTO:
        return torch.device("cpu")
    raise ModelError(
        f"NEOSERVE_DEVICE=cuda, but torch {torch.__version__} sees no GPU: install a build of torch for CUDA"
        " and NVIDIA's driver, or set NEOSERVE_DEVICE=cpu"
    )


def gpu_forms(precision: Precision) -> Forms:
    """As tasks.model.forms.choose, for a GPU. Raises ModelError for what only processors compute."""
    if precision not in GPU_FORMS:
        raise ModelError(
            f"NEOSERVE_PRECISION={precision} is for processors: on a GPU take one of {', '.join(GPU_FORMS)},"
            " or set NEOSERVE_DEVICE=cpu"
        )
    served, form = GPU_FORMS[precision]
    return Forms(served, form, form, native=False)
