"""Which devices there are and which to use; torch is imported only when a device is asked for."""

from __future__ import annotations


def available_devices() -> list[str]:
    """Every CUDA device ("cuda:0", ...), or ["cpu"] where there is none."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{index}" for index in range(count)] or ["cpu"]


def parse_devices(text: str) -> list[list[str]]:
    """RELION's which-GPUs string: ranks separated by ':', devices of a rank by ','.

    "0,1:2,3" -> [["cuda:0", "cuda:1"], ["cuda:2", "cuda:3"]]; empty means all that are visible, for
    one rank. Raises ValueError naming the offending part.
    """
    if not text.strip():
        return [available_devices()]
    ranks = []
    for part in text.split(":"):
        numbers = [word.strip() for word in part.split(",") if word.strip()]
        for word in numbers:
            if not word.isdigit():
                raise ValueError(f"GPU list {text!r}: {word!r} is not a device number")
        ranks.append([f"cuda:{word}" for word in numbers])
    return ranks
