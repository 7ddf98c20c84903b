"""The chain of job types that a movie goes through by itself, and how each takes what others made."""

from __future__ import annotations

from collections.abc import Mapping

IMPORT, MOTION, CTF, PICKING = "Import", "MotionCorr", "CtfFind", "AutoPick"
SELECTION, EXTRACTION, CLASSES = "Select", "Extract", "Class2D"
INITIAL_MODEL, REFINEMENT, MASK, SHARPENING = "InitialModel", "Refine3D", "MaskCreate", "PostProcess"

STAGES = (MOTION, CTF, PICKING, EXTRACTION)  # movie by movie
MAPS = (INITIAL_MODEL, REFINEMENT, MASK, SHARPENING)  # what may follow, of all particles
FOLDERS = (IMPORT, MOTION, CTF, PICKING, SELECTION, EXTRACTION)
LISTS = {
    IMPORT: "movies.star",
    MOTION: "corrected_micrographs.star",
    CTF: "micrographs_ctf.star",
    PICKING: "coords_suffix_autopick.star",
    SELECTION: "micrographs.star",
    EXTRACTION: "particles.star",
}


def inputs_in_chain(folder: str, jobs: Mapping[str, str], manual_file: str) -> dict[str, str]:
    """Input fields of a job of the chain; `jobs` are those before it, by folder."""

    def output(of: str) -> str:
        return jobs[of] + LISTS[of]

    if folder == MOTION:
        return {"input_star_mics": output(IMPORT)}
    if folder == CTF:
        return {"input_star_mics": output(MOTION)}
    if folder == PICKING:
        return {"fn_input_autopick": output(CTF)}
    if folder == SELECTION:
        return {
            "fn_mic": output(CTF),
            "fn_motion": output(MOTION),
            "fn_picks": output(PICKING),
            "do_thresholds": "Yes",
            "fn_manual": manual_file,
        }
    if folder == EXTRACTION:
        return {"star_mics": output(SELECTION), "coords_suffix": output(PICKING)}
    return {"fn_img": output(EXTRACTION)} if folder == CLASSES else {}
