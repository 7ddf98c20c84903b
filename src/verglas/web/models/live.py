"""Shapes: live sessions and what the session page shows."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from verglas.jobs.select.figures import FigureKind
from verglas.scheduler.live.requests.beginning import Look
from verglas.scheduler.live.requests.stage_changes import Cost
from verglas.web.live.health import Verdict
from verglas.web.models.base import Shape
from verglas.web.models.pictures import PicksShown

Looked = Look  # facts, warnings, what is missing, how the first movies fit


class Event(BaseModel):
    """One line of the event log; some kinds carry more."""

    model_config = ConfigDict(extra="allow")

    time: str
    kind: str
    text: str
    person: str = ""


class SessionShown(Shape):
    """What a session wrote last; null what it has not written."""

    name: str
    order: dict[str, Any] | None
    state: dict[str, Any] | None
    wish: dict[str, Any] | None
    status: dict[str, Any] | None


class HealthShown(Shape):
    """The end of the line on top; what is not known is absent."""

    goal: int | None
    verdict: Verdict
    chosen_classes: int | None = None
    good_particles: int | None = None
    good_share: float | None = None
    best_chosen_angst: float | None = None
    model: str | None = None
    good_per_hour: float | None = None
    goal_missing: float | None = None
    goal_hours: float | None = None
    disc_hours: float | None = None
    gb_per_movie: float | None = None


class MoviesShown(Shape):
    """Movies column by column: all, or those that changed after `since`."""

    version: str
    since: str = Field(description="empty: all rows are here")
    total: int
    numbers: list[int]
    names: list[str]
    stages: list[str]
    kinds_aside: list[str] = Field(description="failure, threshold, manual, classes, or empty")
    aside: list[str]
    by_hand: list[str]
    taken_s: list[float]
    ready_s: list[float]
    kinds: list[FigureKind]
    columns: dict[str, list[float | None]]
    thresholds: str


class MovieShown(Shape):
    """What a small picture of a movie is drawn from."""

    number: int
    name: str
    width: int
    height: int
    pixel_size_angst: float
    picks: PicksShown


class LimitsPreview(Shape):
    """What limits would do."""

    drop: int
    drop_particles: int
    back: int
    accepted: int
    judged: int
    known: int


class MapStateShown(Shape):
    """What a session knows of its map; names of files and jobs are the project's."""

    state: str = Field(
        description="off, waiting for classes, initial model, doubtful, updating, up to date, last run, failed, final"
    )
    why: str
    list_job: str = Field(description="whose particles.star the map is made of")
    initial_job: str
    job: str = Field(description="the refinement that is updated")
    updates: int
    particles: int
    believable: str = Field(
        description='"good", or "doubtful because ..."; empty before there is a first map'
    )
    proposed_symmetry: list[tuple[str, float, str]] = Field(description="name, score, statement; best first")
    symmetry: str
    confirmed_by: str
    map: str = Field(description="the newest one")
    resolution_angst: float
    listed: int
    of_particles: int
    of_classes: str
    grid: str
    again: int
    accepted: str
    final_jobs: dict[str, str]
    final_of: str
    final_begun: str
    final_done: list[str]


class MapWishShown(Shape):
    """What persons said of it last."""

    mode: str = Field(description="off, auto or on")
    symmetry: str
    by: str
    reference: str
    accepted: str
    again: int


class MapUpdate(BaseModel):
    """One update of the map: a line of map_history.jsonl; what is not known is absent."""

    model_config = ConfigDict(extra="allow")

    update: int = 0
    time: float = 0.0
    particles: int = 0
    added: int = 0
    removed: int = 0
    researched: int = 0
    resolution_angst: float | None = None
    masked_resolution_angst: float | None = None
    fsc: list[tuple[float, float]] = Field(default_factory=list, description="1/Å, FSC")
    pmax: float | None = None
    angular_accuracy_deg: float | None = None
    offset_accuracy_angst: float | None = None
    seconds: float | None = None
    symmetry: str = ""
    pixel_size_angst: float | None = None
    box: int | None = None
    classes: list[float] = Field(default_factory=list, description="shares; the first is the map")


class MapShown(Shape):
    """A live session's map."""

    state: MapStateShown
    line: str = Field(description="the state in words")
    waits_for_symmetry: bool = Field(description="one is proposed, and nobody has said what it is")
    wish: MapWishShown
    history: list[MapUpdate]


class Goal(Shape):
    """Good particles the session is meant to end with; null: nobody said."""

    goal: int | None


class StageChange(Shape):
    """Options that were changed for some movies."""

    scope: str
    values: dict[str, str]


class StageOptions(Shape):
    """Options of a stage in force, and what was changed since the start."""

    options: dict[str, str]
    changes: list[StageChange]


class CostShown(Shape):
    """What a change of settings would take."""

    movies: int
    stage: str
    seconds_each: float
    workers: int
    verdicts: int
    edited: list[str]
    session_s: float

    @classmethod
    def of(cls, cost: Cost) -> CostShown:
        return cls(
            movies=cost.movies,
            stage=cost.stage,
            seconds_each=cost.seconds_each,
            workers=cost.workers,
            verdicts=cost.verdicts,
            edited=list(cost.edited),
            session_s=round(cost.session_s, 1),
        )


class TrialDrawn(Shape):
    """A micrograph and its picks."""

    width: int
    height: int
    pixel_size_angst: float
    picks: PicksShown


class TrialFigure(Shape):
    """A figure now and on trial."""

    key: str
    title: str
    unit: str
    now: float | None
    trial: float


class TrialShown(Shape):
    """One micrograph on trial beside what it has."""

    number: int
    name: str
    aside: str
    figures: list[TrialFigure]
    new: dict[str, bool]
    now_files: dict[str, str]
    now: TrialDrawn
    trial: TrialDrawn | None


class Overview(Shape):
    """The line on top; what is not known is absent."""

    jobs: dict[str, int]
    disc_free_gb: float
    of_list: str | None = Field(None, alias="list")
    micrographs: int | None = None
    last_age_s: float | None = None
    rate_per_h: float | None = None
    rate_range_per_h: tuple[float, float] | None = None
    rate_over_s: float | None = None
    picks: int | None = None
    median_ctf_resolution_angst: float | None = None
    median_motion_total_angst: float | None = None
    median_defocus_u_angst: float | None = None
    median_fit_resolution_angst: float | None = None
    median_motion_angst: float | None = None
    model: str | None = None
    iteration: int | None = None
    best_class_angst: float | None = None
    classified_particles: int | None = None
    problem: str | None = None
