"""Chosen class averages become the templates of picking, in one step."""

from __future__ import annotations

from verglas.formats.mrc import read_mrc
from verglas.formats.stack_writer import write_stack
from verglas.jobs.chain import IMPORT, PICKING
from verglas.project.project import Project
from verglas.scheduler.live.record.class_state import ClassState, chosen_file
from verglas.scheduler.live.record.lists import write_references
from verglas.scheduler.live.record.made_jobs import Writer, enter_made
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.requests.stage_changes import enter_settings


def pick_with_classes(project: Project, folder: LiveFolder, scope: str) -> list[str]:
    """Freeze the chosen averages as an Import job of 2D references and pick with them from now on.

    Raises LookupError if no class is chosen, ValueError for a scope that is none.
    """
    state = ClassState.read(folder)
    if not state.chosen or not chosen_file(folder).exists():
        raise LookupError("choose classes first: verglas live classes --choose 1,4,7")
    image = read_mrc(chosen_file(folder))
    source = str(chosen_file(folder).relative_to(project.root))
    texts = {
        "do_raw": "No",
        "do_other": "Yes",
        "fn_in_other": source,
        "node_type": "2D references (.star or .mrcs)",
    }
    stack = chosen_file(folder).name
    files: dict[str, Writer] = {
        stack: lambda path, _: write_stack(path, image.data, image.pixel_size_angst),
        "references.star": lambda path, name: write_references(path, f"{name}{stack}", len(image.data)),
    }
    with project.change("classes as templates") as change:
        name = enter_made(change, IMPORT, texts, files, f"verglas live classes --templates: {source}")
        picking = {"do_log": "No", "do_refs": "Yes", "fn_refs_autopick": f"{name}{stack}"}
        told = enter_settings(project, change, folder, {PICKING: picking}, scope)
    return [f"{name}{stack}: {len(image.data)} templates", *told]
