"""Post-processing: the resolution of two half maps, and their sharpened mean (pipeline.md §4.17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verglas.formats.atomic import write_text
from verglas.formats.mrc import write_mrc
from verglas.formats.star import write_star
from verglas.jobs.contract.base import Job, JobFailed, JobType
from verglas.jobs.contract.nodes import FINAL_MAP, LOGFILE, POSTPROCESS, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.postprocess.options import PostProcessOptions
from verglas.jobs.postprocess.plots import write_plots
from verglas.jobs.postprocess.tables import Grid, Result, fsc_xml, postprocess_tables
from verglas.jobs.volumes.half_maps import read_half_maps
from verglas.jobs.volumes.mtf_table import read_mtf
from verglas.jobs.volumes.reading import Volume, read_mask

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.maps.postprocessing.sharpening import SharpeningSettings

MOST_SHARPENING_A2 = 3000.0  # beyond it nothing is left but the last shell
_BYTES_PER_VOXEL = 40  # two maps, a mask, their transforms, one masked pair
_EXPERT = "Expert options"
_EXTRA = (
    Flag("--i", "", "Input name of half1, e.g. run_half1_class001_unfil.mrc", required=True),
    Flag("--i2", "", "Input name of half2 (default: half1 replaced by half2)"),
    Flag("--o", "postprocess", "Output rootname"),
    Flag("--force_mask", False, "Use the mask even where it makes the resolution worse"),
    Flag("--autob_highres", 0.0, "Highest resolution of the B-factor fit (Å); 0: Nyquist"),
    Flag("--randomize_at_fsc", 0.8, "Randomise phases where the unmasked FSC drops below this", _EXPERT),
    Flag("--randomize_at_A", -1.0, "Randomise phases from this resolution on (Å)", _EXPERT),
    Flag("--filter_edge_width", 2, "Width of the low-pass filter's edge (shells)", _EXPERT),
    Flag("--random_seed", 0, "Seed of the random phases", _EXPERT),
    Flag("--verb", 1, "Verbosity", _EXPERT, unneeded="run.out always tells the same"),
    Flag("--inimask_threshold", 0.02, "", unneeded="the automatic mask finds its threshold"),
    Flag("--extend_inimask", 3.0, "", unneeded="the automatic mask finds its extension"),
    Flag("--width_mask_edge", 6.0, "", unneeded="the automatic mask finds its edge"),
)
_DEFAULTS = {"--adhoc_bfac": 0.0, "--low_pass": 0.0, "--mtf_angpix": -1.0}


class PostProcessing(Job):
    """FSC curves freed of the mask's own correlation; MTF, B-factor, weights and filter; what to distrust."""

    type: ClassVar[JobType] = JobType(
        "PostProcess",
        "relion.postprocess",
        15,
        "Post-processing",
        final_map="postprocess.mrc",
        map_rank=1,
        settings_name="post",
    )
    Options = PostProcessOptions
    program: ClassVar[Program] = Program.of(
        "postprocess",
        PostProcessOptions,
        _EXTRA,
        defaults=_DEFAULTS,
        relion_name="relion_postprocess",
        summary="resolution of two half maps and their sharpened mean",
    )

    @classmethod
    def expected_outputs(cls, options: PostProcessOptions, directory: str) -> list[Node]:
        root = f"{directory}postprocess"
        return [
            Node(f"{root}.mrc", FINAL_MAP),
            Node(f"{root}_masked.mrc", FINAL_MAP, f"{FINAL_MAP.label}.masked"),
            Node(f"{directory}logfile.pdf", LOGFILE, f"{LOGFILE.label}.postprocess"),
            Node(f"{root}.star", POSTPROCESS),
        ]

    @classmethod
    def output_flags(cls, options: PostProcessOptions, directory: str, is_continue: bool) -> list[str]:
        return ["--o", f"{directory}postprocess"]

    @classmethod
    def check(cls, options: PostProcessOptions) -> list[str]:
        complaints = [] if options.fn_in else ["One of the 2 unfiltered half-maps: is empty"]
        if not options.fn_mask and not options.do_auto_mask:
            complaints.append("Solvent mask: is empty")
        if options.do_auto_bfac and options.do_adhoc_bfac:
            complaints.append("B-factor: choose the automatic one or your own, not both")
        return complaints

    def run(self) -> None:
        flags, context = self.arguments, self.context
        self._check_flags()
        halves = read_half_maps(flags["--i"], flags["--i2"], flags["--angpix"])
        grid = Grid(halves[0].size, halves[0].pixel_size_angst)
        context.say(f" Memory needed: {_BYTES_PER_VOXEL * grid.size**3 / 1e9:.2f} GB")
        mask_name, mask = self._mask(halves)
        result, mean = self._measured(halves, grid, mask_name, mask)
        notes = self._notes(result)
        self._write_maps(result, halves, mean, mask)
        root = flags["--o"]
        comment = f"verglas postprocess --i {flags['--i']} --o {root}"
        write_star(f"{root}.star", postprocess_tables(result), comments=[comment])
        write_text(f"{root}_fsc.xml", fsc_xml(result.curves.true.numpy(), grid))
        write_plots(result, root, notes)

    def _check_flags(self) -> None:
        flags = self.arguments
        if flags["--auto_bfac"] and "--adhoc_bfac" in flags.given:
            raise JobFailed("--auto_bfac and --adhoc_bfac exclude each other")
        if abs(flags["--adhoc_bfac"]) > MOST_SHARPENING_A2:
            raise JobFailed(
                f"a B-factor of {flags['--adhoc_bfac']:g} Å² leaves nothing of a map: -500 (sharpens) to 500 "
                f"are usual, at most ±{MOST_SHARPENING_A2:g}"
            )
        if flags["--adhoc_bfac"] > 0:
            self.context.warn(" WARNING: a positive B-factor blurs the map; negative ones sharpen")

    def _mask(self, halves: tuple[Volume, Volume]) -> tuple[str, Tensor | None]:
        flags, pixel = self.arguments, halves[0].pixel_size_angst
        if flags["--auto_mask"]:
            from verglas.maps.auto_mask import automatic_mask

            found = automatic_mask(halves[0].tensor, halves[1].tensor, pixel)
            name = f"{flags['--o']}_automask.mrc"
            write_mrc(name, found.mask.numpy(), pixel)
            self.context.say(f" Automatic mask: {found.threshold.reason}")
            for warning in found.warnings:
                self.context.warn(f" WARNING: {warning}")
            return name, found.mask
        if not flags["--mask"]:
            return "", None
        return flags["--mask"], read_mask(flags["--mask"], halves[0]).tensor

    def _measured(
        self, halves: tuple[Volume, Volume], grid: Grid, mask_name: str, mask: Tensor | None
    ) -> tuple[Result, Tensor]:
        """All curves and factors, and the half transform of the mean map."""
        from verglas.maps.postprocessing.half_map_curves import (
            half_map_curves,
            mask_factor,
            particle_fsc,
            weight_factor,
        )
        from verglas.maps.postprocessing.sharpening import sharpening_of

        flags, weight = self.arguments, self.arguments["--molweight"]
        at = flags["--randomize_at_A"]
        curves, mean = half_map_curves(
            halves[0].tensor,
            halves[1].tensor,
            mask,
            randomise_below=flags["--randomize_at_fsc"],
            random_from=int(grid.extent_angst / at) if at > 0 else None,
            force_mask=flags["--force_mask"],
            seed=flags["--random_seed"],
        )
        more: dict[str, Any] = {}
        if mask is not None:
            factor = mask_factor(mask)
            more |= {"mask_factor": factor, "mask_curve": particle_fsc(curves.unmasked, factor)}
        if weight > 0:
            factor = weight_factor(weight, grid.size, grid.pixel_size_angst)
            more |= {
                "molecular_weight_kda": weight,
                "weight_factor": factor,
                "weight_curve": particle_fsc(curves.unmasked, factor),
            }
        sharpening = sharpening_of(mean, curves.true, self._settings(grid))
        names = (halves[0].path, halves[1].path)
        if flags["--model"]:
            more["model_curve"] = self._model_curve(halves[0], mean, mask)
        return Result(grid, names, mask_name, curves, sharpening, **more), mean

    def _settings(self, grid: Grid) -> SharpeningSettings:
        from verglas.maps.postprocessing.sharpening import SharpeningSettings

        flags = self.arguments
        return SharpeningSettings(
            grid.pixel_size_angst,
            mtf=read_mtf(flags["--mtf"], flags["--mtf_angpix"]) if flags["--mtf"] else None,
            b_factor_a2=None if flags["--auto_bfac"] else flags["--adhoc_bfac"],
            fit_from_angst=flags["--autob_lowres"],
            fit_to_angst=flags["--autob_highres"],
            weight_by_fsc=not flags["--skip_fsc_weighting"],
            low_pass_angst=flags["--low_pass"],
            edge_shells=flags["--filter_edge_width"],
        )

    def _model_curve(self, volume: Volume, mean: Tensor, mask: Tensor | None) -> Tensor:
        from verglas.fourier import inverse
        from verglas.jobs.volumes.models import read_model
        from verglas.maps.shell_correlation import fsc
        from verglas.simulate.density import model_density

        model = read_model(self.arguments["--model"], volume)
        density = model_density(model, volume.size, volume.pixel_size_angst)
        map_itself = inverse(mean, volume.size, 3)
        if mask is not None:
            return fsc(density * mask, map_itself * mask)
        return fsc(density, map_itself)

    def _notes(self, result: Result) -> list[str]:
        """What run.out says of the result; complaints go to run.err, too."""
        from verglas.maps.postprocessing.trust import complaints

        grid, sharpening = result.grid, result.sharpening
        notes = [f"Final resolution: {result.resolution_angst:.2f} Å (FSC 0.143)"]
        if result.curves.random_from:
            start = grid.resolution_angst(result.curves.random_from)
            notes.append(f"Phases are random from {start:.2f} Å on")
        notes.append(f"B-factor: {sharpening.b_factor_a2:.1f} Å²")
        if sharpening.fit is not None:
            notes[-1] += f" (line through the Guinier plot, r² = {sharpening.fit.determination:.3f})"
        for note in notes:
            self.context.say(f" {note}")
        found = complaints(result.curves, grid.size, grid.pixel_size_angst)
        for complaint in found:
            self.context.warn(f" WARNING: {complaint}")
        return [*notes, *found]

    def _write_maps(
        self, result: Result, halves: tuple[Volume, Volume], mean: Tensor, mask: Tensor | None
    ) -> None:
        from verglas.fourier import forward, inverse
        from verglas.fourier.radial import weight_radially

        root, grid, factors = self.arguments["--o"], result.grid, result.sharpening.factors
        if self.arguments["--half_maps"]:
            for number, half in enumerate(halves, 1):
                spectrum = weight_radially(forward(half.tensor, 3), factors)
                sharp = inverse(spectrum, grid.size, 3)
                write_mrc(f"{root}_half{number}.mrc", sharp.numpy(), grid.pixel_size_angst)
        sharp = inverse(weight_radially(mean, factors), grid.size, 3)
        write_mrc(f"{root}.mrc", sharp.numpy(), grid.pixel_size_angst)
        if mask is not None:
            write_mrc(f"{root}_masked.mrc", (sharp * mask).numpy(), grid.pixel_size_angst)
