"""Shapes: micrographs, classes, maps, tables."""

from __future__ import annotations

from pydantic import Field

from verglas.jobs.select.figures import FigureKind
from verglas.project.results.classes import ClassRow
from verglas.project.results.grid_places import Hole, Square
from verglas.web.models.base import Shape

Numbers = list[float | None]


class PickSourceShown(Shape):
    """Coordinates that some job has."""

    node: str
    job: str
    shown: str
    editable: bool


class MicrographLists(Shape):
    """Lists of micrographs, the richest first, and every set of picks."""

    lists: list[str]
    picks: list[PickSourceShown]


class MicrographList(Shape):
    """Names and figures of every micrograph, column by column; null: not known."""

    path: str
    names: list[str]
    columns: dict[str, Numbers]
    kinds: list[FigureKind]
    pixel_size_angst: float


class GridShown(Shape):
    """Squares, holes, and the hole of every movie (-1: not known)."""

    squares: list[Square]
    holes: list[Hole]
    hole_of: list[int]
    source: str
    pending: int


class Drift(Shape):
    """Shifts per frame in pixels."""

    frame: list[float]
    x: list[float]
    y: list[float]


class CtfProfile(Shape):
    """Curves against 1/Å."""

    frequency: list[float]
    spectrum: list[float]
    ctf: list[float]
    agreement: list[float]


class MicrographInfo(Shape):
    """One micrograph: size, levels of its tiles, drift, CTF."""

    width: int
    height: int
    tile: int
    levels: int
    changed: int
    drift: Drift | None
    ctf: CtfProfile | None
    has_spectrum: bool
    spectrum_pixel_angst: float  # its edge is at 1 / (2 pixels); 0: not known


class PicksShown(Shape):
    """Coordinates in pixels, figures of merit where they are known."""

    x: list[float]
    y: list[float]
    fom: list[float] | None
    threshold: float | None


class SelectShown(Shape):
    """A Select job made from classes."""

    job: str
    shown: str


class Models(Shape):
    """Classifications, newest first, and the choices made from them."""

    models: list[str]
    selects: list[SelectShown]


class GalleryShown(Shape):
    """Classes of one iteration."""

    model: str
    job: str
    iteration: int
    pixel_size_angst: float
    box_size: int
    dimensions: int
    classes: list[ClassRow]
    models: list[str]
    data: str | None
    best_angst: float | None = Field(description="of classes that hold particles; null in iteration 0")
    columns: int = Field(description="of the picture of all averages")
    changed: int


class ChosenClasses(Shape):
    """Numbers from 1."""

    classes: list[int]


class MapsShown(Shape):
    """Maps on disc, and the model whose curves belong to each."""

    maps: list[str]
    models: dict[str, str]


class ModelList(Shape):
    """Models of all iterations, first to last."""

    models: list[str]


class Curve(Shape):
    """A curve against 1/Å."""

    name: str
    x: list[float]
    y: Numbers


class PostprocessShown(Shape):
    """What a post-processing found; null or "" for what its file does not say."""

    resolution_angst: float | None
    b_factor_angst2: float | None
    random_from_angst: float | None  # phases are random from here on
    slope: float | None  # of the Guinier line: B / 4
    intercept: float | None
    correlation: float | None
    mask: str
    half1: str
    half2: str
    reason: str  # how the resolution was found, in words
    distrust: list[str]  # what the job warned of
    guinier: list[Curve]  # logarithms of amplitudes against 1/Å²


class Orientations(Shape):
    """Particles along each direction, counted at all that the symmetry makes equivalent."""

    counts: list[list[int]]
    particles: int
    symmetry: str
    mates: int


class TableColumn(Shape):
    """A column of a STAR table."""

    label: str
    numeric: bool
    unit: str
    meaning: str


class TableBlock(Shape):
    """A table of a STAR file; a list table with its values."""

    name: str
    rows: int
    is_list: bool
    columns: list[TableColumn]
    values: dict[str, str] = Field(default_factory=dict)


class TablesShown(Shape):
    """Tables of a file."""

    path: str
    blocks: list[TableBlock]
    left_out: str


class TablePage(Shape):
    """Rows of a table as texts; `rows` are their numbers in the file, from 0."""

    total: int
    passing: int
    offset: int
    rows: list[int]
    cells: list[list[str]]


class TablePlot(Shape):
    """Column against column, every `step`-th row."""

    step: int
    rows: list[int]
    x: list[float | None]
    y: list[float | None]
