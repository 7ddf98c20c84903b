"""Mutated inputs of every format: refused with an error of their own, or read right, never silently different.

    python benchmarks/fuzz.py                       6,000 mutants of all kinds
    python benchmarks/fuzz.py --only star --count 2000 --seed 3 --keep /tmp/found

A mutant is a small good file with bytes flipped, taken out, put in or doubled, lines removed, joined or
swapped, numbers cut, the end cut off. What a reader makes of it is compared with what a plain second reader
makes of the same bytes (splitting at blanks, mrcfile, tifffile), or with the good file where that one finds
damage. `strange`: an error that is not the format's own. `different`: another result without a word.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any
from xml.etree import ElementTree

import mrcfile
import numpy as np
import tifffile

from verglas.formats.epu import UnreadableEpu, read_epu_image
from verglas.formats.mdoc import UnreadableMdoc, read_mdoc
from verglas.formats.movies import UnreadableMovie, open_movie
from verglas.formats.movies_write import write_movie_eer, write_movie_mrc, write_movie_tiff
from verglas.formats.star import StarError, format_star, read_star
from verglas.formats.star.reading import parse_star
from verglas.jobs.contract.micrograph_names import AmbiguousMicrograph
from verglas.jobs.coordinates.reading import UnreadableCoordinates, X, Y, read_coordinates
from verglas.project.job_star import read_job_star
from verglas.project.pipeline_file import graph_of

DAMAGED = object()  # what a second reader says of a file that is not as the format wants it
MICROGRAPH = "Mics/a.mrc"


class Told(Exception):
    """The reader took the file and says what is odd about it: whoever asked is told."""


_REMARK = r"\s#.*"
_NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Kind:
    """A format: a good file, how it is read, what the second reader finds, and the errors of its own."""

    name: str
    file: str
    content: bytes
    read: Callable[[Path], Any]
    second: Callable[[bytes, Path], Any]
    errors: tuple[type[Exception], ...]


def mutants(content: bytes, count: int, chance: random.Random) -> Iterator[bytes]:
    """Damaged copies, one to three wounds each."""
    for _ in range(count):
        data = content
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            data = chance.choice(_WOUNDS)(data, chance)
        yield data


def _flip(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(max(1, len(data)))
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def _bit(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def _cut_out(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(max(1, len(data)))
    return data[:at] + data[at + chance.choice((1, 2, 5, 40)) :]


def _put_in(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    piece = chance.choice(
        (b"\0", b"\n", b"\n\n", b" ", b"#", b"\r", b"\xef\xbb\xbf", b'"', b"nan", b"_", b"1")
    )
    return data[:at] + piece + data[at:]


def _cut_off(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(max(1, len(data)))]


def _double(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(max(1, len(data)))
    length = chance.choice((1, 8, 60, len(data)))
    return data[: at + length] + data[at : at + length] + data[at + length :]


def _lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, chance.choice(lines))
        case 2:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        case _:
            lines[at : at + 2] = [b" ".join(lines[at : at + 2])]
    return b"\n".join(lines)


def _cut_number(data: bytes, chance: random.Random) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    number = chance.choice(found)
    end = chance.randrange(number.start(), number.end())
    return data[:end] + chance.choice((b"", data[number.end() :], b" " + data[number.end() :]))


_WOUNDS = (_flip, _bit, _cut_out, _put_in, _cut_off, _double, _lines, _cut_number)


# ---- STAR


def plain_star(data: bytes) -> Any:
    """Tables by name as columns of texts, or DAMAGED: nothing but splitting at blanks."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if re.search(r"[\x00-\x06\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|$)|(^|\s)[\"']", text):
        return DAMAGED
    tables: dict[str, dict[str, list[str]]] = {}
    name, labels, rows, state = "", [], [], "outside"

    def close() -> None:
        if state in ("rows", "labels", "closed"):
            tables[name] = {label: [row[n] for row in rows] for n, label in enumerate(labels)}

    for line in text.split("\n"):
        words = (
            line.split()
            if state in ("rows", "list")
            else re.sub(_REMARK if line.lstrip().startswith("data_") else "#.*", "", line).split()
        )
        if state == "named" and line.lstrip().startswith("_"):
            words = line.split()
        if state in ("list", "named") and words and words[0].startswith("#"):
            words = []
        comment = words[:1] == ["#"] or len(words) != len(labels)
        if state == "rows" and line.lstrip().startswith("#") and comment:
            if re.match(r"\s*#\s*version", line):
                state = "closed"
            continue
        if not words:
            state = "closed" if state == "rows" and not line.strip() else state
        elif words[0].startswith("data_") and len(words) == 1 and (state != "rows" or len(labels) > 1):
            close()
            if words[0][5:] in tables:
                return DAMAGED
            name, labels, rows, state = words[0][5:], [], [], "named"
        elif words[0] == "loop_" and state == "named":
            state = "labels"
        elif state in ("named", "list") and words[0].startswith("_"):
            state = "list"
            if len(words) > 2 and words[2].startswith("#"):
                words = words[:2]
            words = [*words, ""] if len(words) == 1 else words  # RELION 2 writes lists so
            if len(words) != 2 or words[0][1:] in tables.get(name, {}):
                return DAMAGED
            tables.setdefault(name, {})[words[0][1:]] = [words[1]]
        elif state == "labels" and words[0].startswith("_") and not rows:
            if len(words) != 1 or words[0][1:] in labels:
                return DAMAGED
            labels.append(words[0][1:])
        elif state in ("labels", "rows"):
            row = line.split()
            if len(labels) == 2 and len(row) == 1 and labels[1].endswith("OptionValue"):
                row.append("")  # RELION reads it so
            extra = row[len(labels) :]
            if len(row) < len(labels) or (extra and not extra[0].startswith("#")) or not labels:
                return DAMAGED
            rows.append(row[: len(labels)])
            state = "rows"
        else:
            return DAMAGED
    if state == "named":
        return DAMAGED
    close()
    return tables


def texts_of(path: Path) -> Any:
    star = read_star(path)
    if star.problems:
        raise Told(star.problems[0])
    return {
        table.name: {label: table.strings(label) for label in table.labels}
        for table in star.values()
        if table.labels
    }


def _laid_out(text: bytes) -> bytes:
    """The tables as RELION lays them out."""
    tables, _ = parse_star(text, "a good file")
    return format_star(tables)


STAR = _laid_out(
    b"""
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnVoltage #3
opticsGroup1            1   300.000000
opticsGroup2            2   200.000000

# version 30001

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnDefocusU #3
Mics/a.mrc            1 10000.125000
Mics/b.mrc            1 11000.250000
Mics/c.mrc            2 12000.375000

"""
)
PIPELINE = _laid_out(
    b"""
# version 30001

data_pipeline_general

_rlnPipeLineJobCounter                       3

# version 30001

data_pipeline_processes

loop_
_rlnPipeLineProcessName #1
_rlnPipeLineProcessAlias #2
_rlnPipeLineProcessType #3
_rlnPipeLineProcessStatus #4
Import/job001/       None            0            2
MotionCorr/job002/       None            1            2

# version 30001

data_pipeline_nodes

loop_
_rlnPipeLineNodeName #1
_rlnPipeLineNodeType #2
Import/job001/movies.star            0

# version 30001

data_pipeline_input_edges

loop_
_rlnPipeLineEdgeFromNode #1
_rlnPipeLineEdgeProcess #2
Import/job001/movies.star MotionCorr/job002/

# version 30001

data_pipeline_output_edges

loop_
_rlnPipeLineEdgeProcess #1
_rlnPipeLineEdgeToNode #2
Import/job001/ Import/job001/movies.star

"""
)
JOB = _laid_out(
    b"""
# version 30001

data_job

_rlnJobType                             2
_rlnJobIsContinue                       0

# version 30001

data_joboptions_values

loop_
_rlnJobOptionVariable #1
_rlnJobOptionValue #2
angpix      1.234
Cs          2.7
kV          300
fn_in_raw   Mics/*.mrc

"""
)


def _pipeline(path: Path) -> Any:
    star = read_star(path)
    if "pipeline_general" not in star:
        raise StarError("no table pipeline_general")  # as read_pipeline, which waits before it gives up
    graph_of(star)
    return texts_of(path)


def _job(path: Path) -> Any:
    settings = read_job_star(path)
    if problems := read_star(path).problems:
        raise Told(problems[0])
    return sorted(settings.options.items())


def _job_second(data: bytes, path: Path) -> Any:
    tables = plain_star(data)
    if tables is DAMAGED:
        return DAMAGED
    values = tables.get("joboptions_values", {})
    keys = values.get("rlnJobOptionVariable", [])
    return sorted(dict(zip(keys, values.get("rlnJobOptionValue", []), strict=False)).items())


# ---- coordinates

PICKS = (
    b"\n# version 30001\n\ndata_\n\nloop_ \n_rlnCoordinateX #1 \n_rlnCoordinateY #2 \n"
    b"_rlnAutopickFigureOfMerit #3 \n  438.269 60.5 0.500000 \n  120.125 90.25 0.700000 \n"
    b"  180.75 200.5 0.100000 \n \n"
)
CBOX = (
    b"\ndata_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n_CoordinateX #1\n_CoordinateY #2\n"
    b"_Width #3\n_Height #4\n_Confidence #5\n44.0 44.0 32 32 0.9\n104.0 74.0 32 32 0.6\n\n"
)
NAMED = b"micrograph_name,x,y\nMics/a.mrc,60.5,61.25\nMics/b.mrc,1,2\nMics/a.mrc,120,90\n"


def _xy(path: Path) -> Any:
    table = read_coordinates(path, MICROGRAPH)
    if table is None:
        return []
    return [(float(x), float(y)) for x, y in zip(table.floats(X), table.floats(Y), strict=True)]


def _floats(*texts: str) -> tuple[float, ...]:
    if any("_" in text or not text.isascii() for text in texts):
        raise ValueError
    return tuple(float(text) for text in texts)


def _picks_second(data: bytes, path: Path) -> Any:
    tables = plain_star(data)
    if not data.strip():
        return []
    if tables is DAMAGED or not data.endswith(b"\n"):
        return DAMAGED
    for columns in tables.values():
        if "rlnCoordinateX" in columns and "rlnCoordinateY" in columns:
            try:
                pairs = zip(columns["rlnCoordinateX"], columns["rlnCoordinateY"], strict=True)
                return [_floats(x, y) for x, y in pairs]
            except ValueError:
                return DAMAGED
    return [] if not any(map(len, tables.values())) else DAMAGED


def _cbox_second(data: bytes, path: Path) -> Any:
    tables = plain_star(data)
    if not data.strip():
        return []
    if tables is DAMAGED or "cryolo" not in tables:
        return DAMAGED
    columns = [tables["cryolo"].get(key, []) for key in ("CoordinateX", "CoordinateY", "Width", "Height")]
    try:
        rows = [_floats(*row) for row in zip(*columns, strict=True)]
    except ValueError:
        return DAMAGED
    return [(x + width / 2, y + height / 2) for x, y, width, height in rows]


def _box_second(data: bytes, path: Path) -> Any:
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines = [line.split() for line in text.split("\n")]
    rows = [words for words in lines if words and not words[0].startswith("#")]
    try:
        read = [_floats(*words[:5]) for words in rows]
        return [(x + int(w) // 2, y + int(h) // 2) for x, y, w, h, *_ in read]
    except (ValueError, OverflowError):
        return DAMAGED


def _csv_second(data: bytes, path: Path) -> Any:
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    lines = [line for line in text.split("\n") if line.strip(" ,") and not line.startswith("#")]
    if len(lines) < 2 or re.search(r'(^|,)\s*"', text, re.M):
        return [] if len(lines) < 2 else DAMAGED
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    head = [cell.lower() for cell in rows[0]]
    if head != ["micrograph_name", "x", "y"] or any(len(row) != 3 for row in rows):
        return DAMAGED
    try:
        found = [(name, *_floats(x, y)) for name, x, y in rows[1:]]
    except ValueError:
        return DAMAGED
    return [(x, y) for name, x, y in found if name == MICROGRAPH] or DAMAGED


def _json_second(data: bytes, path: Path) -> Any:
    try:
        boxes = json.loads(data.decode("utf-8-sig", "surrogateescape"))["boxes"]
        return [(float(box[0]), float(box[1])) for box in boxes]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return DAMAGED


def _cs_content() -> bytes:
    fields = [
        ("location/micrograph_path", "S12"),
        ("location/micrograph_shape", "<u4", (2,)),
        ("location/center_x_frac", "<f4"),
        ("location/center_y_frac", "<f4"),
    ]
    data = np.zeros(3, fields)
    data["location/micrograph_path"] = [b"Mics/a.mrc", b"Mics/b.mrc", b"Mics/a.mrc"]
    data["location/micrograph_shape"] = (300, 400)
    data["location/center_x_frac"], data["location/center_y_frac"] = (0.5, 0.1, 0.25), 0.5
    out = io.BytesIO()
    np.save(out, data)
    return out.getvalue()


def _cs_second(data: bytes, path: Path) -> Any:
    try:
        table = np.load(io.BytesIO(data), allow_pickle=False)
        rows = [row for row in table if row["location/micrograph_path"] == MICROGRAPH.encode()]
        return [
            (
                float(row["location/center_x_frac"]) * row["location/micrograph_shape"][1],
                float(row["location/center_y_frac"]) * row["location/micrograph_shape"][0],
            )
            for row in rows
        ] or DAMAGED
    except Exception:  # any: this one only has to notice
        return DAMAGED


# ---- what the microscope's programs leave

MDOC = b"PixelSpacing = 0.83\nVoltage = 300\n\n" + b"".join(
    b"[ZValue = %d]\nSubFramePath = X:\\d\\%d.tif\nImageShift = %d.5 -1.25\nExposureDose = 40\n\n" % (n, n, n)
    for n in range(3)
)
XML = (
    b'<?xml version="1.0"?>\n<MicroscopeImage>\n<microscopeData><gun><AccelerationVoltage>300000'
    b"</AccelerationVoltage></gun>\n<optics><BeamShift><_x>0.06</_x><_y>-0.15</_y></BeamShift></optics>\n"
    b"</microscopeData>\n</MicroscopeImage>\n"
)


def _mdoc(path: Path) -> Any:
    mdoc = read_mdoc(path)
    shifts = {each.movie: each.image_shift for each in mdoc.sections}
    return shifts, len(mdoc.problems)


def _mdoc_second(data: bytes, path: Path) -> Any:
    return DAMAGED  # judged by `_mdoc_right`


def _xml(path: Path) -> Any:
    image = read_epu_image(path)
    return image.voltage_kv, image.beam_shift


def _xml_second(data: bytes, path: Path) -> Any:
    try:
        root = ElementTree.fromstring(data)
    except Exception:
        return DAMAGED

    def number(name: str) -> float | None:
        found = next((each for each in root.iter() if each.tag.lstrip("_") == name), None)
        with suppress(TypeError, ValueError):
            value = float((found.text or "") if found is not None else "")
            return value if np.isfinite(value) else None
        return None

    voltage, x, y = number("AccelerationVoltage"), number("x"), number("y")
    has_shift = any(each.tag.lstrip("_") == "BeamShift" for each in root.iter())
    shift = (x, y) if has_shift and x is not None and y is not None else None
    return voltage and voltage * 1e-3, shift


# ---- images


def _pixels(path: Path) -> Any:
    movie = open_movie(path, eer_grouping=1)
    if movie.n_frames * movie.shape_yx[0] * movie.shape_yx[1] > 1 << 24:
        return "huge"
    return np.stack([movie.read(index, None) for index in range(movie.n_frames)])


def _mrc_second(data: bytes, path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with mrcfile.open(path, permissive=True) as file:
                pixels = None if file.data is None else np.array(file.data)
        except Exception:
            return DAMAGED
    if pixels is None:
        return DAMAGED
    return pixels if pixels.ndim == 3 else pixels.reshape(-1, *pixels.shape[-2:])


def _tiff_second(data: bytes, path: Path) -> Any:
    try:
        with tifffile.TiffFile(path) as file:
            return np.stack([page.asarray()[::-1] for page in file.pages])
    except Exception:
        return DAMAGED


def _of(write: Callable[[Path], None], file: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / file)
        return (Path(folder) / file).read_bytes()


def kinds() -> list[Kind]:
    """All formats with their good files."""
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 9, (12, 10)).astype(np.int16) for _ in range(3)]
    bytes_ = [frame.astype(np.uint8) for frame in frames]
    events = [np.stack([rng.integers(0, 48, 60), rng.integers(0, 64, 60)], 1) for _ in range(3)]
    mrc = _of(lambda path: write_movie_mrc(path, frames, 1.0), "m.mrc")
    raw = _of(lambda path: write_movie_tiff(path, bytes_, compression="none"), "m.tif")
    lzw = _of(lambda path: write_movie_tiff(path, bytes_, compression="lzw"), "m.tif")
    eer = _of(lambda path: write_movie_eer(path, events, (12, 16)), "m.eer")
    star, picks = (StarError,), (UnreadableCoordinates, AmbiguousMicrograph)

    def stars(data: bytes, path: Path) -> Any:
        return plain_star(data)

    def none(data: bytes, path: Path) -> Any:
        return DAMAGED

    return [
        Kind("star", "l.star", STAR, texts_of, stars, star),
        Kind("pipeline", "default_pipeline.star", PIPELINE, _pipeline, stars, star),
        Kind("job.star", "job.star", JOB, _job, _job_second, star),
        Kind("picks.star", "p.star", PICKS, _xy, _picks_second, picks),
        Kind("cbox", "p.cbox", CBOX, _xy, _cbox_second, picks),
        Kind("box", "p.box", b"44 45 32 32\n104.5 74 30 30\n7 9 32 32\n", _xy, _box_second, picks),
        Kind("csv", "p.csv", NAMED, _xy, _csv_second, picks),
        Kind(
            "json", "p.json", b'{"boxes": [[12.5, 40, "manual"], [7, 8, "auto"]]}', _xy, _json_second, picks
        ),
        Kind("cs", "p.cs", _cs_content(), _xy, _cs_second, picks),
        Kind("mdoc", "m.mdoc", MDOC, _mdoc, _mdoc_second, (UnreadableMdoc,)),
        Kind("xml", "m.xml", XML, _xml, _xml_second, (UnreadableEpu,)),
        Kind("mrc", "m.mrc", mrc, _pixels, _mrc_second, (UnreadableMovie,)),
        Kind("tiff", "m.tif", raw, _pixels, _tiff_second, (UnreadableMovie,)),
        Kind("tiff lzw", "m.tif", lzw, _pixels, _tiff_second, (UnreadableMovie,)),
        Kind("eer", "m.eer", eer, _pixels, none, (UnreadableMovie,)),
    ]


def verdict(kind: Kind, path: Path, good: Any) -> str:
    """`refused`, `right`, `different` or `strange: ...` for the mutant in a file."""
    try:
        found = kind.read(path)
    except (Told, *kind.errors):
        return "refused"
    except Exception as error:
        return f"strange: {type(error).__name__}: {error}"[:160]
    if _same(found, good):
        return "right"
    data = path.read_bytes()
    if kind.name == "mdoc":
        return "right" if _mdoc_right(data, *found) else "different"
    if kind.name == "csv" and _csv_right(data, found):
        return "right"
    if kind.name == "mrc" and _few_pixels(found, good):
        return "right"
    if kind.name == "eer":
        return "right" if _eer_right(found, good) else "different"
    return "right" if _same(found, kind.second(data, path)) else "different"


def _few_pixels(found: Any, good: Any) -> bool:
    """A flipped pixel is a pixel: nothing in the format tells."""
    same_shape = isinstance(found, np.ndarray) and found.shape == good.shape
    return same_shape and int((found != good).sum()) <= 8


def _csv_right(data: bytes, found: Any) -> bool:
    """Where no name is the micrograph's own path: the rows of one that ends as it does."""
    rows = re.findall(r"^(.*/a\.mrc),([^,\n]*),([^,\r\n]*)", data.decode("latin-1"), re.M | re.I)
    names = {name for name, _, _ in rows} - {MICROGRAPH}
    with suppress(ValueError):
        return any(found == [_floats(x, y) for name, x, y in rows if name == mine] for mine in names)
    return False


def _mdoc_right(data: bytes, shifts: dict[str, Any], problems: int) -> bool:
    """Sections that are given are what their lines say; a section that is missing was named."""
    there: list[dict[str, str]] = [{}]
    for line in data.decode("utf-8-sig", "surrogateescape").split("\n"):
        if line.lstrip().startswith("["):
            there.append({})
        key, equals, value = line.partition("=")
        if equals:
            there[-1].setdefault(key.strip(), value.strip())
    _, *sections = there
    lines = []
    for each in sections:
        movie = PureWindowsPath(each.get("SubFramePath", "")).name
        shift: Any = None
        with suppress(ValueError):
            numbers = [float(word) for word in each.get("ImageShift", "").split()]
            if len(numbers) > 1 and np.isfinite(numbers).all():
                shift = (numbers[0], numbers[1])
        lines.append((movie, shift))
    movies = {movie for movie, _ in lines}
    told = all(
        (movie, shift) in lines or (problems and (not movie or (shift is None and movie in movies)))
        for movie, shift in shifts.items()
    )
    return told and (len(movies) == len(shifts) or problems > 0)


def _eer_right(found: Any, good: Any) -> bool:
    """Electrons may change their places within a frame that ends where it should; its size may not."""
    return isinstance(found, np.ndarray) and found.shape[1:] == good.shape[1:]


def _same(a: Any, b: Any) -> bool:
    if a is DAMAGED or b is DAMAGED:
        return False
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return False
    if isinstance(a, list) and isinstance(b, list) and all(map(_is_place, a)):
        return len(a) == len(b) and bool(np.allclose(a, b, rtol=1e-6, atol=0, equal_nan=True))
    return bool(a == b)


def _is_place(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, float) for each in value)


def fuzz(count: int, seed: int, only: str = "", keep: Path | None = None) -> dict[str, Counter[str]]:
    """Verdicts by kind over `count` mutants in all; those that are neither right nor refused are kept."""
    chosen = [kind for kind in kinds() if only in kind.name]
    chance = random.Random(seed)
    tally: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in chosen:
            path = Path(folder) / kind.file
            path.write_bytes(kind.content)
            good = kind.read(path)
            counted = tally.setdefault(kind.name, Counter())
            for number, data in enumerate(mutants(kind.content, -(-count // len(chosen)), chance)):
                path.unlink()
                path.write_bytes(data)
                found = verdict(kind, path, good)
                counted[found] += 1
                if keep is not None and found not in ("right", "refused"):
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{kind.name.replace(' ', '_')}-{number}-{kind.file}").write_bytes(data)
    return tally


def main() -> int:
    """Returns 1 if a mutant was read differently or raised what is not the format's own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", type=Path)
    flags = parser.parse_args()
    start = time.monotonic()
    tally = fuzz(flags.count, flags.seed, flags.only, flags.keep)
    bad = 0
    for name, counted in tally.items():
        print(
            f"{name:<12} {sum(counted.values()):6}   "
            + ", ".join(f"{n} {what}" for what, n in counted.most_common())
        )
        bad += sum(n for what, n in counted.items() if what not in ("right", "refused"))
    total = sum(sum(counted.values()) for counted in tally.values())
    print(f"{total} mutants in {time.monotonic() - start:.0f} s, {bad} neither refused nor right")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
