"""The largest numbers of each row, by the native kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.model.native.library import Level, best_level, kernels

#: Of so many numbers one at least may be wanted; as in kernels.h.
STRIDES = 16


def serves(rows: Tensor, size: int) -> bool:
    """Whether `largest` can find the `size` largest numbers of each of these rows."""
    return (
        best_level() is not Level.NONE
        and rows.device.type == "cpu"
        and rows.dtype is torch.float32
        and size * STRIDES <= rows.shape[1]
    )


def largest(rows: Tensor, size: int, level: Level | None = None) -> tuple[Tensor, Tensor]:
    """Values and places in descending order, equal values in the order of their places; [rows, size] each.
    Rows hold numbers only."""
    library, level = kernels(level)
    rows = rows.contiguous()
    values, places = rows.new_empty(len(rows), size), rows.new_empty(len(rows), size, dtype=torch.long)
    library.neoserve_largest(
        level,
        rows.data_ptr(),
        *rows.shape,
        size,
        values.data_ptr(),
        places.data_ptr(),
        torch.get_num_threads(),
    )
    return values, places
