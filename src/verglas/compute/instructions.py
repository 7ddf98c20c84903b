"""Which instruction sets this CPU has that the numerics use, and what for."""

from __future__ import annotations

from dataclasses import dataclass

WIDEST = {"AVX512": "AVX-512", "AVX2": "AVX2"}


@dataclass(frozen=True)
class Instructions:
    """What torch and oneDNN find on this CPU."""

    vectors: str  # AVX-512, AVX2 or ""
    bfloat16: bool  # products of bfloat16 (AVX512-BF16)
    tiles: bool  # AMX

    @property
    def shown(self) -> str:
        """What is used for what, in one line."""
        vectors = f"{self.vectors}: transforms, scores, sums" if self.vectors else "no AVX2: slow"
        if not self.bfloat16:
            return f"{vectors}; products of matrices in float32"
        units = "AMX" if self.tiles else "AVX512-BF16"
        return f"{vectors}; {units}: coarse scores in bfloat16"


def instructions() -> Instructions:
    """Of this machine. Loads torch."""
    import torch

    from verglas.compute.gemm import has_matrix_units

    vectors = WIDEST.get(torch.backends.cpu.get_cpu_capability(), "")
    return Instructions(vectors, has_matrix_units(), torch.cpu._is_amx_tile_supported())
