"""`verglas handover`: a self-contained copy of what a session made, for RELION or cryoSPARC."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.cli.arguments import CommandError, obey, split_words
from verglas.jobs.chain import EXTRACTION, IMPORT, MOTION, SELECTION
from verglas.project.project import Project

if TYPE_CHECKING:
    from verglas.project.handover import Lists

_HELP = """verglas handover DEST --for relion|cryosparc [--with movies,micrographs,particles]
  [--session NAME | --snapshot NAME | --micrographs FILE.star --particles FILE.star]
A folder that needs nothing else: relative names, links resolved, gain and defects as used, the report, the
map (halves, mask and sharpened map once the session is finished), SHA256SUMS (check with: sha256sum -c
SHA256SUMS). The same command goes on with an interrupted copy.
For RELION: open DEST as it is (names are those of the project). For cryoSPARC: Import Particle Stack with
particles.star (or particles.cs) and DEST as the particle data path; y axis as in RELION, no flip."""


def main(words: Sequence[str]) -> int:
    """Returns 0 good, 1 a failure or missing files."""
    return obey("handover", words, _HELP, _handover)


def _handover(words: list[str]) -> int:
    from verglas.project.handover import PARTS, hand_over

    parsed = split_words(
        words,
        {
            "--for": True,
            "--with": True,
            "--session": True,
            "--snapshot": True,
            "--micrographs": True,
            "--particles": True,
            "--movies": True,
        },
    )
    if len(parsed.positional) != 1:
        raise CommandError("name the folder to write")
    program = parsed.text("--for", "relion")
    if program not in ("relion", "cryosparc"):
        raise CommandError(f"--for {program}: expected relion or cryosparc")
    parts = parsed.text("--with", "micrographs,particles").split(",")
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise CommandError(f"--with {unknown[0]}: expected some of {', '.join(PARTS)}")
    target = Path(os.path.abspath(parsed.positional[0]))
    project = Project.open()
    os.chdir(project.root)
    lists = _lists(project, parsed.text("--session"), parsed.text("--snapshot"))
    for flag in ("movies", "micrographs", "particles"):
        if parsed.has(f"--{flag}"):
            lists = lists.__class__(**{**lists.__dict__, flag: parsed.text(f"--{flag}")})
    done = hand_over(project.root, target, lists, parts, for_cryosparc=program == "cryosparc", shown=_shown)
    print(f"{target}: {done.files} files, {done.bytes / 1e9:.2f} GB, {done.copied} copied now")
    for name in done.missing[:5]:
        print(f"WARNING: {name} is named in a list and does not exist", file=sys.stderr)
    return 1 if done.missing else 0


def _lists(project: Project, session: str, snapshot: str) -> Lists:
    """The lists of a live session (the newest without a name), or of a snapshot of it."""
    import json

    from verglas.jobs.chain import LISTS
    from verglas.project.handover import Lists
    from verglas.scheduler.live.record.map_state import MapState
    from verglas.scheduler.live.record.order import LiveFolder, all_sessions
    from verglas.scheduler.live.requests.snapshot import FROZEN_MAP
    from verglas.scheduler.live.streaming.map_jobs import last_files

    sessions = all_sessions(project.root)
    if not sessions and not session:
        return Lists()
    folder = LiveFolder(project.root, session) if session else sessions[-1]
    jobs = folder.order().jobs
    micrographs, particles = (jobs[SELECTION] + LISTS[SELECTION], jobs[EXTRACTION] + LISTS[EXTRACTION])
    if snapshot:
        known = json.loads((folder.path / "snapshots.json").read_text())
        if snapshot not in known:
            raise CommandError(f"no snapshot {snapshot}; there are {', '.join(known) or 'none'}")
        micrographs = f"{known[snapshot]['micrographs']['job']}micrographs.star"
        particles = f"{known[snapshot]['particles']['job']}particles.star"
    report = str(folder.report_file.relative_to(project.root))
    others = [report, *last_files(MapState.read(folder).final_jobs)]
    if snapshot and "map" in known[snapshot]:
        others.append(f"{known[snapshot]['map']['job']}{FROZEN_MAP}")
    return Lists(
        jobs[IMPORT] + LISTS[IMPORT],
        micrographs,
        jobs[MOTION] + LISTS[MOTION],
        particles,
        tuple(name for name in others if (project.root / name).exists()),
    )


def _shown(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 20 == 0 or done == total):
        print(f"\r{done} of {total} files", end="\n" if done == total else "", file=sys.stderr)
