"""Job types that take no time: what they do is said by small files in the project, so that a test can
change it between rounds. They stand in RELION's directories under RELION's type codes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import Job, JobFailed, JobType, NothingToDo
from verglas.jobs.contract.micrograph_job import Inputs, Item, MicrographJob
from verglas.jobs.contract.nodes import MICROGRAPHS, MODEL, MOVIES, PARTICLES, Node
from verglas.jobs.contract.options import option
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.running import QueueOptions, RankOptions
from verglas.jobs.contract.set_aside import SetAside

FOR_EVER = "100000"  # twentieths of a second, into orders/class2d.slow
UNFINISHED = Flag("--only_do_unfinished", False, "Keep what is finished")
OUT = Flag("--o", "", "Output directory", required=True)


class ImportOptions(QueueOptions):
    fn_in_raw: str = option("Movies/*.txt", label="Raw input files:", tab="Movies", flag="--i")


class FakeImport(Job):
    type = JobType("Import", "relion.import", 0, "Import", incremental=True)
    Options = ImportOptions
    program = Program.of("import", ImportOptions, [OUT, UNFINISHED])

    @classmethod
    def expected_outputs(cls, options, directory):
        return [Node(f"{directory}movies.star", MOVIES)]

    def run(self) -> None:
        found = sorted(str(path) for path in Path().glob(self.arguments["--i"]))
        if not found:
            raise NothingToDo(f"no file matches {self.arguments['--i']}")
        write_list(self.context.directory / "movies.star", "movies", "rlnMicrographMovieName", found)


class MotionOptions(RankOptions, QueueOptions):
    input_star_mics: str = option("", label="Input movies:", tab="I/O", flag="--i", node=MOVIES)
    factor: int = option(1, label="Factor:", tab="I/O", flag="--factor")


class FakeMotion(MicrographJob[Inputs]):
    type = JobType("MotionCorr", "relion.motioncorr", 1, "Motion correction", incremental=True)
    Options = MotionOptions
    program = Program.of("motioncorr", MotionOptions, [OUT, UNFINISHED])

    @classmethod
    def expected_outputs(cls, options, directory):
        return [Node(f"{directory}corrected_micrographs.star", MICROGRAPHS)]

    @classmethod
    def output_flags(cls, options, directory, is_continue):
        return ["--o", directory, *(["--only_do_unfinished"] if is_continue else [])]

    def read_inputs(self) -> Inputs:
        names = read_star(self.arguments["--i"])["movies"].strings("rlnMicrographMovieName")
        return Inputs(tuple(Item(name, {}, Path(name)) for name in names))

    def output(self, item: Item) -> Path:
        return self.context.directory / Path(item.name).with_suffix(".out")

    def is_done(self, item: Item) -> bool:
        return self.output(item).exists()

    def process(self, item: Item, device: str) -> None:
        text = Path(item.name).read_text().strip()
        obey(text)
        path = self.output(item)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, f"{int(text.split()[0]) * self.arguments['--factor']}\n")

    def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        names = [str(self.output(item)) for item in done]
        write_list(
            self.context.directory / "corrected_micrographs.star", "micrographs", "rlnMicrographName", names
        )


class ClassOptions(RankOptions, QueueOptions):
    fn_img: str = option("", label="Input images STAR file:", tab="I/O", flag="--i", node=MICROGRAPHS)
    nr_iter: int = option(3, label="Number of iterations:", tab="Optimisation", flag="--iter")


class FakeClass2D(Job):
    """Sums the numbers of its input; one file per iteration, all naming each other."""

    type = JobType("Class2D", "relion.class2d", 8, "2D classification", iterative=True, class_dims=2)
    Options = ClassOptions
    program = Program.of("refine", ClassOptions, [OUT])

    @classmethod
    def output_flags(cls, options, directory, is_continue):
        return ["--o", f"{directory}run"]

    @classmethod
    def expected_outputs(cls, options, directory):
        root = f"{directory}run_it{options.nr_iter:03d}"
        return [Node(f"{root}_data.star", PARTICLES), Node(f"{root}_model.star", MODEL)]

    def run(self) -> None:
        names = read_star(self.arguments["--i"])["micrographs"].strings("rlnMicrographName")
        total = sum(int(Path(name).read_text()) for name in names)
        root = self.arguments["--o"]
        for iteration in range(self.arguments["--iter"] + 1):
            for _ in range(obedience("class2d")):
                time.sleep(0.05)
                self.context.check_abort()
            name = f"{root}_it{iteration:03d}"
            write_list(Path(f"{name}_data.star"), "particles", "rlnImageName", names)
            columns = {"rlnReferenceImage": [f"{name}_classes.mrcs"], "rlnTotal": [str(total)]}
            write_star(f"{name}_model.star", [StarTable.from_columns("model", columns)])
        order = Path("orders/class2d")
        if order.exists():
            obey(order.read_text())
            if order.read_text() == "empty":
                Path(f"{name}_data.star").unlink()


class FakeSelect(Job):
    type = JobType("Select", "relion.select", 7, "Subset selection", selects=True)
    Options = ClassOptions
    program = Program.of("select", ClassOptions, [OUT])

    @classmethod
    def expected_outputs(cls, options, directory):
        return [Node(f"{directory}particles.star", PARTICLES)]

    def run(self) -> None:
        names = read_star(self.arguments["--i"]).first.strings("rlnImageName")
        write_list(self.context.directory / "particles.star", "particles", "rlnImageName", names)


class FakeChoice(Job):
    """A person's work: waits for their file, and lists what the classification lists."""

    type = JobType("ManualPick", "relion.manualpick", 3, "Manual picking", interactive=True)
    Options = ClassOptions
    program = Program.of("manualpick", ClassOptions, [OUT])

    @classmethod
    def expected_outputs(cls, options, directory):
        return [Node(f"{directory}chosen.star", MICROGRAPHS)]

    def run(self) -> None:
        if not (self.context.directory / "hand_made.txt").exists():
            raise NothingToDo("waiting for you: choose")
        names = read_star(self.arguments["--i"]).first.strings("rlnImageName")
        write_list(self.context.directory / "chosen.star", "micrographs", "rlnMicrographName", names)


def obey(text: str) -> None:
    """A movie's or an order file's words: a number, and what goes wrong with it."""
    words = text.split()
    if "fail" in words:
        raise JobFailed("told to fail")
    if "aside" in words:
        raise SetAside("told to be set aside")
    if "slow" in words:
        time.sleep(0.3)
    if "crash" in words:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "die" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    if "full" in words and Path("orders/full").exists():
        raise OSError(28, "No space left on device", "somewhere")
    if "bug" in words:
        raise ZeroDivisionError("a bug")


def obedience(name: str) -> int:
    """How many twentieths of a second an iteration takes."""
    path = Path(f"orders/{name}.slow")
    return int(path.read_text()) if path.exists() else 0


def write_list(path: Path, table: str, label: str, names: list[str]) -> None:
    write_star(path, [StarTable.from_columns(table, {label: names})])
