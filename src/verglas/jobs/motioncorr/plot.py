"""The drift plot of one movie, `<root>_shifts.eps`: written as PostScript text, which costs no time."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]
WIDTH, HEIGHT, MARGIN = 420.0, 420.0, 46.0


def drift_eps(
    title: str,
    track_xy_angst: Sequence[Point],
    patch_tracks: Sequence[tuple[Point, Sequence[Point]]] = (),
    shape_xy: Point = (1.0, 1.0),
) -> str:
    """The global track in the middle (dots at frames, the first one larger); patch tracks where they are.

    `patch_tracks` pairs a patch's centre, in pixels of the frame of `shape_xy`, with its total track in
    Angstrom. Patch tracks and the global one share the scale of the bar. Rows run downwards.
    """
    longest = max((max(abs(x), abs(y)) for x, y in track_xy_angst), default=0.0) or 1.0
    for _, track in patch_tracks:
        longest = max([longest, *(max(abs(x), abs(y)) for x, y in track)])
    room = (WIDTH - 2 * MARGIN) / (2.0 if not patch_tracks else 4.0)
    scale = room / longest
    lines = [
        "%!PS-Adobe-3.0 EPSF-3.0",
        f"%%BoundingBox: 0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        "/Helvetica findfont 9 scalefont setfont",
        f"{MARGIN} {MARGIN} {WIDTH - 2 * MARGIN} {HEIGHT - 2 * MARGIN} rectstroke",
        f"{MARGIN} {HEIGHT - MARGIN + 12} moveto ({_escaped(title)}) show",
        *_scale_bar(scale, longest),
    ]
    for (x, y), track in patch_tracks:
        centre = (
            MARGIN + (WIDTH - 2 * MARGIN) * x / shape_xy[0],
            HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * y / shape_xy[1],
        )
        lines += _path(centre, track, scale, "0.2 0.2 0.8", 1.2)
    lines += _path((WIDTH / 2, HEIGHT / 2), track_xy_angst, scale, "0.8 0.1 0.1", 2.0)
    return "\n".join([*lines, "showpage", "%%EOF", ""])


def _path(centre: Point, track: Sequence[Point], scale: float, colour: str, radius: float) -> list[str]:
    points = [(centre[0] + scale * x, centre[1] - scale * y) for x, y in track]
    lines = [f"{colour} setrgbcolor 0.7 setlinewidth newpath"]
    lines += [f"{x:.2f} {y:.2f} {'lineto' if n else 'moveto'}" for n, (x, y) in enumerate(points)]
    lines.append("stroke")
    for n, (x, y) in enumerate(points):
        lines.append(f"newpath {x:.2f} {y:.2f} {radius * (1.0 if n else 2.0):.2f} 0 360 arc fill")
    return [*lines, "0 setgray"]


def _scale_bar(scale: float, longest: float) -> list[str]:
    """A bar of a round length."""
    length = 10.0 ** len(str(int(longest))) / 10.0 if longest >= 1 else 0.1
    end = MARGIN + 10 + scale * length
    return [
        f"newpath {MARGIN + 10} {MARGIN - 14} moveto {end:.2f} {MARGIN - 14} lineto stroke",
        f"{end + 6:.2f} {MARGIN - 17} moveto ({length:g} Angstrom) show",
    ]


def _escaped(text: str) -> str:
    printable = "".join(char if 32 <= ord(char) < 127 else "?" for char in text)
    return printable.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
