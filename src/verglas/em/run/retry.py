"""When the memory of a device does not suffice, the same work in smaller parts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from verglas.em.operands.batches import is_out_of_memory

Work = Callable[[Tensor], None]


class TooLarge(RuntimeError):
    """Memory does not suffice for a single particle."""


def in_parts(chosen: Tensor, work: Work, note: Callable[[str], None]) -> None:
    """Do `work` for the particles `chosen` (m,); in two halves, and so on, where memory runs out.

    What the work adds to sums it must add at its end, when it needs no more memory: it is done again.
    Raises TooLarge where one particle does not fit.
    """
    if not chosen.numel() or _fits(chosen, work):
        return
    # here the traceback, which kept large arrays alive, is gone
    torch.cuda.empty_cache()
    note("memory ran out: batches are halved")
    for half in torch.tensor_split(chosen, 2):
        in_parts(half, work, note)


def _fits(chosen: Tensor, work: Work) -> bool:
    try:
        work(chosen)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if len(chosen) == 1:
            raise TooLarge(
                f"memory does not suffice for one particle ({str(error).splitlines()[0]}): use fewer "
                "classes, a smaller box, --pad 1, or a device with more memory"
            ) from error
        return False
    return True
