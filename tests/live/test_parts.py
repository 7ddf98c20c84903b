"""The parts of a live session by themselves: settings, queues, watcher, lanes, thresholds, intake."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.epu import (
    UnreadableEpu,
    find_epu_session,
    read_epu_image,
    read_epu_session,
    xml_of_movie,
)
from verglas.formats.mdoc import UnreadableMdoc, read_mdoc
from verglas.formats.movies_write import write_movie_mrc
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.micrograph_names import AmbiguousMicrograph
from verglas.jobs.importing.optics_groups import assign_groups
from verglas.jobs.importing.shift_files import ShiftFiles
from verglas.jobs.select.thresholds import complaints, judge, parse_thresholds
from verglas.maps.average_matching import match_averages
from verglas.optics.groups import ShiftClusters, cluster_shifts, natural_tolerance
from verglas.scheduler.live.record import grouping
from verglas.scheduler.live.record.grouping import BeamShiftGroups
from verglas.scheduler.live.record.ledger import Ledger
from verglas.scheduler.live.record.order import LiveOrder
from verglas.scheduler.live.record.sanity import Stated, check_inputs, find_gain_turn
from verglas.scheduler.live.record.stage_settings import StageSettings, Version
from verglas.scheduler.live.record.status import LiveStatus
from verglas.scheduler.live.requests.facts import NothingFound
from verglas.scheduler.live.requests.intake import look_at_session
from verglas.scheduler.live.requests.movies_found import find_wildcard
from verglas.scheduler.live.session.stage_queues import StageQueues
from verglas.scheduler.live.session.watcher import Watcher
from verglas.scheduler.live.session.worker_lanes import Lanes


def test_settings_say_which_version_a_movie_needs():
    settings = StageSettings({"AutoPick": [Version({"a": "1"})]})
    settings.change("AutoPick", {"a": "2"}, "new")
    settings.change("AutoPick", {"a": "3"}, "5-6")
    assert settings.wanted("AutoPick", 1, 1) == 1
    assert settings.wanted("AutoPick", 1, 0) == 2
    assert settings.wanted("AutoPick", 5, 1) == 3
    assert settings.wanted("AutoPick", 6, 0) == 3
    assert settings.latest("AutoPick") == 2
    settings.change("AutoPick", {"a": "4"}, "all")
    assert [settings.wanted("AutoPick", n, 3) for n in (1, 5)] == [4, 4]
    assert settings.options("AutoPick", 4) == {"a": "4"}


@pytest.mark.parametrize("scope", ["some", "0-3", "5-2", ""])
def test_a_scope_that_is_none_is_named(scope):
    settings = StageSettings({"AutoPick": [Version({})]})
    with pytest.raises(ValueError, match=r"expected new, all|range must"):
        settings.change("AutoPick", {}, scope)


@pytest.mark.parametrize(("first", "order"), [("oldest", [1, 3, 2]), ("newest", [3, 1, 2])])
def test_queues_give_newest_or_oldest_and_late_ones_last(first, order):
    queues = StageQueues(first)
    for number in (3, 1, 3):
        queues.add("CtfFind", number)
    queues.add("CtfFind", 2, late=True)
    assert queues.waiting("CtfFind") == 3
    assert [queues.take("CtfFind") for _ in range(3)] == order
    assert queues.take("CtfFind") is None


def test_a_redone_stage_makes_later_results_stale(tmp_path):
    ledger = Ledger(tmp_path / "movies.jsonl")
    movie = ledger.take("a", "a", "1:1")
    for stage in ("MotionCorr", "CtfFind"):
        ledger.done(movie, stage, 1, 0.1, figures={})
    ledger.done(movie, "MotionCorr", 2, 0.1, figures={})
    assert movie.made == [2, -1, 0, 0]
    other = Ledger(tmp_path / "movies.jsonl")
    assert [each.made for each in other.read()] == [[2, -1, 0, 0]]
    assert other.read() == []


def test_a_device_is_benched_for_three_movies_and_forgiven_for_bad_ones():
    lanes = Lanes(lambda task, device: task, ("cuda:0", "cuda:1"))
    assert lanes.note_fault("cuda:0", 1, "sick") == ""
    assert lanes.note_fault("cuda:0", 1, "sick") == ""
    lanes.forgive(1)
    assert lanes.note_fault("cuda:0", 2, "sick") == ""
    assert lanes.note_fault("cuda:0", 3, "sick") == ""
    assert "benched" in lanes.note_fault("cuda:0", 4, "sick")
    assert {lane.device for lane in lanes.idle()} == {"cuda:1"}


def test_an_order_says_what_is_wrong():
    with pytest.raises(ValueError, match="session name"):
        LiveOrder(name="a b")
    with pytest.raises(ValueError, match="expected newest or oldest"):
        LiveOrder(first="random")
    order = LiveOrder(devices=("cuda:0",), stage_devices={"CtfFind": ("cpu",)})
    assert order.all_devices == ("cuda:0", "cpu")


class TestWatcher:
    def watcher(self, folder: Path, pattern: str = "*.mrc", **fields) -> Watcher:
        return Watcher(f"{folder}/{pattern}", Path("Import/job001"), settle_s=0.0, **fields)

    def test_takes_complete_files_and_says_why_not_others(self, tmp_path, write_movie, monkeypatch):
        monkeypatch.chdir(tmp_path)
        whole = write_movie(tmp_path / "in/a.mrc").read_bytes()
        (tmp_path / "in/b.mrc").write_bytes(whole[:-7])
        (tmp_path / "in/empty.mrc").touch()
        (tmp_path / "in/.hidden.mrc").write_bytes(whole)
        write_movie(tmp_path / "in/wide.mrc", size=24)
        (tmp_path / "in/gone.mrc").symlink_to("nowhere")
        watcher = self.watcher(Path("in"))
        assert [new.raw.name for new in watcher.look()] == ["in/a.mrc"]
        reasons = {each.raw.path.name: each.reason for each in watcher.waiting}
        assert sorted(reasons) == ["b.mrc", "empty.mrc", "gone.mrc", "wide.mrc"]
        assert "wrong shape: 24 x 24" in reasons["wide.mrc"]
        assert "dangling" in reasons["gone.mrc"]
        assert watcher.look() == []
        (tmp_path / "in/b.mrc").write_bytes(whole)
        assert [new.raw.name for new in watcher.look()] == ["in/b.mrc"]

    def test_future_times_do_not_matter(self, tmp_path, write_movie, monkeypatch):
        monkeypatch.chdir(tmp_path)
        path = write_movie(tmp_path / "in/a.mrc")
        os.utime(path, (time.time() + 1e6, time.time() + 1e6))
        assert len(self.watcher(Path("in")).look()) == 1

    def test_finds_folders_that_appear_later(self, tmp_path, write_movie, monkeypatch):
        monkeypatch.chdir(tmp_path)
        watcher = self.watcher(Path("in"), "**/*.mrc")
        write_movie(tmp_path / "in/x.mrc")
        assert len(watcher.look()) == 1
        write_movie(tmp_path / "in/one/two/y.mrc")
        assert [new.raw.name for new in watcher.look()] == ["in/one/two/y.mrc"]

    def test_a_quiet_folder_is_not_listed_again(self, tmp_path, write_movie, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write_movie(tmp_path / "in/a.mrc")
        watcher = self.watcher(Path("in"))
        for _ in range(3):
            watcher.look()
        monkeypatch.setattr(os, "listdir", lambda path: pytest.fail("listed again"))
        assert watcher.look() == []


def test_thresholds_in_words():
    limits = parse_thresholds("rlnCtfMaxResolution <= 6; picks >= 10")
    assert complaints(limits, {"ctf_resolution_angst": 5, "picks": 12}) == ""
    told = complaints(limits, {"ctf_resolution_angst": 8.25, "picks": 3})
    assert told == "CTF fit 8.25 Å, accepted is at most 6 Å; Picks 3, accepted is at least 10"
    assert judge("m", {"picks": 3}, limits, {"m": ("accept", "")}) == ("", "")
    assert judge("m", {"picks": 30}, limits, {"m": ("reject", "torn")}) == ("manual", "torn")
    assert judge("m", {}, limits, {}) == ("", "")


@pytest.mark.parametrize("text", ["rlnDefocusU < 3", "nonsense <= 3", "picks >= many"])
def test_thresholds_that_are_none_are_named(text):
    with pytest.raises(ValueError, match="threshold"):
        parse_thresholds(text)


class TestBeamShift:
    def shifts(self, scatter: float, count: int = 90) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(1)
        grid = np.array([(x, y) for x in range(3) for y in range(3)], float)
        which = np.r_[np.arange(9), rng.integers(0, 9, count - 9)]
        return grid[which] + rng.normal(0, scatter, (count, 2)), which

    def test_positions_are_found_and_numbered_by_first_appearance(self):
        shifts, which = self.shifts(0.02)
        tolerance = natural_tolerance(shifts)
        assert 0.1 < tolerance < 0.9
        assert cluster_shifts([tuple(each) for each in shifts], tolerance) == which.tolist()

    def test_numbers_given_out_never_change(self):
        shifts, which = self.shifts(0.02)
        clusters = ShiftClusters(0.3)
        assert [clusters.assign(tuple(each)) for each in shifts] == which.tolist()
        before = list(clusters.centres)
        assert clusters.assign((50.0, 50.0)) == 9
        assert clusters.centres[:9] == before

    def test_one_position_stays_one(self):
        rng = np.random.default_rng(2)
        assert natural_tolerance(np.zeros((5, 2))) == float("inf")
        shifts = [tuple(each) for each in rng.normal(0, 1, (3, 2))]
        assert cluster_shifts(shifts, float("inf")) == [0, 0, 0]

    @pytest.mark.parametrize("spread", [0.0, 0.002, 0.01])
    def test_a_session_learns_how_far_positions_lie_apart(self, tmp_path, monkeypatch, spread):
        rng = np.random.default_rng(4)
        grid = [(0.3 + 0.2 * x, -0.5 + 0.2 * y) for x in range(-2, 3) for y in range(-2, 3)]
        groups = BeamShiftGroups(by_beam_shift=True)
        given: dict[int, set[int]] = {}
        for movie in range(200):
            position = movie % 25
            shift = tuple(np.array(grid[position]) + rng.normal(size=2) * spread)
            monkeypatch.setattr(grouping, "beam_shift_of", lambda path, shift=shift: shift)
            given.setdefault(position, set()).add(groups.assign(Path("m.mrc"))[0])
            groups.write(tmp_path / "groups.json")
            groups = BeamShiftGroups.read(tmp_path / "groups.json")
        assert [len(each) for each in given.values()] == [1] * 25
        assert len(groups.centres) == 25

    def test_one_beam_shift_with_scatter_is_one_group(self, monkeypatch):
        rng = np.random.default_rng(5)
        groups = BeamShiftGroups(by_beam_shift=True)
        for _ in range(100):
            shift = (4.0 + rng.normal() * 0.02, 3.0 + rng.normal() * 0.02)
            monkeypatch.setattr(grouping, "beam_shift_of", lambda path, shift=shift: shift)
            assert groups.assign(Path("m.mrc"))[0] == 1

    def test_a_star_file_gets_groups(self, tmp_path):
        optics = {"rlnOpticsGroupName": ["opticsGroup1"], "rlnOpticsGroup": [1], "rlnVoltage": [300.0]}
        rows = {"rlnMicrographName": list("abcd"), "rlnOpticsGroup": [1] * 4}
        tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("micrographs", rows)]
        write_star(tmp_path / "in.star", tables)
        known = {"a": (0.0, 0.0), "b": (1.0, 0.0), "c": (0.01, 0.0)}
        found = assign_groups(tmp_path / "in.star", tmp_path / "out.star", known, 0.1)
        assert found.without == ("d",)
        star = read_star(tmp_path / "out.star")
        assert star["micrographs"].ints("rlnOpticsGroup").tolist() == [1, 2, 1, 1]
        assert star["optics"].strings("rlnOpticsGroupName") == ["opticsGroup1-1", "opticsGroup1-2"]

    def test_shifts_of_one_grid_do_not_go_to_the_other(self, tmp_path):
        names = ["Movies/grid1/0001.tif", "Movies/grid2/0001.tif", "Movies/grid2/0002.tif"]
        rows = {"rlnMicrographMovieName": names, "rlnOpticsGroup": [1] * 3}
        optics = {"rlnOpticsGroupName": ["g"], "rlnOpticsGroup": [1], "rlnVoltage": [300.0]}
        tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("movies", rows)]
        write_star(tmp_path / "in.star", tables)
        for grid, shift in (("grid1", "1 1"), ("grid2", "-5 0")):
            path = tmp_path / f"meta/{grid}/0001.tif.mdoc"
            path.parent.mkdir(parents=True)
            path.write_text(f"[FrameSet = 0]\nImageShift = {shift}\nodd line\n")
        files = ShiftFiles.below(tmp_path / "meta")
        assert len(files.problems) == 2 and "grid1/0001.tif.mdoc, line 3" in files.problems[0]
        found = assign_groups(tmp_path / "in.star", tmp_path / "out.star", files.shifts, 0.1)
        assert found.groups == {names[0]: 1, names[1]: 2, names[2]: 1}
        assert found.without == (names[2],)
        one = ShiftFiles.below(tmp_path / "meta/grid2")
        found = assign_groups(tmp_path / "in.star", tmp_path / "out.star", one.shifts, 0.1)
        assert found.without == (names[0], names[2])
        bare = {"0001.tif": (1.0, 1.0)}
        with pytest.raises(AmbiguousMicrograph, match=r"grid1/0001\.tif (and|or) Movies/grid2/0001.tif"):
            assign_groups(tmp_path / "in.star", tmp_path / "out.star", bare, 0.1)


@pytest.mark.real
class TestEpu:
    def folder(self, real_data: Path) -> Path:
        return real_data / "formats/epu/epu-dir-example"

    def test_image(self, real_data):
        data = self.folder(real_data) / "Images-Disc1/GridSquare_8999138/Data"
        image = read_epu_image(data / "FoilHole_9015883_Data_9017347_6_20250108_154915.xml")
        assert image.voltage_kv == 300
        assert image.pixel_size_angst == pytest.approx(1.05588, abs=1e-4)
        assert image.dose_e_a2 == pytest.approx(14.4108, abs=1e-3)
        assert image.dose_on_camera_e_px == pytest.approx(16.0664, abs=1e-3)
        assert (image.fractions, image.exposure_s, image.super_resolution_factor) == (50, 0.89, 2)
        assert (image.width, image.height, image.binning) == (2880, 2046, 2)
        assert image.beam_shift == pytest.approx((0.0608672, -0.154228), abs=1e-6)
        assert image.defocus_um == pytest.approx(-2.7)
        assert (image.detector, image.phase_plate) == ("BioQuantum K3", False)

    def test_session(self, real_data):
        session = read_epu_session(self.folder(real_data) / "EpuSession.dm")
        assert session.name == "Supervisor_20250108_101446_62_cm40593-1_EPU"
        assert session.movies_need_gain is True
        assert session.shifts_beam
        assert session.hole_spacing_um == pytest.approx(2.6514, abs=1e-3)

    def test_a_session_tells_all_but_cs(self, real_data, tmp_path):
        """A movie beside a real XML: everything recorded is found, with its source."""
        source = self.folder(real_data)
        data = tmp_path / "Images-Disc1/GridSquare_8999138/Data"
        data.mkdir(parents=True)
        (tmp_path / "EpuSession.dm").write_bytes((source / "EpuSession.dm").read_bytes())
        xml = next((source / "Images-Disc1/GridSquare_8999138/Data").glob("*154915.xml"))
        (data / xml.name).write_bytes(xml.read_bytes())
        movie = data / f"{xml.stem}_fractions.mrc"
        write_movie_mrc(movie, np.ones((4, 16, 16), np.int8), 1.0, durable=False)
        write_mrc(tmp_path / "session_gain.mrc", np.ones((16, 16), np.float32), 1.0)
        intake = look_at_session(str(tmp_path), {})
        assert intake.wildcard.endswith("Images-Disc*/GridSquare_*/Data/*_[fF]ractions.mrc")
        assert intake.number("kv") == 300
        assert intake.number("pixel-size") == pytest.approx(1.05588, abs=1e-4)
        assert intake.number("dose-per-frame") == pytest.approx(14.4108 / 4, abs=1e-3)
        assert intake.text("gain").endswith("session_gain.mrc")
        assert intake.facts["cs"].assumed
        assert xml_of_movie(movie) == data / xml.name
        assert find_epu_session(movie) == tmp_path / "EpuSession.dm"

    def test_damage_is_named(self, real_data, tmp_path):
        path = tmp_path / "cut.xml"
        whole = next(self.folder(real_data).rglob("*154915.xml")).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UnreadableEpu, match=r"cut\.xml"):
            read_epu_image(path)


@pytest.mark.real
class TestMdoc:
    def test_tilt_series(self, real_data):
        mdoc = read_mdoc(real_data / "formats/mdoc/tilt_series.mdoc")
        section = mdoc.sections[0]
        assert section.movie == "TS_01_000_0.0.mrc"
        assert (section.pixel_size_angst, section.frames, section.binning) == (5.4, 8, 4)
        assert section.image_shift == (-0.0108126, -0.121079)
        assert section.dose_e_a2 is None
        assert mdoc.section_of("ts_01_001_3.0.mrc") is mdoc.sections[1]

    def test_global_values_stand_behind_a_sections_own(self, real_data):
        mdoc = read_mdoc(real_data / "formats/mdoc/montage_section.mdoc")
        assert mdoc.sections[0].voltage_kv == 300
        assert mdoc.sections[0].pixel_size_angst == pytest.approx(656.139)

    def sections(self, tmp_path, text: str | bytes):
        path = tmp_path / "x.mdoc"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_mdoc(path)

    def test_what_nobody_knows_passes_and_is_named(self, tmp_path):
        text = "\ufeffVoltage = 300\r\nwhat is this\r\nTilt-Axis of X = 3\r\n[ZValue = 0]\r\nImageShift = 1 2\r\n"
        mdoc = self.sections(tmp_path, text)
        assert (mdoc.sections[0].voltage_kv, mdoc.sections[0].image_shift) == (300, (1, 2))
        assert len(mdoc.problems) == 1 and "x.mdoc, line 2: neither" in mdoc.problems[0]

    @pytest.mark.parametrize(
        "damage",
        [b"ImageShift = 1 \x003\n", b"Magnification = 1\nMagnification = 2\n", b"[ZVa\nImageShift = 9 9\n"],
    )
    def test_a_damaged_section_costs_that_section(self, tmp_path, damage):
        good = b"[ZValue = %d]\nSubFramePath = X:\\%d.tif\nImageShift = %d 0\n"
        text = good % (0, 0, 0) + good % (1, 1, 1) + damage + good % (2, 2, 2)
        mdoc = self.sections(tmp_path, text)
        kept = {section.movie: section.image_shift for section in mdoc.sections}
        assert kept == {"0.tif": (0, 0), "2.tif": (2, 0)} | ({"1.tif": (1, 0)} if damage[:1] == b"[" else {})
        assert len(mdoc.problems) == 1 and "is left out" in mdoc.problems[0]

    def test_a_value_cut_at_the_end_is_not_taken(self, tmp_path):
        mdoc = self.sections(tmp_path, "[ZValue = 0]\nVoltage = 30")
        assert mdoc.sections[0].voltage_kv is None and "in the middle" in mdoc.problems[0]

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(UnreadableMdoc, match=r"y\.mdoc: No such file"):
            read_mdoc(tmp_path / "y.mdoc")


class TestIntake:
    def test_serialem_movie(self, tmp_path, write_movie):
        movie = write_movie(tmp_path / "a.mrc", frames=10)
        top = "PixelSpacing = 0.83\nVoltage = 200\n[ZValue = 0]\nExposureDose = 40\n"
        own = "SubFramePath = X:\\data\\a.mrc\nGainReference = ref_g.mrc\nImageShift = 1 2\n"
        movie.with_name("a.mrc.mdoc").write_text(top + own)
        write_mrc(tmp_path / "ref_g.mrc", np.ones((16, 16), np.float32), 1.0)
        intake = look_at_session(str(tmp_path), {"cs": "0.01"})
        found = {key: fact.value for key, fact in intake.facts.items()}
        assert (found["kv"], found["pixel-size"], found["dose-per-frame"]) == (200, 0.83, 4.0)
        assert found["gain"].endswith("ref_g.mrc")
        assert (found["cs"], intake.facts["cs"].source) == (0.01, "given")

    def test_what_is_missing_is_asked_for(self, tmp_path, write_movie):
        with pytest.raises(NothingFound, match="--movies"):
            find_wildcard(str(tmp_path))
        write_movie(tmp_path / "a.mrc")
        intake = look_at_session(str(tmp_path), {})
        with pytest.raises(NothingFound, match="give --kv"):
            intake.number("kv")

    def test_folders_below(self, tmp_path, write_movie):
        write_movie(tmp_path / "a/x.mrc")
        write_movie(tmp_path / "b/y.mrc")
        assert find_wildcard(str(tmp_path)) == f"{tmp_path}/**/*.mrc"


class TestSanity:
    def movies(self, folder: Path, gain: np.ndarray, dose_px: float, count: int = 3) -> list[Path]:
        rng = np.random.default_rng(3)
        paths = []
        for number in range(count):
            frames = rng.poisson(dose_px / gain, (8, *gain.shape)).astype(np.int8)
            paths.append(folder / f"{number}.mrc")
            write_movie_mrc(paths[-1], frames, 1.0, durable=False)
        return paths

    @pytest.fixture
    def gain(self, tmp_path) -> np.ndarray:
        gain = np.random.default_rng(4).normal(1, 0.1, (96, 128)).clip(0.5, 2).astype(np.float32)
        write_mrc(tmp_path / "gain.mrc", gain, 1.0)
        return gain

    def found(self, paths, **stated) -> dict[str, tuple[bool, str]]:
        findings = check_inputs(paths, Stated(pixel_size_angst=1.0, **stated))
        return {each.about: (each.good, each.text) for each in findings}

    def test_all_is_well(self, tmp_path, gain):
        paths = self.movies(tmp_path, gain, 2.0)
        found = self.found(paths, dose_per_frame_e_a2=2.0, gain=str(tmp_path / "gain.mrc"))
        assert all(good for good, _ in found.values()), found

    def test_turned_and_reciprocal_gains(self, tmp_path, gain):
        paths = self.movies(tmp_path, gain, 2.0)
        write_mrc(tmp_path / "turned.mrc", np.ascontiguousarray(gain[::-1]), 1.0)
        write_mrc(tmp_path / "upside.mrc", (1 / gain).astype(np.float32), 1.0)
        good, text = self.found(paths, gain=str(tmp_path / "turned.mrc"))["gain"]
        assert not good and "--gain-flip 1" in text
        good, text = self.found(paths, gain=str(tmp_path / "upside.mrc"))["gain"]
        assert not good and "divided" in text
        match = find_gain_turn(paths, str(tmp_path / "turned.mrc"))
        assert match is not None and (match.rotation, match.flip) in ((0, 1), (2, 1))

    def test_doses_that_cannot_be(self, tmp_path, gain):
        paths = self.movies(tmp_path, gain, 2.0)
        assert "whole exposure" in self.found(paths, dose_per_frame_e_a2=16.0)["dose"][1]
        assert "factor of four" in self.found(paths, dose_per_frame_e_a2=8.0)["dose"][1]
        assert "--dose-per-frame 2" in self.found(paths)["dose"][1]

    def test_corrected_frames_show_no_gain(self, tmp_path, gain):
        paths = self.movies(tmp_path, np.ones_like(gain), 2.0)
        good, text = self.found(paths, gain=str(tmp_path / "gain.mrc"))["gain"]
        assert not good and "no trace" in text


class TestMatchingAverages:
    def averages(self, count: int = 6, n: int = 48) -> np.ndarray:
        """Smooth random blobs, all different."""
        rng = np.random.default_rng(5)
        y, x = np.indices((n, n))
        found = np.zeros((count, n, n), np.float32)
        for image in found:
            for _ in range(4):
                cy, cx = rng.uniform(0.35 * n, 0.65 * n, 2)
                image += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / rng.uniform(6, 20)).astype(np.float32)
        return found

    def test_classes_are_found_again_turned_moved_and_noisy(self):
        from scipy.ndimage import rotate

        old = self.averages()
        order = [4, 2, 0, 5, 1, 3]
        moved = np.roll(rotate(old[order], 40, axes=(1, 2), reshape=False, order=1), 2, axis=1)
        noisy = moved + np.random.default_rng(6).normal(0, 0.05, moved.shape)
        found = match_averages(old, noisy)
        assert [order[index] for index in found if index is not None] == list(range(6))

    def test_what_is_gone_has_no_counterpart(self):
        old = self.averages()
        new = np.concatenate([old[:3], np.random.default_rng(7).normal(0, 1, old[:3].shape)])
        assert match_averages(old, new, least_score=0.9) == [0, 1, 2, None, None, None]

    def test_other_boxes_are_refused(self):
        with pytest.raises(ValueError, match="boxes"):
            match_averages(np.ones((1, 32, 32)), np.ones((1, 48, 48)))


@pytest.mark.parametrize(
    ("phase", "known", "text"),
    [
        ("running", {}, ""),
        ("running", {"job": "c", "state": "none", "updates": 0}, "2D classes: none yet"),
        ("running", {"job": "c", "state": "updating", "updates": 0}, "2D classes: the first run"),
        (
            "running",
            {"job": "c", "state": "up to date", "updates": 2, "particles": 900, "chosen": [1, 4]},
            "2D classes: up to date; 2 updates, the last with 900 particles, 2 chosen",
        ),
        (
            "finishing",
            {"job": "c", "state": "last run", "updates": 2, "particles": 900},
            "2D classes: the last run, from nothing with all 1000 particles",
        ),
    ],
)
def test_the_state_of_2d_classes_in_words(phase, known, text):
    assert LiveStatus("live1", phase, particles=1000, classes=known).classes_line == text
