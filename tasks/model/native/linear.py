"""Matrices as the native kernels read them."""

from __future__ import annotations

import ctypes
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from tasks.model.linear import Linear
from tasks.model.native.library import Level, kernels
from tasks.model.native.structures import Epilogue, Matrix, Product

#: Outputs of a panel, and what its inputs are filled up to a multiple of; as in kernels.h.
PANEL, DEPTH = 16, 32


class NativeLinear(Linear):
    """Panels of 16 outputs, input by input. A row's result is the same to the last bit in any company."""

    dtype: ClassVar[torch.dtype]

    def __init__(self, weight: Tensor, bias: Tensor | None, level: Level | None = None) -> None:
        """`level`: of the kernels; the best one of this processor unless told otherwise. Raises RuntimeError
        where there are none."""
        library, self._level = kernels(level)
        self._multiply_by = library.neoserve_multiply
        self._is_half = self.dtype is torch.float16
        self._num_outputs, self._num_inputs = weight.shape
        self._bias, self._packed = bias, self._pack(weight, library)

    def _pack(self, weight: Tensor, library: ctypes.CDLL) -> Tensor:
        largest = torch.finfo(self.dtype).max
        num_panels, num_inputs = -(-self._num_outputs // PANEL), -(-self._num_inputs // DEPTH) * DEPTH
        packed = torch.empty(num_panels, num_inputs, PANEL, dtype=self.dtype)
        library.neoserve_use_large_pages(packed.data_ptr(), packed.nbytes)
        filled = pad(
            weight.clamp(-largest, largest).to(self.dtype),
            (0, num_inputs - self._num_inputs, 0, num_panels * PANEL - self._num_outputs),
        )
        return packed.copy_(filled.view(num_panels, PANEL, num_inputs).transpose(1, 2))

    def __call__(self, x: Tensor) -> Tensor:
        return self._multiply(x, Epilogue.NONE, None)

    def gelu(self, x: Tensor) -> Tensor:
        return self._multiply(x, Epilogue.GELU, None)

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        return self._multiply(x, Epilogue.ADD, residual.contiguous())

    def matrix(self) -> Matrix:
        """Where it lies, while this object lives."""
        return Matrix(
            packed=self._packed.data_ptr(),
            bias=None if self._bias is None else self._bias.data_ptr(),
            inputs=self._num_inputs,
            outputs=self._num_outputs,
            half=self._is_half,
        )

    def _multiply(self, x: Tensor, epilogue: Epilogue, residual: Tensor | None) -> Tensor:
        x = x.contiguous()
        result = x.new_empty(x.shape[0], self._num_outputs)
        product = Product(
            x.data_ptr(),
            x.shape[0],
            self._num_inputs,
            self._num_outputs,
            self._packed.data_ptr(),
            None if self._bias is None else self._bias.data_ptr(),
            None if residual is None else residual.data_ptr(),
            result.data_ptr(),
            epilogue,
            torch.get_num_threads(),
        )
        self._multiply_by(self._level, ctypes.byref(product), self._is_half)
        return result


class NativeFloatLinear(NativeLinear):
    """float32, by fused multiply-add."""

    dtype = torch.float32


class NativeHalfLinear(NativeLinear):
    """Weights in half precision, as exact with float32 activations as float32 is: see amx.cpp for how."""

    dtype = torch.float16
