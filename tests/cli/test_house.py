"""Rules about names that no checker knows."""

from __future__ import annotations

import ast
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
