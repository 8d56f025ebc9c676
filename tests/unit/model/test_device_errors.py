from __future__ import annotations

import pytest
import torch

from tasks.engine.errors import RunnerBroken
from tasks.model.device_errors import device_errors_as_such


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be …"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling cublasSgemm"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
        torch.AcceleratorError("an illegal memory access was encountered"),
    ],
)
def test_after_an_error_of_the_gpu_the_runner_is_broken(error: RuntimeError) -> None:
    with pytest.raises(RunnerBroken) as raised, device_errors_as_such():
        raise error
    assert raised.value.__cause__ is error
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes"), torch.OutOfMemoryError("CUDA out of memory."), ValueError("CUDA error")]
)
def test_any_other_error_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, device_errors_as_such():
        raise error
    assert raised.value is error
