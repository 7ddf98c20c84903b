"""Job options: one definition from which form, job.star and program flags all derive.

An options class is a frozen pydantic model whose field names are RELION's `job.star` keys. Every field
is made by `option(...)`, which attaches what the form and the command line need to know (pipeline.md
§4). `JobOptions.command_line()` turns options into the program's flags; the program parses those flags
into the arguments the job works from (`jobs/contract/program.py`), so the form, `verglas job run` and a
program called by hand end in the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from verglas.jobs.contract.nodes import NodeType

_OFF = ("", "No", "None", "0", "-1")
OnContinue = Literal["always", "locked", "only"]


@dataclass(frozen=True)
class OptionInfo:
    """What is known about one option besides its type and default."""

    label: str
    tab: str
    help: str = ""
    unit: str = ""
    flag: str | None = None  # program flag; None: not passed by itself
    flag_if: Callable[[Any], bool] | None = None  # options -> is the flag passed at all
    to_flag: Callable[[Any], Any] | None = None  # form value -> flag value
    flag_empty: bool = False  # whether an empty text is passed, too
    flag_when: bool = True  # for Yes/No options: the answer that passes the flag
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] | None = None
    node: NodeType | None = None  # an input node: Browse offers existing and expected outputs
    pattern: str = ""  # file field
    on_continue: OnContinue = "always"
    strict: bool = False  # minimum and maximum are limits, not just the slider's ends
    command: bool = False  # its value is executed, or passed on as words of a command
    ours: bool = False  # unknown to RELION, which warns of it: left out of job.star at its default


def option(default: Any, *, label: str, tab: str, **info: Any) -> Any:
    """Declare one option; keyword arguments are those of `OptionInfo`."""
    details = OptionInfo(label=label, tab=tab, **info)
    extra: dict[str, Any] = {"verglas": details}
    limits: dict[str, Any] = {}
    if details.strict:
        limits = {"ge": details.minimum, "le": details.maximum}
    return Field(default, title=label, description=details.help, json_schema_extra=extra, **limits)


class OptionError(ValueError):
    """An option has a value it cannot have; the message names option, value and expectation."""


class JobOptions(BaseModel):
    """Base of all job options. Field names are the keys of `job.star`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)
    unneeded_keys: ClassVar[Mapping[str, str]] = {}  # keys of RELION, and why they change nothing here
    impossible_keys: ClassVar[Mapping[str, str]] = {}  # and why they can only be off

    @classmethod
    def infos(cls) -> dict[str, OptionInfo]:
        """Key -> what is known about the option, in form order."""
        return {key: option_info(field) for key, field in cls.model_fields.items()}

    @classmethod
    def understood(cls) -> list[str]:
        """Keys that are understood, those without an effect last."""
        return [*cls.model_fields, *cls.impossible_keys, *cls.unneeded_keys]

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> tuple[Self, list[str]]:
        """Options from texts (job.star, command line); unknown keys are returned as warnings.

        Raises OptionError naming key, value and what was expected.
        """
        known, warnings = {}, []
        for key, text in values.items():
            field = cls.model_fields.get(key)
            if key in cls.impossible_keys and text not in _OFF:
                raise OptionError(f"option {key}: {text!r}: {cls.impossible_keys[key]}")
            if key in cls.unneeded_keys or key in cls.impossible_keys:
                continue
            if field is None:
                warnings.append(f"option {key} (value {text!r}) is not known to this job; ignored")
                continue
            known[key] = _from_text(key, text, field)
        return cls.checked(known), warnings

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """Build and validate; pydantic's complaints become one OptionError in our words."""
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise OptionError(f"option {key}: {first['input']!r}: {first['msg']}") from error

    def texts(self) -> dict[str, str]:
        """Key -> text as `job.star` holds it (Yes/No, numbers as typed, empty for none)."""
        fields, infos = type(self).model_fields, type(self).infos()
        return {
            key: to_text(getattr(self, key))
            for key in fields
            if not (infos[key].ours and getattr(self, key) == fields[key].default)
        }

    def changed(self, **values: Any) -> Self:
        """A validated copy with some options changed."""
        return type(self).checked({**self.model_dump(), **values})

    def input_names(self) -> list[tuple[str, NodeType]]:
        """Input nodes that are filled in, with their type (used for edges and for waiting)."""
        found = []
        for key, info in type(self).infos().items():
            name = getattr(self, key)
            if info.node is not None and name and name != "None" and self.is_active(key):
                found.append((name, info.node))
        return found

    def is_active(self, key: str) -> bool:
        """Whether an option has an effect given the others (a greyed-out field has none)."""
        info = type(self).infos()[key]
        return info.flag_if is None or info.flag_if(self)

    def command_line(self) -> list[str]:
        """The program flags these options stand for, in form order (RELION's spelling)."""
        return [word for key in type(self).model_fields for word in self.words_of(key)]

    def words_of(self, key: str) -> list[str]:
        """The words of one option; none where it has no effect, or its flag stands for the other answer."""
        info, value = type(self).infos()[key], getattr(self, key)
        if info.flag is None or not self.is_active(key):
            return []
        if isinstance(value, bool):
            return [info.flag] if value is info.flag_when else []
        if not info.flag_empty and value in ("", None):
            return []
        return [info.flag, to_text(info.to_flag(value) if info.to_flag else value)]


OptionsClass = type[JobOptions]  # for classes that have an attribute called `type`


def option_info(field: FieldInfo) -> OptionInfo:
    extra = field.json_schema_extra
    found: Any = extra.get("verglas") if isinstance(extra, dict) else None
    if not isinstance(found, OptionInfo):
        raise TypeError(f"option field {field.title!r} was not declared with option()")
    return found


def to_text(value: Any) -> str:
    """Yes/No for booleans, shortest exact text for numbers."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)


def _from_text(key: str, text: str, field: FieldInfo) -> Any:
    """A text of job.star or of the command line as the option's type."""
    kind = type(field.default)
    if kind is bool:
        answers = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
        if text.strip().lower() not in answers:
            raise OptionError(f"option {key}: {text!r} is neither Yes nor No")
        return answers[text.strip().lower()]
    if kind in (int, float):
        try:
            number = float(text)
        except ValueError:
            raise OptionError(f"option {key}: {text!r} is not a number") from None
        if kind is int:
            if number != int(number):
                raise OptionError(f"option {key}: {text!r} is not a whole number")
            return int(number)
        return number
    info = option_info(field)
    if info.choices and text not in info.choices:
        of_number = [choice for choice in info.choices if choice.split(" ")[0] == text.strip()]
        if text.strip() and len(of_number) == 1:  # "7.5" for "7.5 degrees"
            return of_number[0]
        expected = ", ".join(repr(choice) for choice in info.choices)
        raise OptionError(f"option {key}: {text!r} is none of {expected}")
    return text
