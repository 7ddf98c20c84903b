"""Chosen class averages become the templates of picking, in one step."""

from __future__ import annotations

from verglas.formats.mrc import read_mrc
from verglas.formats.stack_writer import write_stack
from verglas.jobs.chain import IMPORT, PICKING
from verglas.project.project import Project
from verglas.scheduler.live.record.class_state import ClassState, chosen_file
from verglas.scheduler.live.record.lists import write_references
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.requests.made_jobs import begin_job, end_job
from verglas.scheduler.live.requests.stage_changes import change_settings


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
    name = begin_job(project, IMPORT, texts)
    stack = project.root / name / chosen_file(folder).name
    write_stack(stack, image.data, image.pixel_size_angst)
    write_references(project.root / name / "references.star", f"{name}{stack.name}", len(image.data))
    end_job(project, name, f"verglas live classes --templates: {source}")
    changed = {"do_log": "No", "do_refs": "Yes", "fn_refs_autopick": f"{name}{stack.name}"}
    told = change_settings(project, folder, {PICKING: changed}, scope)
    return [f"{name}{stack.name}: {len(image.data)} templates", *told]
