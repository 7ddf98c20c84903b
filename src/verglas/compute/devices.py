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


def devices_by_rank(text: str) -> list[list[str]]:
    """The devices of a which-GPUs string as of `parse_devices`; [["cpu"]] where there is no GPU.

    Raises ValueError for a device that is not there.
    """
    named, there = parse_devices(text), available_devices()
    if there == ["cpu"]:
        return [there]
    for device in (device for rank in named for device in rank):
        if device not in there:
            raise ValueError(f"GPU list {text!r}: there is no {device}, only {', '.join(there)}")
    return [rank or there for rank in named]


def devices_in_turn(text: str) -> list[str]:
    """All devices of a which-GPUs string, whichever the rank, for work that is dealt out item by item.

    Raises ValueError for a device that is not there.
    """
    return list(dict.fromkeys(device for rank in devices_by_rank(text) for device in rank))
