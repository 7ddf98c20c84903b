"""What all shapes share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """Nothing but what is described."""

    model_config = ConfigDict(extra="forbid")


class Done(Shape):
    """It was done; nothing more is to be said."""


class Named(Shape):
    """The job (or schedule) that was made or changed."""

    name: str
    moved: list[str] = Field(default_factory=list, description="jobs or files that went to Trash")
    copied: int = Field(0, description="picks to begin with")


class Lines(Shape):
    """What was done, in words."""

    lines: list[str]
    name: str = ""
