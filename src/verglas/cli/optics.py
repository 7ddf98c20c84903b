"""`verglas optics`: optics groups from beam shifts, for movies, micrographs or particles of any project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from verglas.cli.arguments import CommandError, obey, split_words

_HELP = """verglas optics FILE.star --from FOLDER [--o OUT.star] [--tolerance X]
One optics group per beam-shift position. FOLDER holds EPU's XML or SerialEM's mdoc files (at any depth);
images are matched by name. OUT is FILE_optics.star unless given; the input is never changed.
--tolerance: largest scatter of a position, in the unit of the files; found from the shifts otherwise."""


def main(words: Sequence[str]) -> int:
    """Returns 0 good, 1 a failure."""
    return obey("optics", words, _HELP, _optics)


def _optics(words: list[str]) -> int:
    from verglas.jobs.importing.optics_groups import assign_groups

    parsed = split_words(words, {"--from": True, "--o": True, "--tolerance": True})
    if len(parsed.positional) != 1 or not parsed.has("--from"):
        raise CommandError("name a STAR file and, with --from, the folder of XML or mdoc files")
    path = Path(parsed.positional[0])
    output = Path(parsed.text("--o") or path.with_name(f"{path.stem}_optics.star"))
    tolerance = parsed.number("--tolerance", 0) if parsed.has("--tolerance") else None
    grouping = assign_groups(path, output, _shifts_below(Path(parsed.text("--from"))), tolerance)
    if len(grouping.without) == len(grouping.groups):
        raise CommandError(f"no beam shift was found for any image of {path}")
    print(f"{output}: {grouping.count} beam-shift positions, tolerance {grouping.tolerance:.4g}")
    if grouping.without:
        print(
            f"WARNING: no beam shift is known for {len(grouping.without)} images, the first "
            f"{grouping.without[0]}; they stay in the first group"
        )
    return 0


def _shifts_below(folder: Path) -> Callable[[str], tuple[float, float] | None]:
    """Shift of an image by its name: the longest file stem that its base name begins with."""
    from verglas.formats.epu import UnreadableEpu, read_epu_image
    from verglas.formats.mdoc import UnreadableMdoc, read_mdoc

    shifts: dict[str, tuple[float, float]] = {}
    for path in sorted(folder.rglob("*.xml")):
        try:
            shift = read_epu_image(path).beam_shift
        except UnreadableEpu:
            continue
        if shift is not None:
            shifts[path.stem] = shift
    for path in sorted(folder.rglob("*.mdoc")):
        try:
            sections = read_mdoc(path).sections
        except UnreadableMdoc:
            continue
        for section in sections:
            name = section.movie or path.name.removesuffix(".mdoc")
            if section.image_shift is not None:
                shifts[name.rsplit(".", 1)[0]] = section.image_shift

    def shift_of(name: str) -> tuple[float, float] | None:
        stem = Path(name).name.rsplit(".", 1)[0]
        while stem:
            if stem in shifts:
                return shifts[stem]
            stem = stem.rpartition("_")[0]
        return None

    return shift_of
