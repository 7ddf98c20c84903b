"""What a type of job is, told by the type itself: nobody above asks for its name to decide something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class JobType:
    """Identity of a job type (pipeline.md §1.2), and what holds for all of its jobs.

    Patterns of files are relative to the job; `*/x` means: named x, in any sub-directory.
    """

    folder: str  # "MotionCorr"
    label: str  # "relion.motioncorr"
    code: int  # RELION <= 3.1
    title: str  # "Motion correction"
    incremental: bool = False  # a repeat processes only what was not finished before
    interactive: bool = False  # a person does the work; a repeat never overwrites it
    iterative: bool = False  # works in iterations, each with files of its own (run_it001_...)
    has_halves: bool = False  # an iteration has a model for each half of the particles
    class_dims: int = 0  # of the classes that each iteration has: 2 or 3; 0: none
    extracts: bool = False  # makes particles of micrographs
    selects: bool = False  # its lists hold a part of what it is given
    counts_picks: bool = False  # summary.star has the number of picks of each micrograph
    final_map: str = ""  # the file of the map that it ends with
    map_rank: int = 99  # place of that map among others: the least is the most finished
    list_rank: int = 99  # place of its micrograph list among others: the least says the most
    cleaned: tuple[str, ...] = ()  # files that gentle cleaning moves to Trash
    cleaned_harshly: tuple[str, ...] = ()  # and harsh cleaning besides
    settings_name: str = ""  # of the hidden file with the settings last used, if not the folder's

    @property
    def page(self) -> Literal["", "classes", "maps"]:
        """The page that shows an iteration's result; empty where there is none."""
        return "classes" if self.class_dims == 2 else "maps" if self.class_dims == 3 else ""

    @property
    def settings_file(self) -> str:
        """The hidden file with the settings last used (pipeline.md §1.5)."""
        return f".gui_{self.settings_name or self.folder.lower()}job.star"
