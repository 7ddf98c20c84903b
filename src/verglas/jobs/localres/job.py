"""Local resolution: how good a map is where, and the map filtered accordingly (pipeline.md §4.18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from verglas.formats.atomic import write_text
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.base import Job, JobType
from verglas.jobs.contract.nodes import FINAL_MAP, LOCAL_RESOLUTION_MAP, LOGFILE, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.localres.histogram import write_histogram
from verglas.jobs.localres.options import LocalResOptions
from verglas.jobs.postprocess.tables import RANDOM_CURVE, VERSION, Grid, shell_columns
from verglas.jobs.volumes.half_maps import read_half_maps
from verglas.jobs.volumes.mtf_table import read_mtf
from verglas.jobs.volumes.reading import Volume, read_mask

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.maps.local.resolution import LocalCurves, LocalMaps

_LOCAL = "Local-resolution options"
_EXTRA = (
    Flag("--i", "", "Input name of half1, e.g. run_half1_class001_unfil.mrc", required=True),
    Flag("--i2", "", "Input name of half2 (default: half1 replaced by half2)"),
    Flag("--o", "relion", "Output rootname"),
    Flag("--locres_sampling", 25.0, "Distance of the points (Å)", _LOCAL),
    Flag("--locres_maskrad", -1.0, "Radius of the sphere (Å); by default half the sampling", _LOCAL),
    Flag("--locres_edgwidth", -1.0, "Width of its soft edge (Å); by default the sampling", _LOCAL),
    Flag("--locres_randomize_at", 25.0, "Randomise phases from this resolution on (Å)", _LOCAL),
    Flag("--locres_minres", 50.0, "Lowest local resolution (Å)", _LOCAL),
    Flag("--random_seed", 0, "Seed of the random phases", "Expert options"),
)


class LocalResolution(Job):
    """FSC of soft spheres on a grid; resolutions, a locally filtered map, the curves, a histogram."""

    type: ClassVar[JobType] = JobType("LocalRes", "relion.localres", 16, "Local resolution")
    Options = LocalResOptions
    program: ClassVar[Program] = Program.of(
        "localres",
        LocalResOptions,
        _EXTRA,
        defaults={"--adhoc_bfac": 0.0, "--mtf_angpix": -1.0},
        relion_name="relion_postprocess",
        summary="local resolution of two half maps",
    )

    @classmethod
    def expected_outputs(cls, options: LocalResOptions, directory: str) -> list[Node]:
        found = [
            Node(f"{directory}relion_locres_filtered.mrc", FINAL_MAP),
            Node(f"{directory}relion_locres.mrc", LOCAL_RESOLUTION_MAP),
        ]
        if options.fn_mask:
            found.append(Node(f"{directory}histogram.pdf", LOGFILE, f"{LOGFILE.label}.localres"))
        return found

    @classmethod
    def output_flags(cls, options: LocalResOptions, directory: str, is_continue: bool) -> list[str]:
        return ["--o", f"{directory}relion"]

    @classmethod
    def check(cls, options: LocalResOptions) -> list[str]:
        complaints = [] if options.fn_in else ["One of the 2 unfiltered half-maps: is empty"]
        if options.do_resmap_locres or not options.do_relion_locres:
            complaints.append("ResMap is not run here: answer No to it and Yes to Use Relion?")
        return complaints

    def run(self) -> None:
        import torch

        from verglas.maps.local.resolution import LocalSettings, local_resolution, memory_bytes
        from verglas.maps.shell_correlation import fsc

        flags, context = self.arguments, self.context
        halves = read_half_maps(flags["--i"], flags["--i2"], flags["--angpix"])
        mask = read_mask(flags["--mask"], halves[0]) if flags["--mask"] else None
        settings = LocalSettings(
            halves[0].pixel_size_angst,
            flags["--locres_sampling"],
            max(flags["--locres_maskrad"], 0.0),
            max(flags["--locres_edgwidth"], 0.0),
            flags["--locres_randomize_at"],
            flags["--locres_minres"],
            seed=flags["--random_seed"],
        )
        device = self._device()
        torch.set_num_threads(max(flags["--j"], torch.get_num_threads()))
        context.say(f" Memory needed: {memory_bytes(halves[0].size, settings) / 1e9:.2f} GB on {device}")
        maps = [half.tensor.to(device) for half in halves]
        progress = context.progress
        progress.start("Calculating local resolution ...", len(settings.grid(halves[0].size, "cpu").points))

        def on_progress(done: int, _total: int) -> None:
            progress.update(done)
            context.check_abort()

        sharpened = self._sharpened(halves[0], maps)
        found = local_resolution(maps[0], maps[1], sharpened, settings, on_progress)
        self._write(found, halves[0], fsc(maps[0], maps[1]).cpu(), mask)

    def _device(self) -> str:
        from verglas.compute.devices import devices_in_turn

        return devices_in_turn(self.arguments["--gpu"])[0] if "--gpu" in self.arguments.given else "cpu"

    def _sharpened(self, half: Volume, maps: list[Tensor]) -> Tensor:
        """The mean map with MTF and B-factor, without weights."""
        import torch

        from verglas.fourier import forward, inverse
        from verglas.fourier.radial import weight_radially
        from verglas.maps.postprocessing.sharpening import SharpeningSettings, sharpening_of

        flags = self.arguments
        settings = SharpeningSettings(
            half.pixel_size_angst,
            mtf=read_mtf(flags["--mtf"], flags["--mtf_angpix"]) if flags["--mtf"] else None,
            b_factor_a2=flags["--adhoc_bfac"],
            weight_by_fsc=False,
        )
        spectrum = forward((maps[0] + maps[1]) / 2, 3)
        factors = sharpening_of(spectrum, torch.ones(half.size // 2 + 1), settings).factors
        return inverse(weight_radially(spectrum, factors), half.size, 3)

    def _write(self, found: LocalMaps, half: Volume, unmasked: Tensor, mask: Volume | None) -> None:
        root, pixel = self.arguments["--o"], half.pixel_size_angst
        resolution = found.resolution_angst.cpu().numpy()
        write_mrc(f"{root}_locres.mrc", resolution, pixel)
        write_mrc(f"{root}_locres_filtered.mrc", found.filtered.cpu().numpy(), pixel)
        write_star(f"{root}_locres_fscs.star", _tables(found.curves, unmasked, Grid(half.size, pixel)))
        covered = resolution > 0
        inside = covered if mask is None else covered & (mask.data > 0.5)
        if not inside.any():
            self.context.warn(" WARNING: no window lies within the mask")
            return
        low, middle, high = np.percentile(resolution[inside], [5, 50, 95])
        self.context.say(f" Local resolution: median {middle:.2f} Å, 90 % from {low:.2f} to {high:.2f} Å")
        write_text(f"{root}_locres.cxc", _chimerax(root, low, high))
        if mask is not None:
            write_histogram(resolution[inside], self.context.directory / "histogram.pdf")


def _tables(curves: LocalCurves, unmasked: Tensor, grid: Grid) -> list[StarTable]:
    """One table per point, named by its place (x, y, z) from the box centre."""
    shells = shell_columns(len(unmasked), grid)
    tables = []
    for row, (z, y, x) in enumerate(curves.points.tolist()):
        columns = shells | {
            "rlnFourierShellCorrelationCorrected": curves.true[row].numpy(),
            "rlnFourierShellCorrelationUnmaskedMaps": unmasked.numpy(),
            "rlnFourierShellCorrelationMaskedMaps": curves.masked[row].numpy(),
            RANDOM_CURVE: curves.randomised[row].numpy(),
        }
        name = f"fsc_{x:05d}_{y:05d}_{z:05d}"
        tables.append(StarTable.from_columns(name, columns, version=VERSION))
    return tables


def _chimerax(root: str, low: float, high: float) -> str:
    """Commands for ChimeraX: the surface of the filtered map, coloured by local resolution."""
    name = root.rsplit("/", 1)[-1]
    return (
        f"open {name}_locres_filtered.mrc\nopen {name}_locres.mrc\nhide #2 models\n"
        f"color sample #1 map #2 palette rainbow range {low:.2f},{high:.2f}\n"
    )
