"""What run.out says about memory before the first iteration, and what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verglas.em.run.refinement import Refinement


def memory_lines(refinement: Refinement, free_bytes: int, n_ranks: int) -> tuple[str, str]:
    """A line for run.out, and a warning (or nothing) if the last iteration may not fit into what is free.

    `free_bytes`: of the device, or of the host, which its ranks share.
    """
    import torch

    from verglas.em.operands.batches import host_bytes
    from verglas.em.run.lanes import lanes
    from verglas.em.run.memory import largest_size_that_fits, memory_need

    settings, state = refinement.settings, refinement.state
    model, device = state.model, refinement.devices[0]
    gpu = device.type == "cuda"
    one = memory_need(settings, state.sampling, model, model.box_size)
    each = (one.sums + one.slices) * n_ranks
    how: dict[str, Any] = {
        "lanes": len(lanes(refinement.devices[:1], len(refinement.particles), settings.dims, each)),
        "cores": 1 if gpu else min(torch.get_num_threads(), host_bytes() // 4 // one.slices),
        "gpu": gpu,
        "over_ranks": n_ranks > 1,
    }
    need = memory_need(settings, state.sampling, model, model.box_size, **how)
    share = free_bytes if gpu else free_bytes // max(1, n_ranks)
    line = (
        f" Memory for the last iteration (images of up to {model.box_size} pixels): {_gb(need.total)} "
        f"(sums {_gb(need.sums)}, references {_gb(need.references)}, slices {_gb(need.slices)}, "
        f"momentum {_gb(need.momentum)}, work {_gb(need.work)}); free {_gb(share)}"
    )
    if need.total <= share:
        return line, ""
    size = largest_size_that_fits(settings, state.sampling, model, share, **how)
    reached = f"{model.extent_angst / (size / 2):.3g} A" if size > 1 else "no resolution"
    return line, (
        f" WARNING: memory suffices up to {reached} (images of {size} pixels): use fewer classes, a smaller "
        "box, --pad 1 or a resolution limit if the particles go beyond"
    )


def free_memory(device: Any) -> int:
    """Bytes that are free on a device, or in the host's memory."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def _gb(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
