"""All blocks of a model in one call of the native kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence as Rows

import torch
from torch import Tensor

from tasks.model.native.attention import NativeAttention, Plan
from tasks.model.native.library import kernels
from tasks.model.native.linear import PANEL, NativeLinear
from tasks.model.native.structures import Attention, Block, Norm, Pass
from tasks.model.weights import Layer, LayerNorm, Weights


class NativeBlocks:
    """What tasks.model.forward does between embedding and last norm, without the calls in between."""

    def __init__(self, weights: Weights, attention: NativeAttention) -> None:
        """For weights that `serves` approves of."""
        self._library, self._level = kernels(attention.level)
        self._attention = attention
        self._layers = weights.layers  # The structures below point into them.
        self._widest = max(
            3 * weights.hidden_size, *(_block(each).mlp_input.outputs for each in weights.layers)
        )
        self._blocks = (Block * len(weights.layers))(*map(_block, weights.layers))

    @staticmethod
    def serves(weights: Weights) -> bool:
        """Whether all matrices are native, and what is between them is GPT-Neo's."""
        return weights.hidden_size % PANEL == 0 and all(
            layer.activation is None and all(isinstance(each, NativeLinear) for each in _matrices(layer))
            for layer in weights.layers
        )

    def run(self, hidden: Tensor, memories: Rows[Tensor], plans: Rows[Plan]) -> Tensor:
        """hidden: [tokens, hidden] float32, changed in place and returned; memories as KVCache.layers, and
        the plan of each."""
        num_tokens, size = hidden.shape
        normed, attended = torch.empty_like(hidden), torch.empty_like(hidden)
        wide = hidden.new_empty(num_tokens, self._widest)
        layers = [self._attention.layer(memory, plan) for memory, plan in zip(memories, plans, strict=True)]
        whole = (Attention * len(layers))(*layers)
        step = Pass(
            blocks=ctypes.addressof(self._blocks),
            layers=ctypes.addressof(whole),
            num_blocks=len(layers),
            tokens=num_tokens,
            size=size,
            half=self._attention.kv_dtype is torch.float16,
            hidden=hidden.data_ptr(),
            normed=normed.data_ptr(),
            wide=wide.data_ptr(),
            attended=attended.data_ptr(),
            threads=torch.get_num_threads(),
        )
        self._library.neoserve_run(self._level, ctypes.byref(step))
        return hidden


def _matrices(layer: Layer) -> tuple[object, ...]:
    return layer.query_key_value, layer.attention_output, layer.mlp_input, layer.mlp_output


def _block(layer: Layer) -> Block:
    matrices = [each.matrix() for each in _matrices(layer) if isinstance(each, NativeLinear)]
    query_key_value, attention_output, mlp_input, mlp_output = matrices
    return Block(
        attention_norm=_norm(layer.attention_norm),
        query_key_value=query_key_value,
        attention_output=attention_output,
        mlp_norm=_norm(layer.mlp_norm),
        mlp_input=mlp_input,
        mlp_output=mlp_output,
    )


def _norm(norm: LayerNorm) -> Norm:
    return Norm(norm.weight.data_ptr(), norm.bias.data_ptr(), norm.epsilon)
