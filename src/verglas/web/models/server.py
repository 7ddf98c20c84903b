"""Shapes: who asks, projects, share links."""

from __future__ import annotations

from typing import Literal

from verglas.web.models.base import Shape


class Who(Shape):
    """The asker; `name` and `role` are null without a valid token."""

    version: str
    needs_token: bool
    name: str | None
    role: Literal["viewer", "worker", "operator"] | None
    may_change: bool
    may_command: bool
    project: str


class ProjectRow(Shape):
    """A project of this server with the number of its jobs by state."""

    id: str
    title: str
    path: str
    jobs: dict[str, int]


class ShareRow(Shape):
    """A link that is still good."""

    name: str
    days_left: float
