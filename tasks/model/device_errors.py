"""Errors after which a GPU does nothing more for this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tasks.engine.errors import RunnerBroken
from tasks.model.errors import reason

#: How messages of CUDA and of its libraries begin, or what is in them; torch has no class for all of them.
MARKS = ("CUDA error", "CUBLAS_STATUS", "CUDNN_STATUS", "CUSOLVER_STATUS")


@contextmanager
def device_errors_as_such() -> Iterator[None]:
    """Raises RunnerBroken in place of an error of the GPU; also a decorator.

    After one, every further call of CUDA in this process fails. torch's own "out of memory" is no such error.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_of_device(error):
            raise
        raise RunnerBroken(reason(error)) from error


def _is_of_device(error: RuntimeError) -> bool:
    return isinstance(error, torch.AcceleratorError) or any(mark in str(error) for mark in MARKS)
