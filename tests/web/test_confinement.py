"""Nothing outside the project and its registered data directories is ever served."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import write_mrc
from verglas.project.confinement import OutsideProject, confined
from verglas.project.data_roots import BadDataRoot, add_data_root

# every way of naming a file that an address can carry; SECRET is outside the project
LEAVING = [
    "../secret.star",
    "MotionCorr/../../secret.star",
    "./../secret.star",
    "%2e%2e/secret.star",
    "..%2fsecret.star",
    "..\\secret.star",
    "/etc/passwd",
    "//etc/passwd",
    "MotionCorr/job002/../../../secret.star",
    "secret\0.star",
    ".verglas/events.jsonl",
]
ROUTES = [
    ("file", "path"),
    ("tables", "path"),
    ("tables/page", "path"),
    ("micrographs/info", "path"),
    ("micrographs/thumbnail", "path"),
    ("micrographs/list", "path"),
    ("maps/volume", "path"),
    ("maps/slice", "path"),
    ("maps/curves", "path"),
    ("maps/angles", "path"),
    ("maps/iterations", "model"),
    ("classes/gallery", "model"),
    ("classes/sprite", "model"),
    ("classes/members", "data"),
    ("files", "folder"),
]


@pytest.fixture
def secret(project):
    path = project.root.parent / "secret.star"
    path.write_text("data_\n\n_rlnSecret 1\n")
    return path


@pytest.mark.parametrize("name", LEAVING)
def test_no_route_leaves_the_project(served, secret, name):
    for route, key in ROUTES:
        answer = served.get(route, list="", **{key: name})
        assert answer.status_code in (403, 404, 422), (route, answer.text)
        assert "rlnSecret" not in answer.text and "root:" not in answer.text


@pytest.mark.parametrize("name", ["../secret.star", "/etc/passwd", "%2e%2e/secret.star"])
def test_encoded_twice_in_the_address_itself(served, secret, name):
    answer = served.client.get(served.url("file") + "?path=" + name)
    assert answer.status_code in (403, 404)


def test_a_link_that_leaves_is_refused(served, secret, project):
    (project.root / "link.star").symlink_to(secret)
    assert served.get("file", path="link.star").status_code == 403
    (project.root / "Away").symlink_to(secret.parent)
    assert served.get("tables", path="Away/secret.star").status_code == 403


def test_micrographs_by_a_link_into_a_registered_directory_are_shown(served, project, tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    write_mrc(archive / "m.mrc", np.zeros((64, 64), np.float32), 1.0)
    (project.root / "Raw").symlink_to(archive)
    assert served.get("micrographs/thumbnail", path="Raw/m.mrc").status_code == 403
    add_data_root(project, archive)
    assert served.get("micrographs/thumbnail", path="Raw/m.mrc").status_code == 200
    assert confined(project, str(archive / "m.mrc")) == (archive / "m.mrc").resolve()


def test_a_registered_directory_opens_no_way_out_of_it(project, tmp_path, secret):
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "out.star").symlink_to(secret)
    add_data_root(project, archive)
    with pytest.raises(OutsideProject):
        confined(project, str(archive / "out.star"))


def test_too_much_is_not_registered(project):
    for directory in ("/", Path.home(), "/does/not/exist"):
        with pytest.raises(BadDataRoot):
            add_data_root(project, directory)


def test_a_job_directory_that_is_itself_a_link_inside_is_shown(served, project):
    shutil.copytree(project.root / "CtfFind/job003", project.root / "Elsewhere")
    (project.root / "CtfFind" / "alias").symlink_to("../Elsewhere")
    assert served.get("tables", path="CtfFind/alias/micrographs_ctf.star").status_code == 200


def test_a_page_in_the_project_cannot_run_scripts_here(served, project):
    (project.root / "evil.html").write_text("<script>alert(1)</script>")
    (project.root / "evil.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert served.get("file", path="evil.html").status_code == 415
    assert "sandbox" in served.get("file", path="evil.svg").headers["content-security-policy"]


def test_an_import_typed_on_the_command_line_registers_its_directory(project, tmp_path, monkeypatch):
    from verglas.cli.main import main
    from verglas.project.data_roots import data_roots

    archive = tmp_path / "microscope" / "day1"
    archive.mkdir(parents=True)
    (project.root / "Raw").symlink_to(archive)
    monkeypatch.chdir(project.root)
    assert main(["job", "schedule", "Import", "--fn_in_raw", "Movies/*.tif"]) == 0
    assert data_roots(project) == []
    assert main(["job", "schedule", "Import", "--fn_in_raw", "Raw/*.tif"]) == 0
    assert data_roots(project) == [archive.resolve()]
