"""Work that a GPU has recorded: hundreds of kernels, launched with one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import torch

#: The sizes of a step's tensors.
Shape = tuple[int, int]
Result = TypeVar("Result")
#: Runs before a step is recorded, so that libraries have chosen their kernels and taken their memory.
NUM_WARM_UPS = 2


def record_all(
    step: Callable[[int, int], Result], shapes: Iterable[Shape], device: torch.device
) -> dict[Shape, Callable[[], Result]]:
    """`step` for each of the shapes, as a CUDA graph; without a GPU, as it is.

    The graphs share their memory: what one of them returns is good until the next one runs.
    """
    if device.type != "cuda":
        return {shape: partial(step, *shape) for shape in shapes}
    pool = torch.cuda.graph_pool_handle()
    return {shape: _record(partial(step, *shape), device, pool) for shape in shapes}


def _record(step: Callable[[], Result], device: torch.device, pool: Any) -> Callable[[], Result]:
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(NUM_WARM_UPS):
            step()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # Other threads of the process may use CUDA meanwhile.
    with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
        result = step()

    def replay() -> Result:
        graph.replay()
        return result

    return replay
