"""CTF estimation: one fit per micrograph, `micrographs_ctf.star` with RELION's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import JobType
from verglas.jobs.contract.micrograph_job import Inputs, Item, MicrographJob, read_micrograph
from verglas.jobs.contract.nodes import LOGFILE, MICROGRAPHS, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.tables import (
    optics_by_group,
    output_root,
    read_list,
    reuse_rows,
    rows_of,
    table_of,
)
from verglas.jobs.ctffind.options import CtfFindOptions

RELIABLE = 0.5  # below this a fit is reported as doubtful
_WRAPPED = "verglas estimates the CTF itself and calls no other program"
_EXTRA = (
    Flag("--o", "", "Output directory", required=True),
    Flag("--only_do_unfinished", False, "Keep micrographs whose fit is there already"),
    Flag("--do_at_most", -1, "Process at most this many micrographs in this call"),
    Flag("--ctffind_exe", "", unneeded=_WRAPPED),
    Flag("--is_ctffind4", False, unneeded=_WRAPPED),
    Flag("--use_gctf", False, unneeded=_WRAPPED),
    Flag("--gctf_exe", "", unneeded=_WRAPPED),
    Flag("--ignore_ctffind_params", False, unneeded=_WRAPPED),
    Flag("--EPA", False, unneeded=_WRAPPED),
    Flag("--extra_gctf_options", "", unneeded=_WRAPPED),
)
SPECTRUM_TILES = 30.0  # independent tiles behind a MotionCorr spectrum, roughly


@dataclass(frozen=True, kw_only=True)
class CtfInputs(Inputs):
    """Micrographs, and their optics as the list has them."""

    optics_table: StarTable


class CtfEstimation(MicrographJob[CtfInputs]):
    """Fits the CTF of every micrograph; doubtful fits are kept and flagged, failures set aside."""

    type: ClassVar[JobType] = JobType(
        "CtfFind", "relion.ctffind", 2, "CTF estimation", incremental=True, list_rank=0, cleaned=("*/*",)
    )
    Options = CtfFindOptions
    program: ClassVar[Program] = Program.of(
        "ctffind",
        CtfFindOptions,
        _EXTRA,
        relion_name="relion_run_ctffind",
        summary="estimate defocus, astigmatism and phase shift of micrographs",
    )

    @classmethod
    def expected_outputs(cls, options: CtfFindOptions, directory: str) -> list[Node]:
        return [
            Node(f"{directory}micrographs_ctf.star", MICROGRAPHS, f"{MICROGRAPHS.label}.ctf"),
            Node(f"{directory}logfile.pdf", LOGFILE, f"{LOGFILE.label}.ctffind"),
        ]

    @classmethod
    def check(cls, options: CtfFindOptions) -> list[str]:
        return [] if options.input_star_mics else ["Input micrographs STAR file is empty"]

    @property
    def title(self) -> str:
        return "Estimating CTF parameters ..."

    def read_inputs(self) -> CtfInputs:
        star, table = read_list(self.arguments["--i"], "micrographs")
        optics = optics_by_group(star)
        items = tuple(Item(row["rlnMicrographName"], row, Path(self._source(row))) for row in rows_of(table))
        return CtfInputs(items=items, optics=optics, optics_table=star["optics"])

    def is_done(self, item: Item) -> bool:
        return self._result_path(item).exists()

    def process(self, item: Item, device: str) -> None:
        from verglas.ctf import Microscope, estimate_ctf

        optics = self.inputs.optics_of(item)
        microscope = Microscope(
            float(optics["rlnVoltage"]),
            float(optics["rlnSphericalAberration"]),
            float(optics["rlnAmplitudeContrast"]),
        )
        pixel = float(optics["rlnMicrographPixelSize"])
        spectrum = self._spectrum(item, pixel, device)
        estimate = estimate_ctf(spectrum, microscope, self._settings(), device)
        root = output_root(item.name, self.context.directory)
        root.parent.mkdir(parents=True, exist_ok=True)
        image = root.with_name(f"{root.name}.ctf")
        write_mrc(image, estimate.diagnostic, spectrum.pixel_size_angst)
        profile = estimate.profile
        curves = StarTable.from_columns(
            "ctf_profile",
            {
                "rlnResolution": profile.frequency,
                "verglasEquiPhaseAverage": profile.spectrum,
                "verglasSquaredCtf": profile.squared_ctf,
                "verglasFitCorrelation": profile.correlation,
            },
        )
        row = self._row(item, estimate.fit, image)
        tables = [curves]
        if self.arguments["--local"]:
            local = self._local(item, estimate.trial, microscope, pixel, device)
            row |= {"verglasTiltAngle": local.tilt_deg, "verglasTiltAxis": local.axis_deg}
            tables.append(_local_table(local))
        write_star(self._result_path(item), [table_of("micrographs", [row]), *tables])

    def listed(self, item: Item) -> Sequence[StarTable]:
        return [self.inputs.optics_table, table_of("micrographs", [self._read_row(item)])]

    def alone(self, item: Item) -> Mapping[str, Sequence[StarTable]]:
        return {"micrographs_ctf.star": self.listed(item)}

    def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        from verglas.jobs.summary.micrograph_log import Summary, write_log
        from verglas.jobs.summary.pictures import ctf_picture

        output = self.context.directory / "micrographs_ctf.star"
        kept = reuse_rows(output, "micrographs", "rlnMicrographName", anew)
        rows = [kept.get(item.name) or self._read_row(item) for item in done]
        for row in rows:
            if float(row["verglasCtfReliability"]) < RELIABLE:
                self.context.warn(
                    f" WARNING: the CTF fit of {row['rlnMicrographName']} is doubtful "
                    f"(reliability {float(row['verglasCtfReliability']):.2f})"
                )
        write_star(output, [self.inputs.optics_table, table_of("micrographs", rows)])
        summary = Summary(
            "CTF estimation",
            {
                "rlnDefocusU": "Defocus U (Å)",
                "rlnCtfAstigmatism": "Astigmatism (Å)",
                "rlnDefocusAngle": "Angle (°)",
                "rlnCtfMaxResolution": "Fit resolution (Å)",
                "rlnCtfFigureOfMerit": "Figure of merit",
                "rlnCtfIceRingDensity": "Ice ring",
                "verglasCtfReliability": "Reliability",
            },
            pictures=ctf_picture,
            worst="verglasCtfReliability",
            worst_is_low=True,
        )
        write_log(self.context.directory / "logfile.pdf", summary, rows)

    def _local(self, item: Item, trial: Any, microscope: Any, pixel: float, device: str) -> Any:
        from verglas.ctf.local import local_defocus

        image = read_mrc(Path(self._image_name(item.row)))
        settings, grid = self._settings(), self.arguments["--local_grid"]
        return local_defocus(image.data, pixel, trial, microscope, settings, grid, device)

    def _settings(self) -> Any:
        from verglas.ctf import CtfSettings

        flags = self.arguments
        return CtfSettings(
            box_size=flags["--Box"],
            resolution_min_angst=flags["--ResMin"],
            resolution_max_angst=flags["--ResMax"],
            defocus_min_angst=flags["--dFMin"],
            defocus_max_angst=flags["--dFMax"],
            defocus_step_angst=flags["--FStep"],
            astigmatism_angst=flags["--dAst"],
            search_phase_shift=flags["--do_phaseshift"],
            phase_min_deg=flags["--phase_min"],
            phase_max_deg=flags["--phase_max"],
            phase_step_deg=flags["--phase_step"],
        )

    def _image_name(self, row: dict[str, Any]) -> str:
        """The micrograph that is fitted."""
        label = "rlnMicrographNameNoDW" if self.arguments["--use_noDW"] else "rlnMicrographName"
        return str(row.get(label, row["rlnMicrographName"]))

    def _source(self, row: dict[str, Any]) -> str:
        """The file the spectrum comes from."""
        given = row.get("rlnCtfPowerSpectrum") if self.arguments["--use_given_ps"] else None
        return str(given or self._image_name(row))

    def _spectrum(self, item: Item, pixel_size_angst: float, device: str) -> Any:
        from verglas.ctf import centred_spectrum, micrograph_spectrum

        if self.arguments["--use_given_ps"] and "rlnCtfPowerSpectrum" in item.row:
            image = read_mrc(item.source)
            return centred_spectrum(image.data, image.pixel_size_angst, SPECTRUM_TILES)
        data = read_micrograph(item)
        window = self.arguments["--ctfWin"]
        if window > 0:
            data = _central_square(data, window)
        return micrograph_spectrum(data, pixel_size_angst, self.arguments["--Box"], device)

    def _row(self, item: Item, fit: Any, image: Path) -> dict[str, Any]:
        """Columns of pipeline.md §5.4 in their order, and our reliability."""
        row: dict[str, Any] = {}
        if "rlnMicrographNameNoDW" in item.row:
            row["rlnMicrographNameNoDW"] = item.row["rlnMicrographNameNoDW"]
        row |= {
            "rlnMicrographName": item.name,
            "rlnOpticsGroup": int(item.row.get("rlnOpticsGroup", 1)),
            "rlnCtfImage": f"{image}:mrc",
            "rlnDefocusU": fit.defocus_u_angst,
            "rlnDefocusV": fit.defocus_v_angst,
            "rlnCtfAstigmatism": fit.astigmatism_angst,
            "rlnDefocusAngle": fit.angle_deg,
            "rlnCtfFigureOfMerit": fit.figure_of_merit,
            "rlnCtfMaxResolution": fit.resolution_angst,
        }
        if self.arguments["--do_phaseshift"]:
            row["rlnPhaseShift"] = fit.phase_shift_deg
        row["rlnCtfIceRingDensity"] = fit.ice_ring
        row["verglasCtfReliability"] = fit.reliability
        return row

    def _read_row(self, item: Item) -> dict[str, Any]:
        return rows_of(read_star(self._result_path(item))["micrographs"])[0]

    def _result_path(self, item: Item) -> Path:
        root = output_root(item.name, self.context.directory)
        return root.with_name(f"{root.name}_ctf.star")


def _local_table(local: Any) -> StarTable:
    """Patch centres (Å from the micrograph's centre), their defocus offsets (Å) and weights."""
    columns = {
        "verglasPatchXAngst": local.centres_xy_angst[:, 0],
        "verglasPatchYAngst": local.centres_xy_angst[:, 1],
        "verglasDefocusOffset": local.offsets_angst,
        "verglasPatchWeight": local.weights,
    }
    return StarTable.from_columns("ctf_local", columns)


def _central_square(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape
    size = min(size, height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : top + size, left : left + size]
