"""How a pipeline file says things: RELION 2-3.1's numbers or RELION 4/5's labels (pipeline.md §1.4, §2).

A project keeps the dialect it was found in; new projects get 3.1's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from verglas.jobs.contract.nodes import NODE_TYPES, Node, NodeType


class Status(Enum):
    """State of a job: RELION 3.1's code and RELION 4/5's label."""

    RUNNING = (0, "Running")
    SCHEDULED = (1, "Scheduled")
    SUCCEEDED = (2, "Succeeded")
    FAILED = (3, "Failed")
    ABORTED = (4, "Aborted")

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def label(self) -> str:
        return self.value[1]

    @classmethod
    def from_text(cls, text: str) -> Status:
        """Either spelling. Raises ValueError naming the text."""
        for status in cls:
            if text in (str(status.code), status.label):
                return status
        raise ValueError(f"unknown job status {text!r}")


@dataclass(frozen=True)
class Dialect:
    """One way of writing pipeline files."""

    name: str
    version: int | None  # of the comment before each block; None: no comment
    has_labels: bool
    has_depth: bool = False  # RELION 5's third column of the nodes

    def status_text(self, status: Status) -> str | int:
        if self.has_labels:
            return status.label
        if self.version is None and status in (Status.FAILED, Status.ABORTED):
            return Status.RUNNING.code  # 2.x knows no failure; the exit files tell us
        return status.code

    def node_text(self, node: Node) -> str | int:
        if self.has_labels or node.type.code is None:
            return node.full_label
        return node.type.code

    def process_text(self, label: str, code: int) -> str | int:
        return label if self.has_labels else code


DIALECT_2 = Dialect("2", None, has_labels=False)
DIALECT_31 = Dialect("3.1", 30001, has_labels=False)
DIALECT_4 = Dialect("4", 30001, has_labels=True)
DIALECT_5 = Dialect("5", 50001, has_labels=True, has_depth=True)
DIALECTS = {each.name: each for each in (DIALECT_2, DIALECT_31, DIALECT_4, DIALECT_5)}

# label roots of RELION 4 -> RELION 5 (pipeline.md §1.4)
_RENAMED_ROOTS = {
    "ParticlesData": "ParticleGroupMetadata",
    "MicrographMoviesData": "MicrographMovieGroupMetadata",
    "MicrographsData": "MicrographGroupMetadata",
    "MicrographsCoords": "MicrographCoordsGroup",
    "ImagesData": "Image2DGroupMetadata",
    "OptimisationSet": "TomoOptimisationSet",
    "TomogramData": "TomogramGroupMetadata",
    "TrajectoryData": "TomoTrajectoryData",
}

# (code, directory, label) of every process type of RELION (pipeline.md §1.2); None: there is none
PROCESS_TYPES: tuple[tuple[int, str, str | None], ...] = (
    (0, "Import", "relion.import"),
    (1, "MotionCorr", "relion.motioncorr"),
    (2, "CtfFind", "relion.ctffind"),
    (3, "ManualPick", "relion.manualpick"),
    (4, "AutoPick", "relion.autopick"),
    (5, "Extract", "relion.extract"),
    (6, "Sort", None),
    (7, "Select", "relion.select"),
    (8, "Class2D", "relion.class2d"),
    (9, "Class3D", "relion.class3d"),
    (10, "Refine3D", "relion.refine3d"),
    (11, "Polish", None),
    (12, "MaskCreate", "relion.maskcreate"),
    (13, "JoinStar", "relion.joinstar"),
    (14, "Subtract", "relion.subtract"),
    (15, "PostProcess", "relion.postprocess"),
    (16, "LocalRes", "relion.localres"),
    (17, "MovieRefine", None),
    (18, "InitialModel", "relion.initialmodel"),
    (19, "MultiBody", "relion.multibody"),
    (20, "Polish", "relion.polish"),
    (21, "CtfRefine", "relion.ctfrefine"),
    (22, "DynaMight", "dynamight"),
    (23, "ModelAngelo", "modelangelo"),
    (50, "Import", "relion.importtomo"),
    (51, "Extract", "relion.pseudosubtomo"),
    (52, "CtfRefine", "relion.ctfrefinetomo"),
    (53, "Polish", "relion.framealigntomo"),
    (54, "Reconstruct", "relion.reconstructparticletomo"),
    (55, "AlignTiltSeries", "relion.aligntiltseries"),
    (56, "Tomograms", "relion.reconstructtomograms"),
    (57, "ExcludeTiltImages", "relion.excludetilts"),
    (58, "Denoise", "relion.denoisetomo"),
    (59, "Picks", "relion.picktomo"),
    (99, "External", "relion.external"),
)


def process_code(text: str) -> int | None:
    """The numeric type for a code, a label (trailing parts dropped until one is known) or a folder."""
    if text.isdigit():
        return int(text)
    by_label = {label: code for code, _, label in PROCESS_TYPES if label}
    parts = text.split(".")
    while parts:
        label = ".".join(parts)
        if label in by_label:
            return by_label[label]
        parts.pop()
    by_folder = {folder: code for code, folder, _ in reversed(PROCESS_TYPES)}
    return by_folder.get(text)


def node_type(text: str) -> NodeType | None:
    """The node type a code or a label of RELION 4 or 5 stands for; None if it is foreign to us."""
    if text.isdigit():
        return next((each for each in NODE_TYPES if each.code == int(text)), None)
    root, dot, rest = text.partition(".")
    label = _RENAMED_ROOTS.get(root, root) + dot + rest
    fitting = [each for each in NODE_TYPES if (label + ".").startswith(each.label + ".")]
    if fitting:
        return max(fitting, key=lambda each: len(each.label))
    root = label.split(".", 1)[0]
    return next((each for each in NODE_TYPES if each.top_level == root), None)


def mirror_folders(text: str, depth: int = 1) -> list[str]:
    """Sub-directories of `.Nodes` for a node: its code, or its label up to the first dot (and depth)."""
    if text.isdigit():
        return [text]
    parts = text.split(".")
    folders = [parts[0]]
    if depth > 1:
        folders.append(".".join(parts[:depth]))
    return folders
