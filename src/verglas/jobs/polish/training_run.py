"""Training of the prior on random micrographs: `opt_params_all_groups.txt` (refinement.md §10.12.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from verglas.compute.executors import Poison, run_tasks
from verglas.formats.atomic import write_text
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.contract.set_aside import ITEM_FAULTS, SetAside, SetAsideList
from verglas.jobs.polish.inputs import MicrographItem, motion_of
from verglas.jobs.polish.movie_flags import adjusted
from verglas.jobs.polish.options import PARAMETERS_FILE
from verglas.jobs.polish.references import references_of
from verglas.jobs.polish.tracking import reach_px, take_in_hand
from verglas.polish.prior import MotionParameters
from verglas.polish.training import Evidence, Simplex, Split, Training, TrainingMicrograph, train
from verglas.polish.training import training_micrograph as tables_of

if TYPE_CHECKING:
    from verglas.polish.training import TrainingMicrograph as Micrograph

Flags = Mapping[str, Any]
LONGEST_REACH_PX = 6.0  # tables of thousands of particles must stay in memory


class _Reader:
    """Makes the tables of one micrograph; goes to worker processes."""

    def __init__(self, flags: dict[str, Any]) -> None:
        self.flags = flags

    def __call__(self, item: MicrographItem, device: str) -> TrainingMicrograph | SetAside | None:
        try:
            return self._tables(item)
        except (SetAside, *ITEM_FAULTS) as error:
            return error if isinstance(error, SetAside) else SetAside.of(error)

    def _tables(self, item: MicrographItem) -> Micrograph | None:
        torch.set_num_threads(1)
        flags = self.flags
        motion = motion_of(item)
        if motion is None:
            raise SetAside("it has no motion metadata: nothing can be learned from its sum")
        if len(item.table) < 2:
            return None
        references = references_of(flags)
        band = references.band(item.group())
        movie = take_in_hand(item, adjusted(motion, flags), band, flags)
        evidence = Evidence(
            movie.align_weights,
            movie.damage,
            Split.of(band.radius, flags["--align_frac"], flags["--eval_frac"]),
            min(reach_px(movie.pixel_angst), LONGEST_REACH_PX, flags["--mot_range"]),
        )
        return tables_of(
            movie.spectra,
            references.predictions(item, band, other=False),
            references.predictions(item, band, other=True),
            evidence,
            movie.first_px,
            movie.places_angst,
            movie.dose_per_frame_e_a2,
            movie.pixel_angst,
        )


def run_training(items: Sequence[MicrographItem], flags: Flags, context: RunContext) -> None:
    """Read enough micrographs, search, write the parameters. Raises JobFailed."""
    references_of(flags)  # what is wrong with them is told at once
    read = _read(_chosen(items, flags), flags, context)
    iterations = flags["--par_iters"]
    context.progress.start(f"Training on {len(read)} micrographs ...", 2 * iterations)

    def told(trial: int, parameters: MotionParameters, score: float) -> None:
        context.progress.update(min(trial, 2 * iterations))
        context.say(f" {trial:3d}: {parameters} score {score:.6f}")
        context.check_abort()

    start = MotionParameters(flags["--s_vel_0"], flags["--s_div_0"], flags["--s_acc_0"])
    if flags["--params2"] and not flags["--params3"]:
        start = MotionParameters(flags["--s_vel_0"], flags["--s_div_0"], flags["--s_acc"])
    simplex = Simplex(flags["--in_step"], flags["--conv"], iterations, bool(flags["--params3"]))
    best, score = train(Training(read), start, simplex, told)
    context.progress.update(2 * iterations)
    numbers = str(best) if flags["--params3"] else " ".join(str(best).split()[:2])
    path = context.directory / PARAMETERS_FILE
    write_text(path, numbers + "\n")
    context.say(f" Parameters {best} (Å/dose, Å, Å/dose), score {score:.6f}: {path}")


def _chosen(items: Sequence[MicrographItem], flags: Flags) -> list[MicrographItem]:
    """Micrographs in a random order until they hold enough particles; then in that of the list."""
    order = np.random.default_rng(flags["--seed"]).permutation(len(items))
    taken: list[int] = []
    count = 0
    for number in order:
        taken.append(int(number))
        count += len(items[number].table)
        if count >= flags["--min_p"]:
            break
    return [items[number] for number in sorted(taken)]


def _read(items: Sequence[MicrographItem], flags: Flags, context: RunContext) -> list[TrainingMicrograph]:
    context.progress.start("Reading movies to train on ...", len(items))
    found: dict[str, TrainingMicrograph] = {}
    aside = SetAsideList(context.directory, {})
    results = run_tasks(
        _Reader(dict(flags)),
        items,
        workers=context.workers,
        isolate=context.isolate,
        executor=context.executor,
    )
    for count, (item, outcome) in enumerate(results, 1):
        if isinstance(outcome, SetAside | Poison):
            aside.add(item.name, None, str(outcome))
            context.warn(f" WARNING: {item.name} was set aside: {outcome}")
        elif outcome is not None:
            found[item.name] = outcome
        context.progress.update(count)
        context.check_abort()
    aside.write()
    if not found:
        reason = f": {aside.commonest()}" if aside.entries else " of two particles or more"
        raise JobFailed(f"there is no micrograph to train on{reason}")
    particles = sum(len(each.first_px) for each in found.values())
    if particles < flags["--min_p"]:
        context.warn(
            f" WARNING: {particles} particles to train on, {flags['--min_p']} were wanted: the parameters "
            "will be less certain"
        )
    return [found[item.name] for item in items if item.name in found]
