"""Options of Auto-picking (pipeline.md §4.5 and §4.24), and what verglas adds."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import COORDINATES, MAP, MICROGRAPHS, PARTICLES, REFERENCES_2D
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, RankOptions

SAMPLINGS = (
    "30 degrees", "15 degrees", "7.5 degrees", "3.7 degrees", "1.8 degrees", "0.9 degrees",
    "0.5 degrees", "0.2 degrees", "0.1 degrees",
)  # fmt: skip


def method_of(options: AutoPickOptions) -> str:
    """Which picker these options ask for: log, topaz, network, ref3d or refs."""
    if options.do_log:
        return "log"
    if options.do_topaz:
        return "topaz"
    if options.do_network:
        return "network"
    return "ref3d" if options.do_ref3d else "refs"


def _log(options: AutoPickOptions) -> bool:
    return method_of(options) == "log"


def _templates(options: AutoPickOptions) -> bool:
    return method_of(options) in ("refs", "ref3d")


def _topaz(options: AutoPickOptions) -> bool:
    return method_of(options) == "topaz"


def _network(options: AutoPickOptions) -> bool:
    return method_of(options) == "network"


def _helix(options: AutoPickOptions) -> bool:
    return _templates(options) and options.do_pick_helical_segments


_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_LOG: dict[str, Any] = {"tab": "Laplacian", "flag_if": _log}
_REF: dict[str, Any] = {"tab": "References", "on_continue": "locked", "flag_if": _templates}
_PICK: dict[str, Any] = {"tab": "autopicking", "flag_if": _templates}
_TOPAZ: dict[str, Any] = {"tab": "Topaz", "flag_if": _topaz}
_HELIX: dict[str, Any] = {"tab": "Helix", "flag_if": _helix}


class AutoPickOptions(RankOptions, QueueOptions):
    """Finding particles in every micrograph of a list."""

    fn_input_autopick: str = option(
        "", label="Input micrographs for autopick:", flag="--i", node=MICROGRAPHS,
        pattern="Input micrographs (*.{star})", help="List of micrographs, with CTF if there is one.",
        **_IO,
    )  # fmt: skip
    angpix: float = option(
        -1.0, label="Pixel size in micrographs (A)", unit="Å", flag="--angpix",
        flag_if=lambda options: options.angpix > 0, minimum=0.3, maximum=5, step=0.1,
        help="Overrides the pixel size of the list; negative: use the list's.", **_IO,
    )  # fmt: skip
    fn_refs_autopick: str = option(
        "", label="2D references:", flag="--ref", node=REFERENCES_2D,
        flag_if=lambda options: method_of(options) == "refs",
        pattern="Input references (*.{star,mrcs})", help="Class averages or other 2D templates.",
        **_IO,
    )  # fmt: skip
    do_refs: bool = option(
        False, label="Use reference-based template-matching?",
        help="Templates are also used when no other method is chosen, as in RELION 3.1.", **_IO,
    )  # fmt: skip
    do_ref3d: bool = option(
        False, label="OR: provide a 3D reference?", help="Use projections of a map as templates.",
        **_IO,
    )  # fmt: skip
    fn_ref3d_autopick: str = option(
        "", label="3D reference:", flag="--ref", node=MAP,
        flag_if=lambda options: method_of(options) == "ref3d", pattern="Input reference (*.{mrc})",
        help="Map whose projections are the templates.", **_IO,
    )  # fmt: skip
    ref3d_symmetry: str = option(
        "C1", label="Symmetry:", flag="--sym",
        flag_if=lambda options: method_of(options) == "ref3d", help="Point group of the map.", **_IO,
    )  # fmt: skip
    ref3d_sampling: str = option(
        "30 degrees", label="3D angular sampling:", flag="--healpix_order", choices=SAMPLINGS,
        flag_if=lambda options: method_of(options) == "ref3d",
        to_flag=lambda value: SAMPLINGS.index(value) + 1,
        help="Angle between neighbouring projections.", **_IO,
    )  # fmt: skip
    do_log: bool = option(
        False, label="OR: use Laplacian-of-Gaussian?", flag="--LoG", flag_if=_log,
        help="Find round blobs of a range of diameters, then learn what the particles look like here.",
        **_IO,
    )  # fmt: skip
    do_topaz: bool = option(
        False, label="OR: use Topaz?", flag="--topaz", flag_if=_topaz,
        help="Call the topaz program installed on this machine.", **_IO,
    )  # fmt: skip
    do_network: bool = option(
        False, label="OR: use a network trained on your picks?", flag="--network",
        help="Small network of verglas' own; train it with `verglas autopick train`.", **_IO,
    )  # fmt: skip
    fn_network: str = option(
        "", label="Trained network:", flag="--network_model", flag_if=_network,
        pattern="Networks (*.npz)", help="File written by `verglas autopick train`.", **_IO,
    )  # fmt: skip
    continue_manual: bool = option(
        False, label="OR: continue manually?", help="Open the picker on the automatic picks.", **_IO
    )

    log_diam_min: float = option(
        200.0, label="Min. diameter for LoG filter (A)", unit="Å", flag="--LoG_diam_min",
        minimum=50, maximum=500, step=10, on_continue="locked",
        help="Smallest diameter of the particles.", **_LOG,
    )  # fmt: skip
    log_diam_max: float = option(
        250.0, label="Max. diameter for LoG filter (A)", unit="Å", flag="--LoG_diam_max",
        minimum=50, maximum=500, step=10, on_continue="locked",
        help="Largest diameter of the particles.", **_LOG,
    )  # fmt: skip
    log_invert: bool = option(
        False, label="Are the particles white?", flag="--Log_invert", on_continue="locked",
        help="Particles brighter than the background (negative stain).", **_LOG,
    )  # fmt: skip
    log_maxres: float = option(
        20.0, label="Maximum resolution to consider (A):", unit="Å", flag="--lowpass",
        minimum=10, maximum=100, step=5, on_continue="locked",
        help="Nothing finer than this is looked at.", **_LOG,
    )  # fmt: skip
    log_adjust_thr: float = option(
        0.0, label="Adjust default threshold (stddev):", unit="σ", flag="--LoG_adjust_threshold",
        minimum=-1, maximum=1, step=0.05,
        help="Moves the automatic threshold: positive for fewer picks, negative for more.", **_LOG,
    )  # fmt: skip
    log_upper_thr: float = option(
        999.0, label="Upper threshold (stddev):", unit="σ", flag="--LoG_upper_threshold",
        minimum=0, maximum=10, step=0.5,
        help="Peaks above this are not particles but ice or dirt; 999: no limit.", tab="Laplacian",
        flag_if=lambda options: _log(options) and options.log_upper_thr < 999,
    )  # fmt: skip

    do_topaz_train: bool = option(
        False, label="Perform topaz training?", flag="--topaz_train",
        help="Train Topaz on picked coordinates or particles.", **_TOPAZ,
    )  # fmt: skip
    topaz_train_picks: str = option(
        "", label="Input picked coordinates for training:", flag="--topaz_train_picks",
        node=COORDINATES, pattern="Input micrographs (*.{star})", tab="Topaz",
        flag_if=lambda options: _topaz(options) and not options.do_topaz_train_parts,
        help="Coordinates of a Manual picking or Auto-picking job.",
    )  # fmt: skip
    do_topaz_train_parts: bool = option(
        False, label="OR train on a set of particles?", help="Train on extracted particles.",
        tab="Topaz",
    )  # fmt: skip
    topaz_train_parts: str = option(
        "", label="Particles STAR file for training:", flag="--topaz_train_parts", node=PARTICLES,
        pattern="Input STAR file (*.{star})", tab="Topaz",
        flag_if=lambda options: _topaz(options) and options.do_topaz_train_parts,
        help="Particles, for example of a good 2D class.",
    )  # fmt: skip
    do_topaz_pick: bool = option(
        False, label="Perform topaz picking?", flag="--topaz_extract",
        help="Pick with the trained or Topaz' general model.", **_TOPAZ,
    )  # fmt: skip
    fn_topaz_exec: str = option(
        "topaz", label="Topaz executable", command=True, flag="--topaz_exe",
        help="Name or path of the topaz program.", **_TOPAZ,
    )  # fmt: skip
    topaz_particle_diameter: float = option(
        -1.0, label="Particle diameter (A)", unit="Å", flag="--particle_diameter",
        minimum=0, maximum=2000, step=20, help="Particle diameter.", **_TOPAZ,
    )  # fmt: skip
    topaz_nr_particles: int = option(
        -1, label="Nr of particles per micrograph:", flag="--topaz_nr_particles", minimum=0,
        maximum=2000, step=20, help="Expected number in a micrograph.", **_TOPAZ,
    )  # fmt: skip
    topaz_model: str = option(
        "", label="Trained topaz model:", flag="--topaz_model", pattern="SAV Files (*.sav)",
        help="Model to pick with; empty: Topaz' general one.", **_TOPAZ,
    )  # fmt: skip
    do_topaz_filaments: bool = option(
        False, label="Pick filaments?", flag="--helix", help="Pick filaments.", **_TOPAZ
    )
    topaz_filament_threshold: str = option(
        "-5", label="Threshold:", flag="--topaz_threshold", help="Score above which a pick counts.",
        **_TOPAZ,
    )  # fmt: skip
    topaz_hough_length: str = option(
        "-1", label="Hough length (A):", unit="Å", help="Length of the lines sought; -1: default.",
        tab="Topaz",
    )  # fmt: skip
    topaz_other_args: str = option(
        "", label="Additional topaz arguments:", command=True, flag="--topaz_args",
        help="Text added to the topaz command.", **_TOPAZ,
    )  # fmt: skip

    lowpass: float = option(
        20.0, label="Lowpass filter references (A)", unit="Å", flag="--lowpass", minimum=10,
        maximum=100, step=5, tab="References", on_continue="locked",
        flag_if=lambda options: _templates(options) and options.lowpass > 0,
        help="Templates are low-pass filtered to this, and the micrographs reduced to match.",
    )  # fmt: skip
    highpass: float = option(
        -1.0, label="Highpass filter (A)", unit="Å", flag="--highpass", minimum=100, maximum=1000,
        step=100, tab="References", on_continue="locked",
        flag_if=lambda options: _templates(options) and options.highpass > 0,
        help="High-pass filter of the micrographs; negative: none (they are normalised locally).",
    )  # fmt: skip
    angpix_ref: float = option(
        -1.0, label="Pixel size in references (A)", unit="Å", flag="--angpix_ref", minimum=0.3,
        maximum=5, step=0.1, tab="References", on_continue="locked",
        flag_if=lambda options: _templates(options) and options.angpix_ref > 0,
        help="Negative: that of the file's header.",
    )  # fmt: skip
    particle_diameter: float = option(
        -1.0, label="Mask diameter (A)", unit="Å", flag="--particle_diameter", minimum=0,
        maximum=2000, step=20, tab="References", on_continue="locked",
        flag_if=lambda options: _templates(options) and options.particle_diameter > 0,
        help="Circle that masks the templates; negative: the template box.",
    )  # fmt: skip
    psi_sampling_autopick: float = option(
        5.0, label="In-plane angular sampling (deg)", unit="°", flag="--ang", minimum=1, maximum=30,
        step=1, help="Step of the in-plane angle (rounded so that it divides 360).", **_REF,
    )  # fmt: skip
    do_invert_refs: bool = option(
        True, label="References have inverted contrast?", flag="--invert",
        help="Particles are white in the templates and dark in the micrographs.", **_REF,
    )  # fmt: skip
    do_ctf_autopick: bool = option(
        True, label="Are References CTF corrected?", flag="--ctf",
        help="Multiply the templates by each micrograph's CTF.", **_REF,
    )  # fmt: skip
    do_ignore_first_ctfpeak_autopick: bool = option(
        False, label="Ignore CTFs until first peak?", flag="--ctf_intact_first_peak",
        help="Leave the templates alone up to the first peak of the CTF.", **_REF,
    )  # fmt: skip

    do_auto_threshold: bool = option(
        True, label="Choose the threshold automatically?", flag="--auto_threshold",
        help="From the statistics of each micrograph's noise; the value below is then not used.",
        **_PICK,
    )  # fmt: skip
    threshold_autopick: float = option(
        0.05, label="Picking threshold:", flag="--threshold", minimum=0, maximum=1, step=0.01,
        help="Least figure of merit, as a fraction of a perfect particle's.", **_PICK,
    )  # fmt: skip
    mindist_autopick: float = option(
        100.0, label="Minimum inter-particle distance (A):", unit="Å", flag="--min_distance",
        minimum=0, maximum=1000, step=20, help="Of two picks nearer than this the better stays.",
        **_PICK,
    )  # fmt: skip
    maxstddevnoise_autopick: float = option(
        1.1, label="Maximum stddev noise:", flag="--max_stddev_noise", minimum=0.9, maximum=1.5,
        step=0.02, help="Areas noisier than this are left out; negative: none.", **_PICK,
    )  # fmt: skip
    minavgnoise_autopick: float = option(
        -999.0, label="Minimum avg noise:", flag="--min_avg_noise", minimum=-2, maximum=0.5,
        step=0.05, tab="autopicking",
        flag_if=lambda options: _templates(options) and options.minavgnoise_autopick > -900,
        help="Areas darker than this are left out; -999: none.",
    )  # fmt: skip
    do_clean_areas: bool = option(
        True, label="Leave out carbon, ice and dirt?", flag="--clean_areas", tab="autopicking",
        help="Detect areas that are not vitreous ice, write the mask, and pick nothing there. Not done for "
        "helices: filaments stand out themselves.",
    )  # fmt: skip
    do_write_fom_maps: bool = option(
        False, label="Write FOM maps?", flag="--write_fom_maps", tab="autopicking",
        help="Every candidate is recorded with its figure of merit in any case; kept for RELION.",
    )  # fmt: skip
    do_read_fom_maps: bool = option(
        False, label="Read FOM maps?", flag="--read_fom_maps", tab="autopicking",
        help="Only apply thresholds anew to the candidates recorded before.",
    )  # fmt: skip
    shrink: float = option(
        0.0, label="Shrink factor:", flag="--shrink", minimum=0, maximum=1, step=0.1,
        on_continue="locked", help="Reduction of the micrographs; 0: what the low-pass allows.",
        **_PICK,
    )  # fmt: skip
    use_gpu: bool = option(
        False, label="Use GPU acceleration?", help="Pick on graphics cards.", tab="autopicking"
    )
    gpu_ids: str = option(
        "", label="Which GPUs to use:", flag="--gpu", tab="autopicking",
        flag_if=lambda options: options.use_gpu, flag_empty=True,
        help="Device numbers; ':' between ranks, ',' within one; empty: all.",
    )  # fmt: skip

    do_pick_helical_segments: bool = option(
        False, label="Pick 2D helical segments?", flag="--helix", tab="Helix", flag_if=_templates,
        on_continue="locked", help="Find segments that line up along tubes.",
    )  # fmt: skip
    do_amyloid: bool = option(
        False,
        label="Pick amyloid segments?",
        flag="--amyloid",
        help="Kept for RELION: all filaments are followed alike.",
        **_HELIX,
    )
    helical_tube_outer_diameter: float = option(
        200.0, label="Tube diameter (A):", unit="Å", flag="--helical_tube_outer_diameter",
        minimum=100, maximum=1000, step=10, help="Outer diameter of the tubes.", **_HELIX,
    )  # fmt: skip
    helical_nr_asu: int = option(
        1, label="Number of unique asymmetrical units:", minimum=1, maximum=100, step=1,
        help="Asymmetric units from one segment to the next.", tab="Helix",
    )  # fmt: skip
    helical_rise: float = option(
        -1.0, label="Helical rise (A):", unit="Å", minimum=0, maximum=100, step=0.01, tab="Helix",
        help="Rise of one asymmetric unit.",
    )  # fmt: skip
    helical_tube_kappa_max: float = option(
        0.1, label="Maximum curvature (kappa):", flag="--helical_tube_kappa_max", minimum=0.05,
        maximum=0.5, step=0.01, **_HELIX,
        help="Largest curvature, as a fraction of that of a circle as large as the references' mask.",
    )  # fmt: skip
    helical_tube_length_min: float = option(
        -1.0, label="Minimum length (A):", unit="Å", flag="--helical_tube_length_min", minimum=100,
        maximum=1000, step=10, help="Shorter tubes are dropped; negative: two diameters.", **_HELIX,
    )  # fmt: skip

    def command_line(self) -> list[str]:
        """RELION's flags; for helices the distance is the length of a step along the tube."""
        words = super().command_line()
        if _helix(self) and "--min_distance" in words:
            step = self.helical_nr_asu * self.helical_rise
            words[words.index("--min_distance") + 1] = f"{step:.10g}"
        return words
