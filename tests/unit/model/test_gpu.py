"""Whether a GPU is used, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tasks.model.device import Device
from tasks.model.errors import ModelError
from tasks.model.forms import Forms
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.gpu import BFloat16Linear, find_device, gpu_forms
from tasks.model.linear import PlainLinear
from tasks.model.loading import load
from tasks.model.precision import Precision


@pytest.mark.parametrize(
    ("wanted", "available", "found"),
    [
        (Device.AUTO, True, "cuda:0"),
        (Device.AUTO, False, "cpu"),
        (Device.CUDA, True, "cuda:0"),
        (Device.CPU, True, "cpu"),
    ],
)
def test_the_gpu_is_taken_where_there_is_one_and_nobody_objects(
    monkeypatch: pytest.MonkeyPatch, wanted: Device, available: bool, found: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert str(find_device(wanted)) == found


def test_asking_for_a_gpu_where_there_is_none_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, pristine_folder: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r"NEOSERVE_DEVICE=cuda.*sees no GPU.*NEOSERVE_DEVICE=cpu"):
        load(str(pristine_folder), device=Device.CUDA)
    model = load(str(pristine_folder), device=Device.AUTO)
    assert isinstance(model.new_runner(1), GPTNeoRunner)


@pytest.mark.parametrize(
    ("precision", "served", "form"),
    [
        (Precision.AUTO, Precision.BFLOAT16, BFloat16Linear),
        (Precision.BFLOAT16, Precision.BFLOAT16, BFloat16Linear),
        (Precision.FLOAT32, Precision.FLOAT32, PlainLinear),
    ],
)
def test_a_gpu_has_forms_of_its_own(precision: Precision, served: Precision, form: type[PlainLinear]) -> None:
    assert gpu_forms(precision) == Forms(served, form, form, native=False)


@pytest.mark.parametrize("precision", [Precision.FLOAT16, Precision.FLOAT16_INT8HEAD, Precision.INT8])
def test_what_only_processors_compute_is_refused_before_the_model_is_read(
    monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ModelError, match=f"NEOSERVE_PRECISION={precision} .*auto, bfloat16, float32"):
        load("/no/such/folder", precision=precision, device=Device.AUTO)
