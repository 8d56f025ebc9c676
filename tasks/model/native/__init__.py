"""Kernels in C++ for x86: products with packed matrices, and attention over keys and values as they lie."""
