"""From our tables back to a `.cs` dataset."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from verglas.formats.cryosparc.dataset import CsError, dtype_with, rows_of_uids
from verglas.formats.cryosparc.poses import vectors_from_eulers
from verglas.formats.cryosparc.to_tables import (
    ALIGNMENTS,
    DEGREE_FIELDS,
    GROUP_PREFIX,
    OPTICS_FIELDS,
    PLAIN_FIELDS,
    UID,
)
from verglas.formats.star.table import StarTable

_WIDE = np.dtype(np.float32)
_COUNT = np.dtype(np.uint32)


def cs_from_tables(
    optics: StarTable, particles: StarTable, *, template: np.ndarray | None = None, flip_y: bool = False
) -> np.ndarray:
    """The particles as a structured array; what only cryoSPARC knows comes from `template`.

    Particles without a uid column get uids counted from 1. With `template`, rows are matched by
    uid, its columns keep their types and order, and columns that both know are replaced. `flip_y`
    as it was on the way here. Raises CsError, and StarError for missing columns.
    """
    uids = particles.strings(UID) if UID in particles else [str(n + 1) for n in range(len(particles))]
    fields = {"uid": np.array([int(uid) for uid in uids], np.uint64)}
    fields |= _blob(particles, optics)
    fields |= _ctf(particles, optics)
    kind = _alignment_kind(particles, template)
    if kind is not None:
        fields |= _alignment(particles, kind, _pixel_size(fields, kind, template))
    if "rlnCoordinateX" in particles:
        fields |= _location(particles, template, fields["uid"], flip_y)
    return _assembled(fields, template)


def _assembled(fields: Mapping[str, np.ndarray], template: np.ndarray | None) -> np.ndarray:
    if template is None:
        plain = np.dtype([(name, values.dtype, values.shape[1:]) for name, values in fields.items()])
        made = np.empty(len(fields["uid"]), plain)
    else:
        known = template.dtype.names or ()
        rows = rows_of_uids(template["uid"], fields["uid"])
        added = [(n, np.dtype((v.dtype, v.shape[1:]))) for n, v in fields.items() if n not in known]
        made = np.empty(len(rows), dtype_with(template.dtype, added))
        for name in known:
            made[name] = template[name][rows]
    for name, values in fields.items():
        if values.dtype.kind == "S":
            made = _with_paths(
                made, name, values, template is not None and name in (template.dtype.names or ())
            )
        else:
            made[name] = values
    return made


def _with_paths(made: np.ndarray, name: str, values: np.ndarray, had: bool) -> np.ndarray:
    """Set paths, wherever they changed: the `>` of a link into an import job stays."""
    old = made[name] if had else np.zeros(len(made), "S1")
    same = np.char.lstrip(old, b">") == np.char.lstrip(values, b">")
    new = np.where(same, old, values)
    if new.dtype.itemsize > made.dtype[name].itemsize:
        fields = [(n, new.dtype if n == name else made.dtype[n]) for n in made.dtype.names or ()]
        made = made.astype(np.dtype(fields))
    made[name] = new
    return made


def _of_group(optics: StarTable, particles: StarTable, values: np.ndarray) -> np.ndarray:
    """A value per optics group, spread over the particles."""
    row_of = {group: row for row, group in enumerate(optics.ints("rlnOpticsGroup").tolist())}
    try:
        rows = [row_of[group] for group in particles.ints("rlnOpticsGroup").tolist()]
    except KeyError as group:
        raise CsError(f"optics group {group} is used but not defined") from None
    return values[rows]


def _blob(particles: StarTable, optics: StarTable) -> dict[str, np.ndarray]:
    names = [name.split("@", 1) for name in particles.strings("rlnImageName")]
    if any(len(parts) != 2 for parts in names):
        raise CsError("rlnImageName must be <number>@<stack> for every particle")
    paths = [path.removesuffix(":mrcs").encode("utf-8", "surrogateescape") for _, path in names]
    fields = {
        "blob/path": np.array(paths, dtype=np.bytes_),
        "blob/idx": np.array([int(number) - 1 for number, _ in names], np.uint32),
    }
    if "rlnImageSize" in optics:
        box = _of_group(optics, particles, optics.ints("rlnImageSize")).astype(np.uint32)
        fields["blob/shape"] = np.stack([box, box], axis=1)
    return fields


def _ctf(particles: StarTable, optics: StarTable) -> dict[str, np.ndarray]:
    fields = {}
    for label, field in OPTICS_FIELDS.items():
        if label in optics:
            fields[field] = _of_group(optics, particles, optics.floats(label)).astype(_WIDE)
    if "rlnOpticsGroupName" in optics:
        numbers = zip(optics.strings("rlnOpticsGroupName"), optics.ints("rlnOpticsGroup").tolist())
        ids = np.array([_exposure_group(name, number) for name, number in numbers], np.uint32)
        fields["ctf/exp_group_id"] = _of_group(optics, particles, ids)
    for label, field in PLAIN_FIELDS.items():
        if label in particles:
            fields[field] = particles.floats(label).astype(_WIDE)
    for label, field in DEGREE_FIELDS.items():
        if label in particles:
            fields[field] = np.radians(particles.floats(label)).astype(_WIDE)
    if "rlnBeamTiltX" in optics:
        tilt = np.stack([optics.floats("rlnBeamTiltX"), optics.floats("rlnBeamTiltY")], axis=1)
        length = np.sin(tilt / 1e3) * optics.floats("rlnSphericalAberration")[:, None] * 1e7
        fields["ctf/tilt_A"] = _of_group(optics, particles, length).astype(_WIDE)
    return fields


def _exposure_group(name: str, number: int) -> int:
    """The exposure group a name of ours remembers, or the number of the optics group."""
    digits = name.removeprefix(GROUP_PREFIX).split("-")[0]
    return int(digits) if name.startswith(GROUP_PREFIX) and digits.isdigit() else number


def _alignment_kind(particles: StarTable, template: np.ndarray | None) -> str | None:
    if template is not None:
        for kind in ALIGNMENTS:
            if f"{kind}/pose" in (template.dtype.names or ()):
                return kind
    if "rlnAngleRot" in particles:
        return "alignments3D"
    return "alignments2D" if "rlnOriginXAngst" in particles else None


def _pixel_size(fields: Mapping[str, np.ndarray], kind: str, template: np.ndarray | None) -> np.ndarray:
    """Pixel size (rows,) that the shifts are counted in: the template's, or that of the images."""
    name = f"{kind}/psize_A"
    if template is None or name not in (template.dtype.names or ()):
        return fields["blob/psize_A"]
    return template[name][rows_of_uids(template["uid"], fields["uid"])]


def _alignment(particles: StarTable, kind: str, pixel_size: np.ndarray) -> dict[str, np.ndarray]:
    psi = particles.floats("rlnAnglePsi")
    if kind == "alignments3D":
        eulers = np.stack([particles.floats("rlnAngleRot"), particles.floats("rlnAngleTilt"), psi], axis=1)
        pose = vectors_from_eulers(eulers)
    else:
        pose = np.radians(psi)
    shift = np.stack([particles.floats("rlnOriginXAngst"), particles.floats("rlnOriginYAngst")], axis=1)
    shift = shift / pixel_size.astype(np.float64)[:, None]
    fields = {f"{kind}/pose": pose.astype(_WIDE), f"{kind}/shift": shift.astype(_WIDE)}
    fields[f"{kind}/psize_A"] = pixel_size.astype(_WIDE)
    for label, field in (("rlnClassNumber", "class"), ("rlnRandomSubset", "split")):
        if label in particles:
            fields[f"{kind}/{field}"] = (particles.ints(label) - 1).astype(_COUNT)
    return fields


def _location(
    particles: StarTable, template: np.ndarray | None, uids: np.ndarray, flip_y: bool
) -> dict[str, np.ndarray]:
    """Fractions of the micrograph; its shape is only in the template, without which they stay out."""
    if template is None or "location/micrograph_shape" not in (template.dtype.names or ()):
        return {}
    shape = template["location/micrograph_shape"][rows_of_uids(template["uid"], uids)].astype(np.float64)
    y = particles.floats("rlnCoordinateY") / shape[:, 0]
    fields = {
        "location/center_x_frac": (particles.floats("rlnCoordinateX") / shape[:, 1]).astype(_WIDE),
        "location/center_y_frac": ((1 - y) if flip_y else y).astype(_WIDE),
    }
    if "rlnMicrographName" in particles:
        names = [name.encode("utf-8", "surrogateescape") for name in particles.strings("rlnMicrographName")]
        fields["location/micrograph_path"] = np.array(names, dtype=np.bytes_)
    return fields
