"""Whether an initial model can be believed: good, or doubtful because of something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verglas.jobs.contract.base import RunContext
from verglas.jobs.contract.program import Arguments
from verglas.jobs.initialmodel.verdict_file import Verdict
from verglas.jobs.refine.files.checkpoint import Checkpoint
from verglas.jobs.refine.frame import devices_of
from verglas.jobs.refine.images.source import Images
from verglas.jobs.refine.telling.views import views_doubt

if TYPE_CHECKING:
    from verglas.em.run.coherence import Coherence

LEAST_GAIN = 0.08  # of the FSC beyond what decided, over that of poses dealt out anew (docs/initial-model.md)
SPREADS = 3.0  # and so many standard deviations of the latter


def verdict_of(arguments: Arguments, context: RunContext, done: Checkpoint, klass: int) -> Verdict:
    """On the map of a class; `done` is the last iteration."""
    from verglas.em.run.coherence import coherence

    images = Images.opened(arguments, done.listed.particles, None, context, _Silent())
    try:
        particles, devices = done.listed.particles, devices_of(arguments)[:1]
        found = coherence(done.settings, particles, images.source, done.state, klass, devices)
    finally:
        images.close(in_order=True)
    doubts = [doubt for doubt in (coherence_doubt(found), views_doubt(done.settings, done.state)) if doubt]
    near, far = found.looked_at_angst
    figures = (
        f"halves of the particles, aligned to {found.aligned_angst:.3g} A only, agree from {near:.3g} to "
        f"{far:.3g} A to an FSC of {found.agreement:.2f} (by chance {found.by_chance:.2f} ± {found.spread:.2f})"
    )
    return Verdict(figures, doubts)


def coherence_doubt(found: Coherence) -> str:
    """What is wrong about the poses; "" if nothing."""
    least = max(LEAST_GAIN, SPREADS * found.spread)
    if found.gain >= least:
        return ""
    return (
        "orientations found with it explain nothing that did not find them: the halves of the particles agree "
        f"by {found.gain:.2f} more than with orientations dealt out anew, and {least:.2f} would be needed. There may "
        "be too few particles, too much junk among them, a wrong diameter, or too many classes"
    )


class _Silent:
    """Nobody hears how far the reading is."""

    def start(self, title: str, total: int) -> None:
        pass

    def update(self, done: int) -> None:
        pass

    def say(self, line: str) -> None:
        pass
