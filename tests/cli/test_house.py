"""Rules about names that no checker knows."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import verglas


def test_no_package_hands_out_a_name_that_hides_its_own_module():
    found = []
    for init in Path(verglas.__file__).parent.rglob("__init__.py"):
        inside = {path.stem for path in init.parent.iterdir()}
        for node in ast.walk(ast.parse(init.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [each.asname or each.name for each in node.names]
                found += [f"{init.parent.name}.{name}" for name in names if name in inside]
    assert not found


def test_no_name_is_defined_that_nobody_says():
    """Functions and classes occur somewhere beside their definition: in the package, its tests, its examples."""
    here = Path(__file__).parents[2]
    places = (Path(verglas.__file__).parent, here / "tests", here / "benchmarks", here / "docs")
    said: Counter[str] = Counter()
    for place in places:
        for path in (*place.rglob("*.py"), *place.glob("*.md")):
            said.update(re.findall(r"\w+", path.read_text()))
    unsaid = [
        f"{path.name}: {node.name}"
        for path in places[0].rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and said[node.name] == 1
        and not _is_registered(node)
    ]
    assert not unsaid


def _is_registered(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """A decorator hands it to whoever calls it: routes of the pages, overloads of compiled functions."""
    return any(isinstance(each, ast.Call) for each in node.decorator_list) or node.name.startswith("__")
