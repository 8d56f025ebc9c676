"""What a GPU records must not depend on any value, nor take one from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tasks.engine.runner import Chunk
from tasks.model.decode_step import DecodeStep, DecodingRow
from tasks.model.forward import dtype_of
from tasks.model.gpu import gpu_forms
from tasks.model.precision import Precision
from tasks.model.prefill import prefill
from tasks.model.static_kv import StaticKV
from tasks.model.weights import Weights, pack
from tests.models import random_config, random_network

IDLE = DecodingRow(0, 0, (0.0, 1.0, 0.0, 1.0, 1.0, 0.0))


class OneDevice(TorchDispatchMode):
    """Copying aside, no operator takes tensors of the processor."""

    COPYING = ("aten::_to_copy", "aten::copy_", "aten::lift_fresh", "aten::detach")

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func.name().split(".")[0] not in self.COPYING:
            tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
            assert all(each.is_meta for each in tensors), f"{func} takes a tensor of the processor"
        call: Callable[..., Any] = func
        return call(*args, **(kwargs or {}))


@pytest.fixture(params=[Precision.FLOAT32, Precision.BFLOAT16])
def weights(request: pytest.FixtureRequest) -> Weights:
    """On the device whose tensors have no values: what asks for one raises."""
    config = random_config(vocab_size=300, max_position_embeddings=64, window_size=16)
    return pack(random_network(config).to("meta"), forms=gpu_forms(request.param))


@torch.inference_mode()
def test_a_decode_step_needs_no_values(weights: Weights) -> None:
    kv = StaticKV(weights, num_rows=4, dtype=dtype_of(weights))
    seen = torch.zeros(5, 300, dtype=torch.bool, device="meta")
    step = DecodeStep(weights, kv, seen)
    step.put({1: IDLE}, 2)
    with OneDevice():
        tokens, logits = step.run(2, 32)
    assert (tokens.device.type, tokens.shape, tokens.dtype) == ("meta", (2,), torch.int64)
    assert (logits.device.type, logits.shape, logits.dtype) == ("meta", (2, 300), torch.float32)
    with pytest.raises((NotImplementedError, RuntimeError)):
        tokens.tolist()


@torch.inference_mode()
def test_prompts_are_run_without_a_value_from_the_device(weights: Weights) -> None:
    kv = StaticKV(weights, num_rows=4, dtype=dtype_of(weights))
    chunks = [
        Chunk(slot=7, token_ids=[1, 2, 3], start=0, emits=True),
        Chunk(slot=5, token_ids=[1] * 20, start=20, emits=False),
    ]
    with OneDevice():
        hidden = prefill(weights, kv, chunks, {7: 0, 5: 1})
    assert (hidden.device.type, hidden.shape, hidden.dtype) == ("meta", (2, 64), torch.float32)
