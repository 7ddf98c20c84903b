"""Simulated micrographs: what a perfect motion correction would leave of a movie, truth beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from verglas.compute.executors import Poison, run_tasks
from verglas.compute.progress import Progress, SilentProgress
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.jobs.simulate.movie import movie_scene
from verglas.jobs.simulate.settings import SessionSettings
from verglas.jobs.simulate.truth import join_truth, optics_table, write_movie_truth


@dataclass(frozen=True, slots=True)
class MicrographTask:
    """Micrograph `index` (from 0) of a session."""

    settings: SessionSettings
    index: int
    directory: str


def write_micrographs(
    directory: Path, settings: SessionSettings, *, workers: int = 2, progress: Progress | None = None
) -> list[Path]:
    """Micrographs of a session's settings, `micrographs.star` to import them, truth/ beside them."""
    directory.mkdir(parents=True, exist_ok=True)
    still = replace(settings, drift_pixels=0.0, local_pixels=0.0, hot_pixels=0, dead_pixels=0)
    tasks = [MicrographTask(still, index, str(directory)) for index in range(settings.movies)]
    shown = progress or SilentProgress()
    shown.start(f"Simulating {len(tasks)} micrographs ...", len(tasks))
    for done, (task, result) in enumerate(
        run_tasks(write_micrograph, tasks, workers=min(workers, len(tasks))), 1
    ):
        if isinstance(result, Poison):
            raise RuntimeError(f"{micrograph_name(settings, task.index)}: {result}")
        shown.update(done)
    names = [micrograph_name(settings, index) for index in range(settings.movies)]
    optics = optics_table(settings, {"rlnMicrographPixelSize": settings.pixel_size_angst})
    columns = {"rlnMicrographName": names, "rlnOpticsGroup": [1] * len(names)}
    micrographs = StarTable.from_columns("micrographs", columns)
    write_star(directory / "micrographs.star", [optics, micrographs])
    truths = [directory / "truth" / (Path(name).stem + ".star") for name in names]
    join_truth(directory / "truth", settings, truths)
    return [directory / name for name in names]


def micrograph_name(settings: SessionSettings, index: int) -> str:
    """File name of a micrograph, counted from 0."""
    return Path(settings.movie_name(index)).with_suffix(".mrc").name


def write_micrograph(task: MicrographTask, device: str = "cpu") -> str:
    """Simulate and write one micrograph, then its truth."""
    from verglas.simulate.movie import expose_micrograph

    settings = task.settings
    scene = movie_scene(settings, task.index, device)
    smear = (14.0, 9.0) if scene.truth.kind == "blurred" else (0.0, 0.0)
    image = expose_micrograph(scene.specimen, settings.shape_yx, scene.exposure, scene.rng, smear)
    path = Path(task.directory) / micrograph_name(settings, task.index)
    write_mrc(path, image, settings.pixel_size_angst)
    truth = Path(task.directory) / "truth" / (path.stem + ".star")
    write_movie_truth(truth, settings, path.name, scene.truth)
    return str(path)
