"""Real matrix products through the fastest correct path of the device.

The engine's products are all `a @ b.T` or `a.T @ b` of row-major float32 matrices. Three precisions:

* `single`: float32 operands and accumulation;
* `tensor`: float32 in and out, operands rounded inside the product to what the matrix units take: TF32 on
  CUDA, bfloat16 on CPUs with AMX or AVX512-BF16 (through oneDNN, four times the rate of float32). Used
  where refinement.md §11.5 allows;
* `double`: float64, for tests.

On a CPU without such units `tensor` is the same as `single`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

Precision = Literal["single", "tensor", "double"]


@contextmanager
def precision_of_products(precision: Precision) -> Iterator[None]:
    """Products inside the block use this precision. The setting is the process's own, not a thread's."""
    cpu, cuda = _switches()
    before = cpu.fp32_precision, cuda.fp32_precision
    fast = precision == "tensor"
    cpu.fp32_precision = "bf16" if fast and has_matrix_units() else "ieee"
    cuda.fp32_precision = "tf32" if fast else "ieee"
    try:
        yield
    finally:
        cpu.fp32_precision, cuda.fp32_precision = before


def _switches() -> tuple[Any, Any]:
    """torch's precision switches of matrix products on the CPU and on CUDA."""
    return getattr(torch.backends.mkldnn, "matmul"), getattr(torch.backends.cuda, "matmul")  # noqa: B009


def has_matrix_units() -> bool:
    """Whether this CPU multiplies bfloat16 faster than float32 (AMX or AVX512-BF16)."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()


def product(a: Tensor, b: Tensor) -> Tensor:
    """a (m, k) times the transpose of b (n, k): (m, n)."""
    return a @ b.mT
