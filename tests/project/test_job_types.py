"""What holds for a type of job is told by the type: of verglas, of RELION, or of neither."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import verglas
from verglas.jobs.foreign import FOREIGN
from verglas.jobs.registry import job_folders, job_type


@pytest.mark.parametrize("folder", job_folders())
def test_a_type_is_known_by_its_directory(folder):
    assert job_type(folder).folder == folder


@pytest.mark.parametrize(
    ("folder", "iterative", "has_halves", "settings_file"),
    [
        ("Class2D", True, False, ".gui_class2djob.star"),
        ("Refine3D", True, True, ".gui_auto3djob.star"),
        ("InitialModel", True, False, ".gui_inimodeljob.star"),
        ("MultiBody", True, False, ".gui_multibodyjob.star"),
        ("PostProcess", False, False, ".gui_postjob.star"),
        ("Extract", False, False, ".gui_extractjob.star"),
        ("OfNobody", False, False, ".gui_ofnobodyjob.star"),
    ],
)
def test_facts_of_types(folder, iterative, has_halves, settings_file):
    kind = job_type(folder)
    assert (kind.iterative, kind.has_halves) == (iterative, has_halves)
    assert kind.settings_file == settings_file


def test_nothing_of_an_unknown_type_is_cleaned():
    assert job_type("OfNobody").cleaned == job_type("OfNobody").cleaned_harshly == ()


def test_micrograph_lists_that_say_most_come_first():
    ranks = [job_type(each).list_rank for each in ("CtfFind", "MotionCorr", "Import", "Select")]
    assert ranks == sorted(ranks)
    assert job_type("OfNobody").list_rank > max(ranks)


NAMES = {*job_folders(), *FOREIGN}
ABOVE = ("project", "scheduler", "web", "cli")
# RELION's codes; a sentence a type of the methods section; the jobs of the demo
TABLES = ("project/dialect.py", "project/results/methods.py", "cli/demo/")


def decided_by_name(tree: ast.AST) -> Iterator[str]:
    """Names of types in comparisons, lists, keys and prefixes."""
    for node in ast.walk(tree):
        parts: list[ast.expr | None] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = list(node.elts)
        elif isinstance(node, ast.Dict):
            parts = list(node.keys)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parts = list(node.args) if node.func.attr == "startswith" else []
        for part in parts:
            text = part.value if isinstance(part, ast.Constant) else None
            if isinstance(text, str) and text.rstrip("/") in NAMES:
                yield f"line {node.lineno}: {text}"


def test_nobody_above_the_jobs_decides_by_the_name_of_a_type():
    root = Path(verglas.__file__).parent
    found = {
        f"{path.relative_to(root)}, {where}"
        for floor in ABOVE
        for path in (root / floor).rglob("*.py")
        if not str(path.relative_to(root)).startswith(TABLES)
        for where in decided_by_name(ast.parse(path.read_text()))
    }
    assert not found


def test_each_iteration_is_shown_on_the_page_of_its_classes():
    pages = {each: job_type(each).page for each in ("Class2D", "Class3D", "Refine3D", "Extract")}
    assert pages == {"Class2D": "classes", "Class3D": "maps", "Refine3D": "maps", "Extract": ""}
