"""How large weights are: no form can hold what is no number, and half precision ends at 65504."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from transformers import GPTNeoForCausalLM

from tasks.model.errors import ModelError
from tasks.model.forms import Forms, choose
from tasks.model.precision import Kernels, Precision

logger = logging.getLogger(__name__)

LARGEST_HALF = torch.finfo(torch.float16).max
HALF_FORMS = (Precision.FLOAT16, Precision.FLOAT16_INT8HEAD)
#: The only matrix that no form rounds.
POSITIONS = "transformer.wpe.weight"


@torch.no_grad()
def check_finite(network: GPTNeoForCausalLM, folder: Path) -> None:
    """Raises ModelError, which names the tensor, where a weight is not a finite number."""
    for name, weight in network.named_parameters():
        # Both are NaN where any weight is.
        if not torch.stack(weight.aminmax()).isfinite().all():
            raise ModelError(
                f"{folder}: the weights in {name} are not all finite numbers: save or fetch the model again"
            )


@torch.no_grad()
def beyond_half(network: GPTNeoForCausalLM) -> str | None:
    """The first matrix with a weight beyond half precision; None where there is none."""
    for name, weight in network.named_parameters():
        if weight.dim() == 2 and name != POSITIONS:
            least, most = weight.aminmax()
            if max(-least.item(), most.item()) > LARGEST_HALF:
                return name
    return None


def forms_that_hold(
    network: GPTNeoForCausalLM, folder: Path, forms: Forms, wanted: Precision, kernels: Kernels
) -> Forms:
    """`forms`, or those of float32 where `wanted` leaves the choice and half precision cannot hold a weight.
    Raises ModelError where `wanted` leaves none."""
    name = beyond_half(network) if forms.precision in HALF_FORMS else None
    if name is None:
        return forms
    beyond = f"{folder}: weights in {name} exceed half precision, which ends at {LARGEST_HALF:.0f}"
    if wanted is not Precision.AUTO:
        raise ModelError(f"{beyond}: NEOSERVE_PRECISION=float32 holds them (given: {wanted})")
    logger.warning("%s: serving float32", beyond)
    return choose(Precision.FLOAT32, kernels)
