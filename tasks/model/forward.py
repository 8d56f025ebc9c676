"""GPT-Neo's blocks, whatever their attention reads."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import embedding

from tasks.model.precision import Precision
from tasks.model.weights import Weights


def dtype_of(weights: Weights) -> torch.dtype:
    """What its matrices are called with."""
    return torch.bfloat16 if weights.precision is Precision.BFLOAT16 else torch.float32


def embed(weights: Weights, token_ids: Tensor, positions: Tensor) -> Tensor:
    """[tokens], [tokens] → [tokens, hidden] float32."""
    return embedding(token_ids, weights.token_embedding).float() + embedding(
        positions, weights.position_embedding
    )


def forward(
    weights: Weights,
    token_ids: Tensor,
    positions: Tensor,
    attend: Callable[[int, Tensor], Tensor],
) -> Tensor:
    """[tokens], [tokens] → [tokens, hidden] float32. `attend` takes the number of a layer and its queries,
    keys and values, [tokens, 3, heads, head size], and returns [tokens, hidden].

    What runs from block to block is float32, as are the norms; matrices and attention are in `dtype_of`.
    """
    dtype = dtype_of(weights)
    hidden = embed(weights, token_ids, positions)
    for number, layer in enumerate(weights.layers):
        query_key_value = layer.query_key_value(layer.attention_norm(hidden).to(dtype))
        attended = attend(number, query_key_value.view(-1, 3, weights.num_heads, weights.head_size))
        hidden = layer.attention_output.add(attended, hidden)
        normed = layer.mlp_norm(hidden).to(dtype)
        if layer.activation is None:
            inner = layer.mlp_input.gelu(normed)
        else:
            inner = layer.activation(layer.mlp_input(normed))
        hidden = layer.mlp_output.add(inner, hidden)
    return hidden


def logits_of(weights: Weights, hidden: Tensor) -> Tensor:
    """[rows, hidden] → [rows, vocabulary] float32."""
    return weights.head(weights.final_norm(hidden).to(dtype_of(weights))).float()
