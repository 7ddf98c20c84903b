"""Base of the job types that refine maps."""

from __future__ import annotations

from typing import Any

from verglas.jobs.refine.job import RefineJob


class MapJob(RefineJob):
    """What the forms of 3D classification and auto-refine have in common."""

    @classmethod
    def command_line(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        words = super().command_line(options, directory, is_continue)
        return [*words, "--pad", "1" if options.do_pad1 else "2"]

    @classmethod
    def check(cls, options: Any) -> list[str]:
        if options.fn_cont:
            return []
        complaints = [] if options.fn_img else ["Input images STAR file is empty"]
        if options.fn_ref in ("", "None"):
            complaints.append("Reference map is empty")
        return complaints
