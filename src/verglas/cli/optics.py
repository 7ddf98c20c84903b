"""`verglas optics`: optics groups from beam shifts, for movies, micrographs or particles of any project."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from verglas.cli.arguments import CommandError, obey, split_words

_HELP = """verglas optics FILE.star --from FOLDER [--o OUT.star] [--tolerance X]
One optics group per beam-shift position. FOLDER holds EPU's XML or SerialEM's mdoc files (at any depth);
images are matched by path and name. OUT is FILE_optics.star unless given; the input is never changed.
--tolerance: largest scatter of a position, in the unit of the files; found from the shifts otherwise."""


def main(words: Sequence[str]) -> int:
    """Returns 0 good, 1 a failure."""
    return obey("optics", words, _HELP, _optics)


def _optics(words: list[str]) -> int:
    from verglas.jobs.importing.optics_groups import assign_groups
    from verglas.jobs.importing.shift_files import ShiftFiles

    parsed = split_words(words, {"--from": True, "--o": True, "--tolerance": True})
    if len(parsed.positional) != 1 or not parsed.has("--from"):
        raise CommandError("name a STAR file and, with --from, the folder of XML or mdoc files")
    path = Path(parsed.positional[0])
    output = Path(parsed.text("--o") or path.with_name(f"{path.stem}_optics.star"))
    tolerance = parsed.number("--tolerance", 0) if parsed.has("--tolerance") else None
    files = ShiftFiles.below(Path(parsed.text("--from")))
    for problem in files.problems:
        print(f"WARNING: {problem}", file=sys.stderr)
    grouping = assign_groups(path, output, files.shifts, tolerance)
    if len(grouping.without) == len(grouping.groups):
        raise CommandError(f"no beam shift was found for any image of {path}")
    print(f"{output}: {grouping.count} beam-shift positions, tolerance {grouping.tolerance:.4g}")
    if grouping.without:
        print(
            f"WARNING: no beam shift is known for {len(grouping.without)} images, the first "
            f"{grouping.without[0]}; they stay in the first group"
        )
    return 0
