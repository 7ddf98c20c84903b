"""Choosing classes: by list, by score, or by a person; the particles and averages of the chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.stack import parse_image_name, read_images
from verglas.formats.star import StarFile, StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.program import Arguments
from verglas.jobs.contract.tables import read_list
from verglas.jobs.select.choice import BACKUP as BACKUP
from verglas.jobs.select.choice import choice_of_a_person, remember_choice


@dataclass(frozen=True)
class Classification:
    """Files of one iteration of a classification."""

    model: StarFile
    data: StarFile
    diameter_angst: float  # of the particle mask; 0 if not known

    @property
    def classes(self) -> StarTable:
        return self.model["model_classes"]

    @classmethod
    def of(cls, path: str) -> Classification:
        """From a model or an optimiser STAR file. Raises NothingToDo while a file is missing."""
        star, table = read_list(path, "model_classes", "optimiser_general")
        optimiser_path = Path(path)
        if table.name == "model_classes":
            optimiser_path = Path(path.replace("_model.star", "_optimiser.star"))
            data_path = path.replace("_model.star", "_data.star")
            model = star
        else:
            model, _ = read_list(table.strings("rlnModelStarFile")[0], "model_classes")
            data_path = table.strings("rlnExperimentalDataStarFile")[0]
        data, _ = read_list(data_path, "particles")
        return cls(model, data, _diameter(optimiser_path))


def select_classes(arguments: Arguments, context: RunContext) -> None:
    """Write particles.star, class_averages.star and the choice itself (backup_selection.star)."""
    run = Classification.of(arguments["--i"])
    count = len(run.classes)
    if arguments["--classes"]:
        chosen = np.isin(np.arange(1, count + 1), parse_classes(arguments["--classes"], count))
    elif arguments["--auto_select"]:
        chosen = _by_score(run, arguments, context)
    else:
        seen = _shown_averages(run.classes)
        chosen = choice_of_a_person(context.directory, seen)
        _write_backup(context.directory, chosen)
        remember_choice(context.directory, seen)
    _write_backup(context.directory, chosen)
    classes = np.flatnonzero(chosen) + 1
    particles = run.data["particles"]
    rows = np.flatnonzero(np.isin(particles.ints("rlnClassNumber"), classes))
    context.say(f" {len(classes)} of {count} classes, {len(rows)} of {len(particles)} particles")
    if not len(rows):
        raise NothingToDo("the chosen classes hold no particles")
    kept = particles.take(rows)
    if arguments["--do_regroup"]:
        kept = regrouped(run, kept, arguments["--regroup"])
    tables = [kept if table.name == "particles" else table for table in run.data.values()]
    write_star(context.directory / "particles.star", tables)
    _write_averages(run, classes, arguments["--recenter"], context.directory)


def parse_classes(text: str, count: int) -> list[int]:
    """`1,3-5` as numbers. Raises JobFailed naming the part that is no class of this run."""
    numbers: list[int] = []
    for part in text.replace(" ", "").strip(",").split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise JobFailed(f"classes {text!r}: {part!r} is neither a number nor a range like 3-5")
        chosen = range(int(first), int(last or first) + 1)
        if not chosen or chosen[0] < 1 or chosen[-1] > count:
            raise JobFailed(f"classes {text!r}: {part!r} is not within 1 to {count}")
        numbers.extend(chosen)
    return sorted(set(numbers))


def regrouped(run: Classification, particles: StarTable, count: int) -> StarTable:
    """Join micrographs of similar intensity scale into about `count` groups of equal size."""
    groups = run.model["model_groups"]
    order = np.argsort(groups.floats("rlnGroupScaleCorrection"), kind="stable")
    sizes = groups.ints("rlnGroupNrParticles")[order]
    target = max(1.0, sizes.sum() / max(1, count))
    label = np.minimum(((np.cumsum(sizes) - sizes / 2) / target).astype(int), max(1, count) - 1)
    of_number = dict(zip(groups.ints("rlnGroupNumber")[order].tolist(), label.tolist()))
    names = [f"group_{of_number[n] + 1}" for n in particles.ints("rlnGroupNumber").tolist()]
    return particles.with_columns({"rlnGroupName": names}).without(["rlnGroupNumber"])


def _by_score(run: Classification, arguments: Arguments, context: RunContext) -> np.ndarray:
    """Classes whose score reaches the threshold; the parts of every score are written beside."""
    from verglas.particles.class_rank import rank_classes

    classes = run.classes
    averages = _averages(classes)
    general = run.model["model_general"]
    pixel = general.floats("rlnPixelSize")[0]
    radius = (run.diameter_angst / 2 / pixel) if run.diameter_angst > 0 else averages.shape[1] / 2.2
    shares = classes.floats("rlnClassDistribution")
    scores = rank_classes(averages, classes.floats("rlnEstimatedResolution"), shares, radius)
    totals = np.array([score.total for score in scores])
    columns = {
        "rlnReferenceImage": classes.strings("rlnReferenceImage"),
        "rlnClassScore": totals,
        "verglasScoreResolution": [score.resolution for score in scores],
        "verglasScoreContrast": [score.contrast for score in scores],
        "verglasScoreCentring": [score.centring for score in scores],
        "verglasScoreShare": [score.share for score in scores],
    }
    write_star(context.directory / "class_ranks.star", [StarTable.from_columns("ranks", columns)])
    chosen = totals >= arguments["--min_score"]
    numbers = run.data["particles"].ints("rlnClassNumber")
    members = np.bincount(numbers, minlength=len(totals) + 1)[1:]
    for index in np.argsort(-totals):
        enough_particles = members[chosen].sum() >= arguments["--select_min_nr_particles"]
        if enough_particles and chosen.sum() >= arguments["--select_min_nr_classes"]:
            break
        chosen[index] = True
    return chosen


def _shown_averages(classes: StarTable) -> np.ndarray:
    """What a person sees of each class: its average, or the central section of its map."""
    names = [parse_image_name(name) for name in classes.strings("rlnReferenceImage")]
    if all(index is not None for _, index in names):
        return _averages(classes)
    maps = [read_mrc(path).data for path, _ in names]
    return np.stack([each[each.shape[0] // 2] for each in maps])


def _averages(classes: StarTable) -> np.ndarray:
    names = [parse_image_name(name) for name in classes.strings("rlnReferenceImage")]
    if any(index is None for _, index in names):
        raise JobFailed("scores are for 2D class averages; choose 3D classes by --classes")
    return np.asarray(read_images([(path, index or 0) for path, index in names]))


def _write_averages(run: Classification, classes: np.ndarray, recentre: bool, directory: Path) -> None:
    """Rows of the chosen classes; re-centred averages are saved as a stack of their own."""
    kept = run.classes.take(classes - 1)
    if "@" not in kept.strings("rlnReferenceImage")[0]:
        return  # 3D classes: their maps are outputs of the classification already
    if recentre:
        stack = directory / "class_averages.mrcs"
        images = np.stack([_centred(image) for image in _averages(kept)]).astype(np.float32)
        write_mrc(stack, images, run.model["model_general"].floats("rlnPixelSize")[0])
        names = [f"{number:06d}@{stack}" for number in range(1, len(images) + 1)]
        kept = kept.with_columns({"rlnReferenceImage": names})
    write_star(directory / "class_averages.star", [kept.named("")])


def _centred(image: np.ndarray) -> np.ndarray:
    """Whole-pixel shift that brings the centre of the positive density to the box centre."""
    n = image.shape[0]
    density = np.maximum(image, 0)
    if density.sum() <= 0:
        return image
    y, x = np.indices(image.shape) - n // 2
    shift = [-round(float((density * axis).sum() / density.sum())) for axis in (y, x)]
    return np.roll(image, shift, axis=(0, 1))


def _write_backup(directory: Path, chosen: np.ndarray) -> None:
    table = StarTable.from_columns("", {"rlnSelected": chosen.astype(int)})
    write_star(directory / BACKUP, [table])


def _diameter(optimiser_path: Path) -> float:
    if not optimiser_path.exists():
        return 0.0
    general = read_star(optimiser_path)["optimiser_general"]
    return float(general.floats("rlnParticleDiameter")[0])
