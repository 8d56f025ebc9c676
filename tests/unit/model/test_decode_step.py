"""What a GPU would record, without one: tensors that claim to be on a GPU and hold no values."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from tasks.engine.runner import Chunk
from tasks.model.decode_step import DecodeStep
from tasks.model.forward import dtype_of, logits_of
from tasks.model.gpu import gpu_forms
from tasks.model.precision import Precision
from tasks.model.prefill import prefill
from tasks.model.static_kv import StaticKV
from tasks.model.weights import Weights, pack
from tests.models import random_config, random_network

GPU = torch.device("cuda:0")


@pytest.fixture
def pretending() -> Iterator[FakeTensorMode]:
    """Every tensor that is made is one without values."""
    with FakeTensorMode(allow_non_fake_inputs=False) as mode, torch.inference_mode():
        yield mode


@pytest.fixture(params=[Precision.FLOAT32, Precision.BFLOAT16])
def weights(request: pytest.FixtureRequest) -> Weights:
    """As if on a GPU."""
    network = random_network(random_config(vocab_size=300, max_position_embeddings=64, window_size=16))
    with FakeTensorMode() as mode:
        for module in network.modules():
            for name, parameter in module.named_parameters(recurse=False):
                moved = mode.from_tensor(parameter.detach()).to(GPU)
                setattr(module, name, torch.nn.Parameter(moved, requires_grad=False))
        return pack(network, forms=gpu_forms(request.param))
