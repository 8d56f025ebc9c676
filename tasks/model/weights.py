"""The weights of a GPT-Neo, in the forms that the runner computes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GPTNeoForCausalLM
from transformers.activations import ACT2FN

from tasks.model.forms import Forms, choose
from tasks.model.linear import Linear, PlainLinear
from tasks.model.precision import Precision

#: The names under which transformers knows the activation that `Linear.gelu` computes.
TANH_GELU = ("gelu_new", "gelu_pytorch_tanh")


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """[tokens, hidden] → [tokens, hidden] float32. Without the module around it, whose call takes as long as
    the sums of a few rows."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class Layer:
    """The parts of one transformer block."""

    window: int | None  #: Keys that a token sees, its own included; None: all before it.
    attention_norm: LayerNorm
    query_key_value: Linear  #: hidden → 3 · hidden
    attention_output: Linear
    mlp_norm: LayerNorm
    mlp_input: Linear  #: hidden → inner size
    activation: Callable[[Tensor], Tensor] | None  #: None: the one that `Linear.gelu` computes.
    mlp_output: Linear


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model in memory, and its sizes."""

    precision: Precision  #: The one in use, never AUTO.
    token_embedding: Tensor  #: [vocabulary, hidden], float32 or float16
    position_embedding: Tensor  #: [positions, hidden], float32
    layers: tuple[Layer, ...]
    final_norm: LayerNorm
    head: Linear  #: hidden → vocabulary
    num_heads: int
    native: bool  #: The native kernels compute; else torch's operators.

    @property
    def vocabulary_size(self) -> int:
        return self.token_embedding.shape[0]

    @property
    def max_positions(self) -> int:
        return self.position_embedding.shape[0]

    @property
    def hidden_size(self) -> int:
        return self.token_embedding.shape[1]

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_heads


@torch.no_grad()
def pack(network: GPTNeoForCausalLM, forms: Forms | None = None) -> Weights:
    """Take a float32 network apart: one matrix after the other moves into its new form and is freed.
    The network cannot be used afterwards. `forms`: those of float32 unless told otherwise.

    What is kept as it was is copied: it may be a view of the whole file, which would stay in memory with it.
    """
    forms = forms or choose(Precision.FLOAT32)
    config: Any = network.config
    transformer: Any = network.transformer
    layers = tuple(
        _layer(
            block, config.window_size if kind == "local" else None, config.activation_function, forms.blocks
        )
        for block, kind in zip(transformer.h, config.attention_layers, strict=True)
    )
    packed_head = forms.head(network.lm_head.weight.detach(), None)
    token_embedding = transformer.wte.weight.detach()
    if not isinstance(packed_head, PlainLinear):
        token_embedding = _table(token_embedding, may_round=forms.precision is not Precision.FLOAT32)
    return Weights(
        precision=forms.precision,
        token_embedding=token_embedding,
        position_embedding=transformer.wpe.weight.detach().clone(),
        layers=layers,
        final_norm=_norm(transformer.ln_f),
        head=packed_head,
        num_heads=config.num_heads,
        native=forms.native,
    )


def _layer(block: Any, window: int | None, activation: str, form: type[Linear]) -> Layer:
    attention = block.attn.attention
    return Layer(
        window=window,
        attention_norm=_norm(block.ln_1),
        query_key_value=_move(form, attention.q_proj, attention.k_proj, attention.v_proj),
        attention_output=_move(form, attention.out_proj),
        mlp_norm=_norm(block.ln_2),
        mlp_input=_move(form, block.mlp.c_fc),
        activation=None if activation in TANH_GELU else ACT2FN[activation],
        mlp_output=_move(form, block.mlp.c_proj),
    )


def _norm(module: nn.LayerNorm) -> LayerNorm:
    return LayerNorm(module.weight.detach().clone(), module.bias.detach().clone(), module.eps)


def _move(form: type[Linear], *parts: nn.Linear) -> Linear:
    """The parts, one below the other, as one matrix; they have no bias where there are several."""
    weights = [each.weight.detach() for each in parts]
    weight = weights[0] if len(weights) == 1 else torch.cat(weights)
    bias = None if parts[0].bias is None else parts[0].bias.detach().clone()
    packed = form(weight, bias)
    for each in parts:
        each.to("meta")
    return packed


def _table(embedding: Tensor, *, may_round: bool) -> Tensor:
    """The embedding for looking rows up: in half precision where that is asked for and can hold it, or loses
    nothing."""
    half = embedding.half()
    fits = bool(half.isfinite().all()) if may_round else torch.equal(half.float(), embedding)
    return half if fits else embedding.clone()
