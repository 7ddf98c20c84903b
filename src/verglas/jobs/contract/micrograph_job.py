"""Jobs that treat micrographs (or movies) one by one.

Each item is processed in a worker, its result lies in complete files of its own, and the output tables
are rebuilt at the end from all items of the present input whose files exist, in input order. So a kill
loses at most the items in hand, a repeat processes only what is missing, and a failed item is a result:
listed in `set_aside.star` with its reason, tried again when its file changes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from verglas.compute.devices import devices_in_turn
from verglas.compute.executors import Poison, run_tasks
from verglas.formats.atomic import is_output_failure
from verglas.formats.mrc import read_mrc
from verglas.formats.star import StarTable
from verglas.jobs.contract.base import Job, JobFailed, NothingToDo
from verglas.jobs.contract.gathered import is_gathered, remember_gathered
from verglas.jobs.contract.set_aside import ITEM_FAULTS, SetAside, SetAsideList
from verglas.jobs.contract.tables import Row, rows_of
from verglas.jobs.contract.unwritable import Unwritable, wait_until_writable

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Item:
    """One micrograph or movie of the input list."""

    name: str  # as the input table names it; unique in the job
    row: dict[str, Any]  # the input row, by label
    source: Path  # the file whose change means "try again"


@dataclass(frozen=True)
class Inputs:
    """What a job works on, read once; a type that needs more of its files adds it."""

    items: tuple[Item, ...]  # all of the input table in its order
    optics: Mapping[int, Row] = field(default_factory=dict)  # by group

    def optics_of(self, item: Item) -> Row:
        """The optics of an item. Raises SetAside if the table has none."""
        group = int(item.row.get("rlnOpticsGroup", 1))
        try:
            return self.optics[group]
        except KeyError:
            raise SetAside(f"optics group {group} is not in the optics table") from None


def micrograph_items(table: StarTable, label: str = "rlnMicrographName") -> tuple[Item, ...]:
    """One item a row of a list of micrographs (or movies)."""
    return tuple(Item(row[label], row, Path(row[label])) for row in rows_of(table))


def read_micrograph(item: Item) -> Array:
    """The image (y, x) of a micrograph. Raises SetAside for a file of several images."""
    data = read_mrc(item.source).data
    if data.ndim != 2:
        raise SetAside(f"{item.source} holds {data.shape[0]} images; expected one micrograph")
    return data


Taken = TypeVar("Taken", bound=Inputs)


class MicrographJob(Job, Generic[Taken]):
    """Base of Motion correction, CTF estimation, Auto-picking and Particle extraction."""

    @classmethod
    def output_flags(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        flags = cls.place_flags(directory)
        goes_on = is_continue and cls.keeps_results(options)
        return [*flags, "--only_do_unfinished"] if goes_on else flags

    @classmethod
    def place_flags(cls, directory: str) -> list[str]:
        """Flags that name the job directory."""
        return ["--o", directory]

    @classmethod
    def keeps_results(cls, options: Any) -> bool:
        """Whether a job that goes on leaves alone what is finished."""
        return True

    @abstractmethod
    def read_inputs(self) -> Taken:
        """Everything that the work on an item or its row in a list needs. Raises JobFailed, NothingToDo."""

    @cached_property
    def inputs(self) -> Taken:
        """The inputs, read when they are first asked for."""
        return self.read_inputs()

    def __getstate__(self) -> dict[str, Any]:
        """What travels to a worker process: an item comes with its own row, not with all others."""
        state = dict(self.__dict__)
        if "inputs" in state:
            state["inputs"] = replace(state["inputs"], items=())
        return state

    @abstractmethod
    def is_done(self, item: Item) -> bool:
        """Whether complete output files of this item exist (looks at nothing else)."""

    @abstractmethod
    def process(self, item: Item, device: str) -> None:
        """Make the item's output files, atomically. Raises SetAside with a reason.

        Runs in a worker process; must not touch anything shared between items.
        """

    @abstractmethod
    def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        """Rebuild the output tables from the items whose files exist, in input order.

        Rows of items that are not `anew` (names worked on in this call) may be taken from the old tables.
        """

    def listed(self, item: Item) -> Sequence[StarTable]:
        """The output list that `gather` would write if this finished item were the only one.

        It is the next job's input for one micrograph that goes ahead of the others (live sessions).
        Empty where the next job takes the same list as this one.
        """
        return ()

    def alone(self, item: Item) -> Mapping[str, Sequence[StarTable]]:
        """All lists that `gather` would write if this finished item were the only one, by file name.

        A list changed by the rows of a few items (live sessions) has the bytes that `gather` writes. A
        file that would list nothing is left out.
        """
        return {}

    common_columns = False
    """Whether a list keeps the columns that all rows have; else `0` stands where a row has none."""

    over_ranks = "items"

    @property
    def only_unfinished(self) -> bool:
        """Whether finished items are kept (`--only_do_unfinished`)."""
        return bool(self.arguments["--only_do_unfinished"])

    @property
    def title(self) -> str:
        """The line above the progress bar, in RELION's words."""
        return f"{self.type.title} ..."

    def run(self) -> None:
        items = self.inputs.items
        aside = SetAsideList.read(self.context.directory, dict(self.arguments.items()))
        keeping = self.only_unfinished
        finished = frozenset(item.name for item in items if keeping and self.is_done(item))
        todo = self._due(finished, aside)
        self.context.say(f" {len(todo)} to process, {len(finished)} finished before, {len(items)} in all")
        if todo:
            self._process_all(todo, aside)
        aside.keep_only({item.name for item in items})
        aside.write()
        for name, reason in aside.reasons():
            self.context.warn(f" WARNING: {name} was set aside: {reason}")
        anew = frozenset(item.name for item in todo)
        kept = finished - anew
        done = [
            each for each in items if each.name not in aside and (each.name in kept or self.is_done(each))
        ]
        self._gather_if_new(done, anew)
        if not done:
            self._without_result(aside, bool(todo))

    def _without_result(self, aside: SetAsideList, worked: bool) -> None:
        """A job without a result is no success. Raises JobFailed, or NothingToDo if nothing was new."""
        count, reason = len(self.inputs.items), "none was finished"
        if aside.entries:
            reason = f"{len(aside.entries)} set aside, {aside.commonest()}"
        if not worked:
            raise NothingToDo(f"nothing new: of {count} micrographs {reason}")
        raise JobFailed(f"none of {count} micrographs has a result: {reason}")

    def _gather_if_new(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        """Rebuild the lists, unless nothing that they depend on has changed since the last time."""
        names = [item.name for item in done]
        where, flags = self.context.directory, dict(self.arguments.items())
        if not anew and is_gathered(where, flags, names):
            self.context.say(" Nothing new: the lists stay as they are")
            return
        self.gather(done, anew)
        remember_gathered(where, flags, names)

    def _due(self, finished: frozenset[str], aside: SetAsideList) -> list[Item]:
        """The items to be worked on in this call."""
        return [item for item in self.inputs.items if self._is_due(item, finished, aside)]

    def _is_due(self, item: Item, finished: frozenset[str], aside: SetAsideList) -> bool:
        if not self.only_unfinished:
            return True
        return item.name not in finished and not aside.still_holds(item.name, item.source)

    def _process_all(self, todo: Sequence[Item], aside: SetAsideList) -> None:
        progress = self.context.progress
        progress.start(self.title, len(todo))
        devices, count = self._devices(), 0
        while todo:
            again: list[Item] = []
            for item, outcome in self._results(todo, devices):
                if isinstance(outcome, Unwritable):
                    wait_until_writable(self.context, outcome)
                    again.append(item)
                    continue
                count += 1
                self._note(item, outcome, aside)
                progress.update(count)
                self.context.check_abort()
            todo = again

    def _results(
        self, todo: Sequence[Item], devices: Sequence[str]
    ) -> Iterator[tuple[Item, SetAside | Poison | Unwritable | None]]:
        context = self.context
        return run_tasks(
            self._attempt,
            todo,
            workers=context.workers,
            devices=devices,
            isolate=context.isolate,
            executor=context.executor,
        )

    def _note(self, item: Item, outcome: SetAside | Poison | None, aside: SetAsideList) -> None:
        if isinstance(outcome, SetAside):
            aside.add(item.name, item.source, str(outcome))
        elif isinstance(outcome, Poison):
            # a kill may not be the item's fault: it is tried again in the next execution
            aside.add(item.name, None if outcome.killed else item.source, f"poison: {outcome}")
        else:
            aside.remove(item.name)

    def _devices(self) -> Sequence[str]:
        """Those of `--gpu`, dealt out in turn; the context's (the CPU) where none are asked for."""
        if "--gpu" not in self.arguments.given:
            return self.context.devices
        try:
            devices = devices_in_turn(self.arguments["--gpu"].strip('"'))
        except ValueError as error:
            raise JobFailed(str(error)) from error
        if devices == ["cpu"]:
            self.context.warn(" WARNING: there is no GPU to be seen here; working on the CPU")
        else:
            self.context.say(f" Working on {', '.join(devices)}")
        return devices

    def _attempt(self, item: Item, device: str) -> SetAside | Unwritable | None:
        """The worker's single boundary: what an item does wrong becomes its result.

        A disc that cannot be written is no item's fault: the item comes again.
        """
        try:
            self.process(item, device)
        except (SetAside, *ITEM_FAULTS) as error:
            if is_output_failure(error):
                return Unwritable(str(error))
            return error if isinstance(error, SetAside) else SetAside.of(error)
        return None
