"""When the memory of a device does not suffice, the same work in smaller parts, and nothing counted twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.em.operands.batches import is_out_of_memory

Work = Callable[[Tensor], None]


class TooLarge(RuntimeError):
    """Memory does not suffice, and smaller parts do not help."""


@dataclass
class Additions:
    """Knows whether sums have been added to: work that did so cannot be done again."""

    entries: int = 0

    def begin(self) -> None:
        """To be called before the first addition of a piece of work, when it needs no more large arrays."""
        self.entries += 1


def in_parts(chosen: Tensor, work: Work, note: Callable[[str], None], additions: Additions) -> None:
    """Do `work` for the particles `chosen` (m,); in two halves, and so on, where memory runs out.

    Raises TooLarge where one particle does not fit, or where memory ran out after `additions` had an entry: to do
    that work again would count particles twice.
    """
    if not chosen.numel() or _fits(chosen, work, additions):
        return
    # here the traceback, which kept large arrays alive, is gone
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    note("memory ran out: batches are halved")
    for half in torch.tensor_split(chosen, 2):
        in_parts(half, work, note, additions)


def _fits(chosen: Tensor, work: Work, additions: Additions) -> bool:
    before = additions.entries
    try:
        work(chosen)
    except TooLarge:
        raise
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if len(chosen) == 1 or additions.entries != before:
            what = "for one particle" if additions.entries == before else "while results were added"
            raise TooLarge(
                f"memory does not suffice {what} ({str(error).splitlines()[0]}): use fewer classes, a "
                "smaller box, --pad 1, or a device with more memory"
            ) from error
        return False
    return True
