"""Jobs whose files a session writes itself: entered, with all of their files, as finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from verglas.formats.mrc import Image, write_mrc
from verglas.jobs.chain import IMPORT
from verglas.jobs.registry import job_class
from verglas.project.change import Change
from verglas.project.dialect import Status
from verglas.project.registration import check_options, enter
from verglas.project.rounds import MANIFEST, Manifest

ALL_ROWS = {
    "do_select_values": "Yes", "select_label": "rlnOpticsGroup", "select_minval": "0",
    "select_maxval": "1000000",
}  # fmt: skip
"""Options of a Select job that keeps every row: its limits hold for all."""

Writer = Callable[[Path, str], None]  # writes a file to a path; the text is the job's name


def enter_made(
    change: Change, folder: str, texts: Mapping[str, str], files: Mapping[str, Writer], note: str
) -> str:
    """Enter a job of this type with these options and files; its name.

    `note` says where the files come from. Raises OptionError, RefusedJob.
    """
    job = job_class(folder)
    options, _ = job.Options.parse(texts)
    check_options(job, options)
    name = enter(change, job, options, status=Status.RUNNING)
    for each, write in files.items():
        write(change.file(name + each), name)
    change.write(name + MANIFEST, Manifest(1, tuple(sorted(files))).as_bytes())
    change.note(name, [note])
    change.end(name, Status.SUCCEEDED)
    return name


def enter_map(change: Change, name: str, image: Image, source: str, note: str) -> str:
    """Enter a map as an Import job of a 3D reference; the file's name. `source` says what it was made of."""
    texts = {"do_raw": "No", "do_other": "Yes", "fn_in_other": source, "node_type": "3D reference (.mrc)"}
    files: dict[str, Writer] = {name: lambda path, _: write_mrc(path, image.data, image.pixel_size_angst)}
    return enter_made(change, IMPORT, texts, files, note) + name
