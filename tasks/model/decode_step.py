"""One token for each of many sequences, in tensors that stay where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.model.choice import IDLE_NUMBERS, choose
from tasks.model.forward import forward, logits_of
from tasks.model.static_kv import StaticKV, attend_tokens, token_mask
from tasks.model.weights import Weights

#: Tokens of a row and its logits.
Chosen = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class DecodingRow:
    """What a row brings to one step."""

    token_id: int
    position: int
    numbers: tuple[float, ...]  #: As from tasks.model.choice.numbers_of.


class DecodeStep:
    """The computation of one step, and its input. Nothing in `run` depends on a value, so a GPU can record it
    for each shape and replay it with one call."""

    def __init__(self, weights: Weights, kv: StaticKV, seen: Tensor) -> None:
        """seen: [rows + 1, vocabulary], the tokens that are in each row's text; kept up to date."""
        self._weights, self._kv, self._seen = weights, kv, seen
        device = weights.token_embedding.device
        #: Token, position, and the row where its keys and values go: [3, rows] int64.
        self._places = torch.zeros(3, kv.scratch, dtype=torch.int64, device=device)
        self._places[2] = kv.scratch
        #: See tasks.model.choice.choose.
        self._numbers = torch.zeros(len(IDLE_NUMBERS), kv.scratch, dtype=torch.float64, device=device)
        self._numbers[:] = torch.tensor(IDLE_NUMBERS, dtype=torch.float64, device=device)[:, None]

    def put(self, rows: Mapping[int, DecodingRow], num_rows: int) -> Tensor:
        """Set the input of the first `num_rows`; those not in `rows` idle. Returns their numbers."""
        idle = DecodingRow(0, 0, IDLE_NUMBERS)
        each = [rows.get(row, idle) for row in range(num_rows)]
        stored_at = [row if row in rows else self._kv.scratch for row in range(num_rows)]
        places = torch.tensor([[row.token_id for row in each], [row.position for row in each], stored_at])
        self._places[:, :num_rows].copy_(places)
        numbers = torch.tensor([row.numbers for row in each], dtype=torch.float64)
        return self._numbers[:, :num_rows].copy_(numbers.T)

    def run(self, num_rows: int, num_visible: int) -> Chosen:
        """Take the first `num_rows` one token further, which see `num_visible` places at most.

        Returns [rows], as from tasks.model.choice.choose, and [rows, vocabulary].
        """
        token_ids, positions, stored_at = self._places[:, :num_rows].unbind()
        vocabulary_size = self._seen.shape[1]
        self._seen.view(-1).index_fill_(0, stored_at * vocabulary_size + token_ids, True)
        masks = {size: token_mask(positions, min(size, num_visible)) for size in self._kv.sizes}

        def attend(number: int, query_key_value: Tensor) -> Tensor:
            memory = self._kv.layers[number]
            return attend_tokens(query_key_value, memory, stored_at, positions, masks[memory.shape[3]])

        logits = logits_of(self._weights, forward(self._weights, token_ids, positions, attend))
        return choose(logits, self._seen[:num_rows], self._numbers[:, :num_rows]), logits
