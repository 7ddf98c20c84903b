"""The table of engine options: all are on the command line, in the settings and in the files of an iteration."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest

from verglas.em.state.model import State
from verglas.em.state.particles import Assignments
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import (
    EmSettings,
    GradientSettings,
    HalvesSettings,
    HelixSettings,
    StreamingSettings,
)
from verglas.formats.star import StarTable
from verglas.jobs.autorefine.job import AutoRefine3D
from verglas.jobs.classification.class2d import Classification2D
from verglas.jobs.classification.class3d import Classification3D
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.initialmodel.job import InitialModel
from verglas.jobs.refine.files.names import RunNames
from verglas.jobs.refine.files.optimiser import optimiser_table
from verglas.jobs.refine.files.output import sampling_tables
from verglas.jobs.refine.files.saved_settings import labelled, saved_settings
from verglas.jobs.refine.options.engine import BY_FLAG, ENGINE_OPTIONS, EngineOption
from verglas.jobs.refine.options.settings import changed_settings, saved_value, settings_of

HALVES = ["--auto_refine", "--split_random_halves"]
PARTS = {
    "gradient": GradientSettings,
    "helix": HelixSettings,
    "halves": HalvesSettings,
    "streaming": StreamingSettings,
}
BEGIN = {
    "gradient": ["--grad"],
    "helix": ["--helix"],
    "halves": HALVES,
    "streaming": [*HALVES, "--streaming"],
}
BESIDE = {"streaming": {"halves": HalvesSettings()}}  # parts that another one needs
# fields that no single flag decides: what kind of run it is, and what follows from the references
NO_OPTION = {"dims", "parity", "blob_init", *PARTS}
# what a new run does where nothing is asked, and the engine's own idea of it
OTHER_DEFAULTS = {"random_seed", "low_res_join_angst", "bimodal_psi"}
MAPS_ONLY = ("symmetry", "relax_symmetry", "limit_tilt_deg", "denovo")
JOBS = (Classification2D, Classification3D, InitialModel, AutoRefine3D)


def named(option: EngineOption) -> str:
    return option.flag or option.field


def other_value(option: EngineOption) -> object:
    """A value that is not the default."""
    special = {
        "symmetry": "D2",
        "relax_symmetry": "C2",
        "precision": "single",
        "adaptive_fraction": 0.5,
        "globally": 0.5,
        "junk_classes": 1,
    }
    if option.name in special:
        return special[option.name]
    if isinstance(option.default, bool):
        return not option.default
    return abs(option.default) + (3 if isinstance(option.default, int) else 1.5)


def parsed(*words: object):
    return Classification2D.program.parse([str(word) for word in words])


def words_for(option: EngineOption) -> list[object]:
    value = other_value(option)
    return [*BEGIN.get(option.part, []), option.flag, *([] if value is True else [value])]


def dims_for(option: EngineOption) -> int:
    return 3 if option.part in ("halves", "streaming") or option.name in MAPS_ONLY else 2


def kept(settings: EmSettings) -> EmSettings:
    """Settings as the files of an iteration hold them."""
    state = State(
        3,
        (SimpleNamespace(current_resolution=0.1),),
        Assignments.start(0),
        Sampling.of(settings, 2.0),
        incr_size=settings.incr_size,
        refs_are_ctf_corrected=settings.refs_are_ctf_corrected,
    )
    model = StarTable.from_columns(
        "model_general",
        {
            "rlnReferenceDimensionality": settings.dims,
            "rlnPixelSize": 2.0,
            "rlnOrientationalPriorMode": 0,
            **labelled(settings, "model"),
        },
        is_list=True,
    )
    return saved_settings(
        optimiser_table(RunNames("Job/run"), settings, state),
        model,
        sampling_tables(settings, state.sampling)[0],
        settings.parity,
    )


FLAGS = [option for option in ENGINE_OPTIONS if option.flag]
KEPT = [option for option in ENGINE_OPTIONS if option.label]


def test_every_field_of_the_settings_is_an_option_and_every_option_a_field():
    known = {option.field for option in ENGINE_OPTIONS}
    expected = {each.name for each in fields(EmSettings)} - NO_OPTION
    for part, kind in PARTS.items():
        expected |= {f"{part}.{each.name}" for each in fields(kind)}
    assert known == expected and len(known) == len(ENGINE_OPTIONS)
    assert len({option.label for option in KEPT}) == len(KEPT)


@pytest.mark.parametrize("option", FLAGS, ids=named)
def test_a_default_is_the_engines(option):
    kind = PARTS.get(option.part, EmSettings)
    default = next(each.default for each in fields(kind) if each.name == option.name)
    assert option.name in OTHER_DEFAULTS or option.default == default


@pytest.mark.parametrize("option", FLAGS, ids=named)
def test_a_flag_reaches_the_settings_of_a_new_run(option):
    if option.name in ("sigma_rot_deg", "sigma_tilt_deg"):
        found = settings_of(parsed(*(w for n in ("rot", "tilt", "psi") for w in (f"--sigma_{n}", 2.5))), 3)
    elif option.flag == "--K":
        found = settings_of(parsed("--K", 4), 2)
    else:
        found = settings_of(parsed(*words_for(option)), dims_for(option))
    assert saved_value(found, option) == other_value(option)


@pytest.mark.parametrize("option", FLAGS, ids=named)
def test_a_run_that_goes_on_heeds_a_flag_or_refuses_it(option):
    before = EmSettings(dims=dims_for(option))
    if option.part:
        before = replace(before, **BESIDE.get(option.part, {}), **{option.part: PARTS[option.part]()})
    begin = {word for words in BEGIN.values() for word in words}
    words = [word for word in words_for(option) if word not in begin]
    if option.fixed:
        with pytest.raises(JobFailed, match="a run that goes on keeps"):
            changed_settings(before, parsed(*words))
        return
    after = changed_settings(before, parsed(*words))
    value = True if option.name == "bimodal_psi" else other_value(option)
    assert saved_value(after, option) == value
    if option.off:
        assert saved_value(changed_settings(after, parsed(option.off)), option) is False


def test_the_psi_step_of_maps_follows_another_order_of_a_run_that_goes_on():
    before = replace(settings_of(parsed("--healpix_order", 1), 3), psi_step_deg=30.0)  # as saved
    after = changed_settings(before, parsed("--healpix_order", 2))
    assert Sampling.of(after, 1.0).psi_step_deg == 15
    asked = changed_settings(before, parsed("--healpix_order", 2, "--psi_step", 20))
    assert Sampling.of(asked, 1.0).psi_step_deg == 20


@pytest.mark.parametrize("option", KEPT, ids=named)
def test_an_option_is_kept_by_the_files_of_an_iteration(option):
    value = other_value(option)
    settings = EmSettings(dims=dims_for(option), psi_step_deg=12.0)
    part = PARTS[option.part]() if option.part else settings
    if option.part == "helix":
        part = replace(part, rise_angst=4.0)
    changed = replace(part, **{option.name: value})
    settings = (
        replace(settings, **BESIDE.get(option.part, {}), **{option.part: changed}) if option.part else changed
    )
    assert kept(settings) == settings


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.type.folder)
def test_a_form_says_to_a_run_that_goes_on_whatever_may_change(job):
    """Off as well as on: a flag that is left out would leave things as they were."""
    going_on = {"fn_cont": f"{job.type.folder}/job001/run_it003_optimiser.star"}
    for key, info in job.Options.infos().items():
        option = BY_FLAG.get(info.flag or "")
        if option is None or option.fixed or info.on_continue != "always":
            continue
        default = job.Options.model_fields[key].default
        others = {bool: not default, int: 7, float: 7.5, str: (info.choices or ("D2",))[0]}
        both = [default, others[type(default)]]
        needs = {"fn_mask": "mask.mrc"} if info.flag == "--solvent_correct_fsc" else {}
        needs |= {"do_local_ang_searches": True} if key == "sigma_angles" else {}
        texts = [job.Options.checked({**going_on, **needs, key: value}) for value in both]
        lines = [job.command_line(options, "X/job001/", True) for options in texts]
        if texts[0].is_active(key):
            assert all(info.flag in line or option.off in line for line in lines), key
            assert lines[0] != lines[1], key


def test_local_searches_and_masks_are_switched_off_for_a_run_that_goes_on():
    going_on = {"fn_cont": "Class3D/job001/run_it003_optimiser.star"}
    words = Classification3D.command_line(Classification3D.Options.checked(going_on), "Class3D/job001/", True)
    for flag, value in (("--sigma_ang", "-1"), ("--solvent_mask", "None"), ("--relax_sym", "None")):
        assert words[words.index(flag) + 1] == value
    local = {**going_on, "do_local_ang_searches": True, "sigma_angles": 6.0}
    words = Classification3D.command_line(Classification3D.Options.checked(local), "Class3D/job001/", True)
    assert words.count("--sigma_ang") == 1 and words[words.index("--sigma_ang") + 1] == "2"
