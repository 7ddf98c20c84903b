"""Which micrograph a name of another list means."""

from __future__ import annotations

import pytest

from verglas.jobs.contract.micrograph_names import AmbiguousMicrograph, MicrographNames

GRIDS = [
    "Mics/grid1/0001.mrc",
    "Mics/grid1/0002.mrc",
    "Mics/grid1/a_0001.mrc",
    "Mics/grid2/0001.mrc",
    "Mics/grid2/0002.mrc",
]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Mics/grid2/0001.mrc", "Mics/grid2/0001.mrc"),
        ("/data/session/grid2/0001.mrc", "Mics/grid2/0001.mrc"),
        ("grid1/0002", "Mics/grid1/0002.mrc"),
        ("CtfFind/job009/Mics/grid2/0002.mrc", "Mics/grid2/0002.mrc"),
        ("a_0001.mrc", "Mics/grid1/a_0001.mrc"),
        ("J3/imported/grid1/012345678901234567890_0002_patch_aligned_doseweighted.mrc", GRIDS[1]),
        ("Mics/grid3/0001.mrc", None),
        ("b_0001.mrc", None),
        ("1_0001.mrc", None),
    ],
)
def test_equal_names_in_two_folders_are_two_micrographs(name: str, meant: str | None) -> None:
    assert MicrographNames(GRIDS).find(name) == meant


def test_a_name_that_fits_two_is_an_error_that_names_both() -> None:
    with pytest.raises(AmbiguousMicrograph, match=r"0001 may mean Mics/grid1/0001.*grid2/0001"):
        MicrographNames(GRIDS).find("0001")


def test_two_names_for_one_micrograph_are_an_error_that_names_both() -> None:
    with pytest.raises(AmbiguousMicrograph, match=r"x/a\.mrc and y/a\.mrc may both mean Mics/a"):
        MicrographNames(["Mics/a.mrc"]).matched(["x/a.mrc", "y/a.mrc"])


def test_a_name_does_not_mean_what_another_one_means_better() -> None:
    names = MicrographNames(["MotionCorr/job005/Movies/a.mrc"])
    found = names.matched(["other/a.mrc", "MotionCorr/job002/Movies/a.mrc"])
    assert found.names == {"MotionCorr/job005/Movies/a.mrc": "MotionCorr/job002/Movies/a.mrc"}
    assert found.strangers == ("other/a.mrc",)


@pytest.mark.parametrize(
    ("name", "own", "same"),
    [
        ("grid1/0001.mrc", "grid2/0001.mrc", False),
        ("Images/Square_7/Data/a.xml", "Movies/Square_9/Data/a.tif", False),
        ("Mics/grid1/0001.mrc", "Mics/grid2/0001.mrc", False),
        ("Mics/meta/0001.xml", "Mics/0001.tif", True),
        ("/abs/mics/0001.mrc", "Import/job001/mics_001/0001.mrc", True),
        ("Import/job002/mics_002/0001_pick.star", "Import/job001/mics_001/0001_pick.mrc", True),
        ("Import/job002/g1_002/0001.mrc", "Import/job001/g2_001/0001.mrc", False),
        ("MotionCorr/job002/Movies/g1/a.mrc", "MotionCorr/job005/Movies/g2/a.mrc", False),
        ("MotionCorr/job002/Movies/g1/a.mrc", "MotionCorr/job005/Movies/g1/a.mrc", True),
        ("Movies/a.tif", "MotionCorr/job005/Movies/a.mrc", True),
    ],
)
def test_folders_tell_files_apart(name: str, own: str, same: bool) -> None:
    assert MicrographNames([own]).find(name) == (own if same else None)


@pytest.mark.parametrize(
    "name",
    [
        "MotionCorr/job002/Movies/s_1.2_fractions.mrc",
        "Movies/s_1.2_fractions.tiff",
        "J3/motioncorrected/0123_s_1.2_fractions_patch_aligned_doseweighted.mrc",
        "s_1.2",
        "elsewhere/s_1_2_Fractions_DW.mrc".replace("F", "f"),
    ],
)
def test_a_micrograph_is_found_by_its_movie(name: str) -> None:
    own = "MotionCorr/job005/Movies/s_1_2_fractions.mrc"
    assert MicrographNames([own, "MotionCorr/job005/Movies/s_1.mrc"]).find(name) == own
