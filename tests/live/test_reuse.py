"""What a profile or another project lends to a new session, and what it may not replace."""

from __future__ import annotations

import pytest

from verglas.project.project import Project
from verglas.scheduler.live.record.order import LiveOrder
from verglas.scheduler.live.requests.facts import Fact, Intake
from verglas.scheduler.live.requests.first_options import chain_options, set_up
from verglas.scheduler.live.requests.reuse import (
    lend,
    options_like,
    profile_names,
    read_profile,
    write_profile,
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def intake(**facts: float | str | Fact) -> Intake:
    found = Intake("Movies/*.mrc")
    found.facts = {
        key.replace("_", "-"): value if isinstance(value, Fact) else Fact(value, "EPU")
        for key, value in facts.items()
    }
    return found


def last_week() -> dict[str, dict[str, str]]:
    """Options of a session at 0.8 Å, with a corrector and a setting of its user's own."""
    known = intake(
        pixel_size=0.8,
        kv=300.0,
        cs=0.01,
        amplitude_contrast=0.07,
        dose_per_frame=1.2,
        diameter="110,160",
        gain="last_week.mrc",
        gain_rot=1.0,
        thresholds="picks >= 20",
    )
    return chain_options(known, {"MotionCorr": {"bfactor": "300"}, "Extract": {"extract_size": "360"}})


def test_a_profile_gives_what_nobody_recorded_and_replaces_nothing_that_was():
    write_profile("krios2", last_week())
    assert profile_names() == ["krios2"]
    new = intake(
        pixel_size=1.1,
        kv=200.0,
        cs=Fact(2.7, "usual", assumed=True),
        amplitude_contrast=Fact(0.1, "usual", assumed=True),
    )
    options = chain_options(new, lend(new, read_profile("krios2"), "profile krios2"))
    assert new.facts["cs"] == Fact(0.01, "profile krios2")
    assert new.facts["dose-per-frame"].value == 1.2 and new.facts["gain-rot"].value == 1
    assert (options["Import"]["angpix"], options["Import"]["kV"]) == ("1.1", "200")
    assert options["Import"]["Q0"] == "0.07"
    assert options["MotionCorr"]["bfactor"] == "300"
    assert "fn_gain_ref" not in options["MotionCorr"]
    assert options["AutoPick"]["log_diam_max"] == "160"
    assert options["Select"]["thresholds"] == "picks >= 20"
    assert options["Extract"]["extract_size"] == "218"  # of 1.1 Å: not last week's


def test_sizes_stay_where_the_pixel_is_the_same():
    new = intake(pixel_size=0.8, kv=300.0, cs=0.01, amplitude_contrast=0.07)
    options = chain_options(new, lend(new, last_week(), "profile krios2"))
    assert options["Extract"]["extract_size"] == "360"


def test_no_dose_is_lent_by_a_session_that_knew_none():
    known = intake(pixel_size=0.8, kv=300.0, cs=2.7, amplitude_contrast=0.1)
    new = intake(pixel_size=0.8, kv=300.0, cs=2.7, amplitude_contrast=0.1)
    options = chain_options(new, lend(new, chain_options(known, {}), "as in x"))
    assert "dose-per-frame" not in new.facts
    assert options["MotionCorr"]["do_dose_weighting"] == "No"


def test_another_projects_session_is_cloned(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    other = Project.create(tmp_path / "other")
    with pytest.raises(ValueError, match="no live session"):
        options_like(other)
    monkeypatch.chdir(other.root)
    known = intake(
        pixel_size=0.8, kv=300.0, cs=2.7, amplitude_contrast=0.1, dose_per_frame=1.0, diameter="110,160"
    )
    options = chain_options(known, {"CtfFind": {"dfmax": "40000"}, "AutoPick": {"log_invert": "Yes"}})
    set_up(other, LiveOrder(), known, options, classes=True, by_beam_shift=False)
    new = intake(pixel_size=0.8, kv=300.0)
    cloned = chain_options(new, lend(new, options_like(other), "as in ../other"))
    assert cloned["CtfFind"]["dfmax"] == "40000" and cloned["AutoPick"]["log_invert"] == "Yes"
    assert new.facts["cs"].source == "as in ../other"
    assert cloned["Import"]["fn_in_raw"] == "Movies/*.mrc"


def test_masks_follow_the_diameter_of_the_new_session():
    new = intake(pixel_size=0.8, kv=300.0, cs=2.7, amplitude_contrast=0.1, diameter="200,300")
    options = chain_options(new, lend(new, last_week(), "last week"))
    for folder in ("Class2D", "InitialModel", "Refine3D"):
        assert options[folder]["particle_diameter"] == "330"
