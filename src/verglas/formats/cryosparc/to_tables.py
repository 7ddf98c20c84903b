"""From a `.cs` dataset to an optics table and a particle table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verglas.formats.cryosparc.dataset import CsError
from verglas.formats.cryosparc.poses import eulers_from_vectors
from verglas.formats.star.table import StarTable

UID = "ucsfUid"
"""Column that keeps cryoSPARC's particle number, as pyem writes it; foreign to RELION, kept by it."""

GROUP_PREFIX = "csGroup"

OPTICS_FIELDS = {
    "rlnVoltage": "ctf/accel_kv",
    "rlnSphericalAberration": "ctf/cs_mm",
    "rlnAmplitudeContrast": "ctf/amp_contrast",
    "rlnImagePixelSize": "blob/psize_A",
}
PLAIN_FIELDS = {
    "rlnDefocusU": "ctf/df1_A",
    "rlnDefocusV": "ctf/df2_A",
    "rlnCtfBfactor": "ctf/bfactor",
    "rlnCtfScalefactor": "ctf/scale",
}
DEGREE_FIELDS = {"rlnDefocusAngle": "ctf/df_angle_rad", "rlnPhaseShift": "ctf/phase_shift_rad"}
ALIGNMENTS = ("alignments3D", "alignments2D")
"""Where poses are looked for: the first that is there is used."""


@dataclass(frozen=True)
class CsTables:
    """What both programs know of a set of particles."""

    optics: StarTable
    particles: StarTable


def tables_from_cs(dataset: np.ndarray, *, flip_y: bool = False) -> CsTables:
    """Optics and particles of a dataset (joined with its passthrough files where those are needed).

    `flip_y` mirrors the coordinates: cryoSPARC's own motion correction writes micrographs upside
    down relative to RELION's, imported micrographs are the same. Raises CsError naming a missing
    column. Write with `precision="full"` where the way back must be exact.
    """
    names = dataset.dtype.names or ()
    for needed in ("blob/path", "blob/idx", "blob/psize_A"):
        if needed not in names:
            raise CsError(f"column {needed} is missing: join the passthrough file")
    optics, groups = _optics(dataset)
    columns: dict[str, object] = {UID: [str(uid) for uid in dataset["uid"]]}
    columns |= _coordinates(dataset, flip_y) if "location/center_x_frac" in names else {}
    columns["rlnImageName"] = _image_names(dataset)
    if "location/micrograph_path" in names:
        columns["rlnMicrographName"] = _paths(dataset["location/micrograph_path"])
    columns["rlnOpticsGroup"] = groups
    for label, field in PLAIN_FIELDS.items():
        if field in names:
            columns[label] = dataset[field].astype(np.float64)
    for label, field in DEGREE_FIELDS.items():
        if field in names:
            columns[label] = np.degrees(dataset[field].astype(np.float64))
    columns |= _alignment(dataset)
    return CsTables(StarTable.from_columns("optics", optics), StarTable.from_columns("particles", columns))


def _optics(dataset: np.ndarray) -> tuple[dict[str, object], list[int]]:
    """One group per exposure group and combination of constants, numbered by first appearance."""
    names = dataset.dtype.names or ()
    there = {label: field for label, field in OPTICS_FIELDS.items() if field in names}
    exposure = dataset["ctf/exp_group_id"] if "ctf/exp_group_id" in names else np.zeros(len(dataset), int)
    box = dataset["blob/shape"][:, -1] if "blob/shape" in names else None
    tilt = _beam_tilt(dataset)
    values: dict[str, list[float]] = {label: dataset[field].tolist() for label, field in there.items()}
    values |= {label: column.tolist() for label, column in tilt.items()}
    if box is not None:
        values["rlnImageSize"] = box.tolist()
    keys = list(zip(exposure.tolist(), *values.values()))
    group_of = {key: n for n, key in enumerate(dict.fromkeys(keys), 1)}
    first_rows: dict[int, int] = {}
    groups = [group_of[key] for key in keys]
    for row, group in enumerate(groups):
        first_rows.setdefault(group, row)
    table: dict[str, object] = {
        "rlnOpticsGroup": list(first_rows),
        "rlnOpticsGroupName": [f"{GROUP_PREFIX}{exposure[row]}" for row in first_rows.values()],
    }
    table |= {label: [column[row] for row in first_rows.values()] for label, column in values.items()}
    if box is not None:
        table["rlnImageDimensionality"] = [2] * len(first_rows)
    table["rlnOpticsGroupName"] = _distinct(table["rlnOpticsGroupName"])  # type: ignore[arg-type]
    return table, groups


def _distinct(names: list[str]) -> list[str]:
    """Names of groups that share an exposure group get `-2`, `-3` behind them."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return distinct


def _beam_tilt(dataset: np.ndarray) -> dict[str, np.ndarray]:
    """Beam tilt (mrad) from cryoSPARC's length Cs sin(tilt), where one is set and Cs is not 0."""
    names = dataset.dtype.names or ()
    if "ctf/tilt_A" not in names or not np.any(dataset["ctf/tilt_A"]) or not np.all(dataset["ctf/cs_mm"]):
        return {}
    cs_angst = dataset["ctf/cs_mm"].astype(np.float64) * 1e7
    tilt = np.arcsin(dataset["ctf/tilt_A"].astype(np.float64) / cs_angst[:, None]) * 1e3
    return {"rlnBeamTiltX": tilt[:, 0], "rlnBeamTiltY": tilt[:, 1]}


def _image_names(dataset: np.ndarray) -> list[str]:
    """`000001@stack`; RELION takes `.mrc` for a map unless `:mrcs` says otherwise."""
    paths = _paths(dataset["blob/path"])
    return [
        f"{index + 1:06d}@{path}{':mrcs' if path.endswith('.mrc') else ''}"
        for index, path in zip(dataset["blob/idx"].tolist(), paths)
    ]


def _paths(column: np.ndarray) -> list[str]:
    """Paths as text, without the `>` that marks a link into an import job."""
    return [path.decode("utf-8", "surrogateescape").removeprefix(">") for path in column.tolist()]


def _coordinates(dataset: np.ndarray, flip_y: bool) -> dict[str, object]:
    """Pixels of the micrograph, from fractions of its (height, width)."""
    shape = dataset["location/micrograph_shape"].astype(np.float64)
    y_fraction = dataset["location/center_y_frac"].astype(np.float64)
    y = ((1 - y_fraction) if flip_y else y_fraction) * shape[:, 0]
    return {"rlnCoordinateX": dataset["location/center_x_frac"] * shape[:, 1], "rlnCoordinateY": y}


def _alignment(dataset: np.ndarray) -> dict[str, object]:
    names = dataset.dtype.names or ()
    kind = next((kind for kind in ALIGNMENTS if f"{kind}/pose" in names), None)
    if kind is None:
        return {}
    pose = dataset[f"{kind}/pose"].astype(np.float64)
    if pose.ndim == 2:
        eulers = eulers_from_vectors(pose)
        columns: dict[str, object] = {"rlnAngleRot": eulers[:, 0], "rlnAngleTilt": eulers[:, 1]}
        columns["rlnAnglePsi"] = eulers[:, 2]
    else:
        columns = {"rlnAnglePsi": np.degrees(pose)}
    pixel_size = f"{kind}/psize_A" if f"{kind}/psize_A" in names else "blob/psize_A"
    shift = dataset[f"{kind}/shift"].astype(np.float64) * dataset[pixel_size].astype(np.float64)[:, None]
    columns |= {"rlnOriginXAngst": shift[:, 0], "rlnOriginYAngst": shift[:, 1]}
    if f"{kind}/class" in names:
        columns["rlnClassNumber"] = dataset[f"{kind}/class"].astype(np.int64) + 1
    if f"{kind}/split" in names:
        columns["rlnRandomSubset"] = dataset[f"{kind}/split"].astype(np.int64) + 1
    return columns
