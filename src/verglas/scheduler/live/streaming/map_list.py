"""The list of particles that a session's map is made of: when there are enough, and its Select job."""

from __future__ import annotations

from typing import Protocol

from verglas.formats.star import StarFile, write_star
from verglas.jobs.chain import CLASSES, EXTRACTION, LISTS, SELECTION
from verglas.project.change import Change
from verglas.project.project import Project
from verglas.scheduler.live.record.class_state import ClassState
from verglas.scheduler.live.record.made_jobs import ALL_ROWS, Writer, enter_made
from verglas.scheduler.live.record.map_state import AUTO, MapState, MapWish
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.streaming.good_particles import Good, good_particles
from verglas.scheduler.live.streaming.map_jobs import LIST, diameter_angst

LEAST_STEP = 50  # particles that came or went, before an update
STEP_SHARE = 0.02  # of those in the map
LOOK_AGAIN = 100  # accepted particles more, before it is looked again whether they suffice


class Session(Protocol):
    """What the map needs of the session whose particles it takes."""

    @property
    def listed_particles(self) -> int:
        """In the list that lies on disc."""
        ...


class MapList:
    """Good particles now, and the list that the last run was given."""

    def __init__(self, project: Project, folder: LiveFolder, session: Session, log: SessionLog) -> None:
        self.project, self.folder, self.session, self.log = project, folder, session, log
        self.order = folder.order()
        self.source = self.order.jobs[EXTRACTION] + LISTS[EXTRACTION]
        self._looked_at: tuple[object, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether this life of the session has brought its list up to date."""
        return self.session.listed_particles > 0

    def forget(self) -> None:
        """Look again, whatever was seen."""
        self._looked_at = ()

    def enough(self, wish: MapWish) -> tuple[Good | None, str]:
        """The good particles, once there are enough of them; else what is missing in words ("" if that is known)."""
        classes = ClassState.read(self.folder)
        if wish.mode == AUTO and not classes.averages:
            has_classes = CLASSES in self.order.jobs
            return None, "there are none yet" if has_classes else "it has none: verglas live map --on"
        looked_at = (wish.mode, _stamp(classes), self.session.listed_particles // LOOK_AGAIN)
        if looked_at == self._looked_at:
            return None, ""
        self._looked_at = looked_at
        good = self.now(wish)
        if good is None or good.of_classes >= self.order.map_from:
            return good, ""
        return None, f"{good.of_classes} particles {good.words}; {self.order.map_from} are needed"

    def now(self, wish: MapWish) -> Good | None:
        """The good particles; None, to be looked for again, while files are being replaced."""
        classes = ClassState.read(self.folder)
        use = classes if classes.averages and (wish.mode == AUTO or classes.chosen) else None
        try:
            return good_particles(self.project.root, self.source, use, diameter_angst(self.order))
        except (OSError, ValueError, KeyError) as error:
            self.forget()
            self.log.event("live-map-waits", str(error))
            return None

    def has_moved(self, state: MapState, *, at_all: bool = False) -> bool:
        """Whether enough came or went since the last run, or the choice among the classes is another."""
        moved = abs(self.session.listed_particles - state.of_particles)
        renewed = _stamp(ClassState.read(self.folder)) != state.of_classes
        least = 1 if at_all else max(LEAST_STEP, STEP_SHARE * state.listed)
        return renewed or moved >= least

    def take(self, good: Good, state: MapState) -> None:
        """Write the particles that the map is made of into the session's own Select job."""
        state.listed, state.of_particles = len(good.star["particles"]), self.session.listed_particles
        state.of_classes, state.grid = _stamp(ClassState.read(self.folder)), _grid(good.star)
        write = _writer(good.star)
        if state.list_job in self.project.graph().processes:
            write(self.project.root / state.list_job / LIST, "")
            return
        with self.project.change("particles of a live session's map") as change:
            self._enter(change, state, write)

    def _enter(self, change: Change, state: MapState, write: Writer) -> None:
        note = f"verglas live: the good particles of {self.source}, brought up to date by the session"
        texts = {"fn_data": self.source, **ALL_ROWS}
        state.list_job = enter_made(change, SELECTION, texts, {LIST: write}, note)
        state.enter(change, self.folder)


def _writer(star: StarFile) -> Writer:
    return lambda path, _: write_star(path, list(star.values()))


def _stamp(classes: ClassState) -> str:
    """Changes with the 2D update and with the choice among its classes."""
    return f"{classes.updates}:{','.join(map(str, classes.chosen))}"


def _grid(star: StarFile) -> str:
    """Pixel size and box of the images: a map on another grid cannot be gone on with."""
    labels = [label for label in ("rlnImagePixelSize", "rlnImageSize") if label in star.get("optics", ())]
    return " ".join(f"{star['optics'].number(label):g}" for label in labels)
