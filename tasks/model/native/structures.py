"""What the native kernels are handed: the structures of kernels.h, field by field."""

from __future__ import annotations

from ctypes import Structure, c_bool, c_float, c_int, c_long, c_void_p
from enum import IntEnum


class Epilogue(IntEnum):
    """What a product does with its result; as in kernels.h."""

    NONE = 0
    GELU = 1
    ADD = 2


class Product(Structure):
    _fields_ = (
        ("x", c_void_p),
        ("rows", c_long),
        ("inputs", c_long),
        ("outputs", c_long),
        ("packed", c_void_p),
        ("bias", c_void_p),
        ("residual", c_void_p),
        ("y", c_void_p),
        ("epilogue", c_int),
        ("threads", c_int),
    )


class Span(Structure):
    _fields_ = (
        ("row", c_long),
        ("tokens", c_long),
        ("start", c_long),
        ("table", c_void_p),
        ("ring", c_long),
    )


class Attention(Structure):
    _fields_ = (
        ("query_key_value", c_void_p),
        ("memory", c_void_p),
        ("heads", c_long),
        ("size", c_long),
        ("places", c_long),
        ("spans", c_void_p),
        ("num_spans", c_long),
        ("window", c_long),
        ("ring_places", c_long),
        ("page_places", c_long),
        ("attended", c_void_p),
        ("threads", c_int),
    )


class Norm(Structure):
    _fields_ = (("weight", c_void_p), ("bias", c_void_p), ("epsilon", c_float))


class Matrix(Structure):
    _fields_ = (
        ("packed", c_void_p),
        ("bias", c_void_p),
        ("inputs", c_long),
        ("outputs", c_long),
        ("half", c_bool),
    )


class Block(Structure):
    _fields_ = (
        ("attention_norm", Norm),
        ("query_key_value", Matrix),
        ("attention_output", Matrix),
        ("mlp_norm", Norm),
        ("mlp_input", Matrix),
        ("mlp_output", Matrix),
    )


class Pass(Structure):
    _fields_ = (
        ("blocks", c_void_p),
        ("layers", c_void_p),
        ("num_blocks", c_long),
        ("tokens", c_long),
        ("size", c_long),
        ("half", c_bool),
        ("hidden", c_void_p),
        ("normed", c_void_p),
        ("wide", c_void_p),
        ("attended", c_void_p),
        ("threads", c_int),
    )
