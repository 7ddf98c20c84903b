"""A paragraph for the Methods section, from what the jobs were told and what they found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from verglas import __version__
from verglas.project.results.accepted import Acceptance, ParticleCounts
from verglas.project.results.micrographs import MicrographTable
from verglas.project.results.settings_used import JobSettings


@dataclass(frozen=True)
class Known:
    """What the sentences may use. `acquisition` is title -> value with its unit."""

    sample: str
    microscope: str
    acquisition: Mapping[str, str]
    accepted: Acceptance | None
    particles: ParticleCounts
    table: MicrographTable | None
    jobs: list[JobSettings]
    best_class_angst: float | None = None
    map_angst: float | None = None


def methods_paragraph(known: Known) -> str:
    """Sentences in the order of the work; what is not known is left out."""
    sentences = [_collected(known)]
    for folder, sentence in _SENTENCES.items():
        job = next((each for each in reversed(known.jobs) if each.name.startswith(folder)), None)
        if job is not None and job.has_results and job.values:
            sentences.append(sentence(known, job.values))
    if len(sentences) > 1:
        sentences.append(f"All steps were done in verglas {__version__}.")
    return " ".join(filter(None, sentences))


def _collected(known: Known) -> str:
    count = known.accepted.found if known.accepted else len(known.table.names) if known.table else 0
    of = f" of {known.sample}" if known.sample else ""
    on = f" on a {known.microscope}" if known.microscope else ""
    facts = ", ".join(f"{title.lower()} {value}" for title, value in known.acquisition.items())
    movies = f"{count:,} movies" if count else "Movies"
    return f"{movies}{of} were collected{on}" + (f" ({facts})." if facts else ".")


def _motion(_known: Known, values: Mapping[str, str]) -> str:
    patches = (values.get("patch_x", "1"), values.get("patch_y", "1"))
    how = "as a whole" if patches == ("1", "1") else f"in {patches[0]} × {patches[1]} patches"
    dose = " and the frames were weighted by dose" if values.get("do_dose_weighting") == "Yes" else ""
    binned = values.get("bin_factor", "1")
    smaller = f", binned {binned} times" if binned not in ("1", "1.0") else ""
    return f"Beam-induced motion was corrected {how}{smaller}{dose}."


def _ctf(known: Known, _values: Mapping[str, str]) -> str:
    text = "Contrast transfer functions were estimated from power spectra of the sums"
    defocus = known.table.columns.get("defocus_u_angst") if known.table else None
    if defocus is not None and np.isfinite(defocus).any():
        low, high = np.nanpercentile(defocus, [1, 99]) / 1e4
        text += f" (defocus {low:.1f} to {high:.1f} µm)"
    accepted = known.accepted
    if accepted and 0 < accepted.accepted < accepted.found:
        text += f"; {accepted.accepted:,} micrographs were kept"
    return text + "."


def _picking(_known: Known, values: Mapping[str, str]) -> str:
    if values.get("do_refs") == "Yes":
        how = "with class averages as templates"
    elif values.get("do_network") == "Yes":
        how = "with a neural network"
    else:
        low, high = values.get("log_diam_min"), values.get("log_diam_max")
        how = f"with a Laplacian-of-Gaussian filter (diameter {low} to {high} Å)"
    return f"Particles were picked {how}."


def _extraction(known: Known, values: Mapping[str, str]) -> str:
    count = f"{known.particles.extracted:,} particles" if known.particles.extracted else "Particles"
    size = f"in boxes of {values.get('extract_size')} pixels"
    scaled = values.get("do_rescale") == "Yes"
    return f"{count} were extracted {size}" + (
        f" scaled to {values.get('rescale')} pixels." if scaled else "."
    )


def _classes(known: Known, values: Mapping[str, str]) -> str:
    by = (
        "variable-metric gradient descent" if values.get("do_grad") == "Yes" else ("expectation maximisation")
    )
    text = (
        f"They were classified in two dimensions into {values.get('nr_classes')} classes by "
        f"regularised-likelihood {by} (T = {values.get('tau_fudge')}, mask diameter "
        f"{values.get('particle_diameter')} Å)"
    )
    if known.best_class_angst:
        text += f"; the best class reached {known.best_class_angst:.1f} Å"
    return text + "."


def _selected(known: Known, values: Mapping[str, str]) -> str:
    if not known.particles.selected or not values.get("fn_model"):
        return ""
    return f"{known.particles.selected:,} particles in well-resolved classes were selected."


def _classes_3d(_known: Known, values: Mapping[str, str]) -> str:
    return (
        f"They were classified in three dimensions into {values.get('nr_classes')} classes "
        f"(symmetry {values.get('sym_name')}, T = {values.get('tau_fudge')})."
    )


def _first_map(_known: Known, values: Mapping[str, str]) -> str:
    return f"An initial model was made from the particles alone (symmetry {values.get('sym_name', 'C1')})."


def _refined(known: Known, values: Mapping[str, str]) -> str:
    text = f"The map was refined in independent halves (symmetry {values.get('sym_name')})"
    if known.map_angst:
        text += f" to {known.map_angst:.2f} Å (Fourier shell correlation 0.143)"
    return text + "."


_SENTENCES: dict[str, Callable[[Known, Mapping[str, str]], str]] = {
    "MotionCorr/": _motion,
    "CtfFind/": _ctf,
    "AutoPick/": _picking,
    "Extract/": _extraction,
    "Class2D/": _classes,
    "Select/": _selected,
    "InitialModel/": _first_map,
    "Class3D/": _classes_3d,
    "Refine3D/": _refined,
}
