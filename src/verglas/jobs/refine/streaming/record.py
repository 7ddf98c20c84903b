"""`run_stream.npz`: everything that an update begins with, in one file that changes over at once.

It is written last: an update that is killed before has done nothing, and is done again from the same state. The line
of the history is in it, too, so that none is lost or there twice.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from verglas.formats.atomic import atomic_write
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.refine.streaming.identity import Ints, Stamp

if TYPE_CHECKING:
    from verglas.em.state.model import Model
    from verglas.em.state.particles import OpticsGroup, Particles
    from verglas.em.streaming.update import Kept
    from verglas.fourier.lattice import Lattice

VERSION = 2
CTF = (
    "defocus_u_angst",
    "defocus_v_angst",
    "defocus_angle_deg",
    "phase_shift_deg",
    "b_factor_a2",
    "ctf_scale",
)
_ARRAYS = (
    "class_weights", "direction_weights", "class_offsets_angst", "sigma2_noise", "tau2", "data_vs_prior",
    "sigma2_reference", "coverage", "scale", "accuracy_rot_deg", "accuracy_shift_angst", "orientability",
    "gold_standard_fsc",
)  # fmt: skip
_NUMBERS = (
    "pixel_size_angst", "sigma_offset_angst", "norm_average", "current_resolution", "current_size",
    "log_likelihood", "average_p_max",
)  # fmt: skip
_NOT_COUNTERS = ("models", "assignments", "sampling", "moments")


@dataclass(frozen=True)
class Known:
    """What the particles of the last update are known by; n rows as in the ledger."""

    keys: tuple[str, ...]
    names: tuple[str, ...]  # of images
    half: Ints
    group: Ints  # optics group
    ctf: npt.NDArray[np.float64]  # (n, 6) as of CTF
    optics: tuple[OpticsGroup, ...]
    scale_groups: tuple[str, ...]
    stamps: dict[str, Stamp]  # of stacks


@dataclass(frozen=True)
class Record:
    """The state between two updates."""

    kept: Kept
    known: Known
    settings: dict[str, Any]  # what cannot change
    history: str  # the line of the last update


def record_file(root: str) -> str:
    """Where the state of a run with this root name is."""
    return f"{root}_stream.npz"


def ctf_columns(particles: Particles) -> npt.NDArray[np.float64]:
    """(n, 6): what beside the optics decides a particle's CTF."""
    return np.stack([getattr(particles, name) for name in CTF], 1)


def write_record(path: str, record: Record) -> None:
    """Write it; the old one is there until the new one is complete."""
    kept, known = record.kept, record.known
    about = {
        "version": VERSION,
        "number": kept.number,
        "settings": record.settings,
        "history": record.history,
        "optics": [dataclasses.asdict(group) for group in known.optics],
        "scale_groups": known.scale_groups,
        "stamps": known.stamps,
        "sampling": dataclasses.asdict(kept.state.sampling),
        "counters": _counters(kept),
        "models": [{name: getattr(model, name) for name in _NUMBERS} for model in kept.state.models],
    }
    arrays: dict[str, Any] = {f"ledger_{name}": values for name, values in kept.ledger.columns().items()}
    arrays |= {"keys": _texts(known.keys), "names": _texts(known.names)}
    arrays |= {"half": known.half, "group": known.group, "ctf": known.ctf}
    arrays |= {"spectra_noise": kept.spectra.noise, "spectra_norm": kept.spectra.norm_average}
    for number, model in enumerate(kept.state.models):
        arrays |= {f"model{number}_{name}": getattr(model, name) for name in _ARRAYS}
        arrays[f"model{number}_references"] = model.references.float().cpu().numpy()
    for number, sums in enumerate(kept.sums or ()):
        points = _reached(sums.lattice)
        arrays[f"sums{number}_data"] = sums.data.cpu()[:, points].numpy()
        arrays[f"sums{number}_weight"] = sums.weight.cpu()[:, points].numpy()
    with atomic_write(path) as out:
        np.savez(out, about=np.array(json.dumps(about)), **arrays)


def read_record(path: str, device: Any) -> Record | None:
    """The state of the last update; None before the first. Raises JobFailed for a file that is none."""
    if not Path(path).exists():
        return None
    try:
        with open(path, "rb") as handle, np.load(handle) as stored:
            return _record(stored, device)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise JobFailed(
            f"{path}, which holds the sums of the updates so far, cannot be read: {error}; remove it to begin the "
            "map anew"
        ) from error


def _record(stored: Any, device: Any) -> Record:
    from verglas.em.state.model import State
    from verglas.em.state.sampling import Sampling, Steps
    from verglas.em.streaming.ledger import Ledger, Spectra
    from verglas.em.streaming.update import Kept

    about = json.loads(str(stored["about"]))
    if about["version"] != VERSION:
        raise ValueError(f"it is of version {about['version']}, expected {VERSION}")
    ledger = Ledger.of_columns(
        {name.removeprefix("ledger_"): stored[name] for name in stored.files if name.startswith("ledger_")}
    )
    models = tuple(_model(stored, number, each, device) for number, each in enumerate(about["models"]))
    sampling = about["sampling"]
    sampling["asked"] = Steps(**sampling["asked"]) if sampling["asked"] else None
    sampling["local_sigma_deg"] = tuple(sampling["local_sigma_deg"])
    state = State(models=models, assignments=ledger.found, sampling=Sampling(**sampling), **about["counters"])
    known = Known(
        tuple(stored["keys"].tolist()),
        tuple(stored["names"].tolist()),
        stored["half"],
        stored["group"],
        stored["ctf"],
        tuple(_optics(each) for each in about["optics"]),
        tuple(about["scale_groups"]),
        {path: (size, time) for path, (size, time) in about["stamps"].items()},
    )
    spectra = Spectra(stored["spectra_noise"], stored["spectra_norm"])
    kept = Kept(about["number"], state, ledger, spectra, _sums(stored, models[0], about["settings"], device))
    return Record(kept, known, about["settings"], about["history"])


def _sums(stored: Any, model: Model, settings: dict[str, Any], device: Any) -> Any:
    """Sums of both halves; None where there were none."""
    import torch

    from verglas.fourier.backprojector import BackProjector
    from verglas.fourier.lattice import Lattice, padded_size

    if "sums0_data" not in stored.files:
        return None
    box = model.box_size
    lattice = Lattice(3, box // 2, padded_size(box, settings["padding"]) / box)
    points = _reached(lattice)

    def whole(name: str) -> Any:
        part = torch.from_numpy(stored[name])
        values = torch.zeros((1, *lattice.shape), dtype=part.dtype)
        values[:, points] = part
        return values.to(device)

    return tuple(
        BackProjector(box, lattice, whole(f"sums{number}_data"), whole(f"sums{number}_weight"))
        for number in range(2)
    )


def _reached(lattice: Lattice) -> Any:
    """Which points of a lattice slices are added to, (L...) bool: half of the cube around them, which is not stored."""
    return lattice.squared_radius() <= (lattice.padding * lattice.r_max + 2) ** 2


def _model(stored: Any, number: int, numbers: dict[str, Any], device: Any) -> Model:
    import torch

    from verglas.em.state.model import Model

    arrays = {name: stored[f"model{number}_{name}"] for name in _ARRAYS}
    references = torch.from_numpy(stored[f"model{number}_references"]).to(device)
    return Model(references=references, **arrays, **numbers)


def _counters(kept: Kept) -> dict[str, Any]:
    """The plain numbers of the state."""
    state = kept.state
    return {
        entry.name: getattr(state, entry.name)
        for entry in dataclasses.fields(state)
        if entry.name not in _NOT_COUNTERS
    }


def _optics(values: dict[str, Any]) -> OpticsGroup:
    from verglas.em.state.particles import OpticsGroup

    tuples = ("even_zernike", "odd_zernike", "beam_tilt_mrad", "magnification")
    fixed = {name: tuple(values[name]) for name in tuples if values[name] is not None}
    if values["mtf"] is not None:
        fixed["mtf"] = tuple(tuple(part) for part in values["mtf"])
    return OpticsGroup(**(values | fixed))


def _texts(values: tuple[str, ...]) -> npt.NDArray[np.str_]:
    return np.array(values, dtype=np.str_)
