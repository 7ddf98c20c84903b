"""A form's flags for a run that goes on: what may change, said also where it is switched off."""

from __future__ import annotations

from verglas.jobs.contract.options import JobOptions, OptionInfo
from verglas.jobs.refine.options.engine import BY_FLAG

_TEXTS = ("--solvent_mask", "--relax_sym")  # empty: there is none, even if there was one before
NONE = "None"


def going_on_words(options: JobOptions) -> list[str]:
    """Flags of the options that a run which goes on may change.

    A flag that is left out would leave things as they were; so what the form switches off is passed, too.
    """
    words: list[str] = []
    for key, info in type(options).infos().items():
        if info.flag is None or info.on_continue == "locked" or not options.is_active(key):
            continue
        words += options.words_of(key) or _off(info, getattr(options, key))
    return words


def _off(info: OptionInfo, value: object) -> list[str]:
    option = BY_FLAG.get(info.flag or "")
    if isinstance(value, bool):
        return [option.off] if option is not None and option.off else []
    return [info.flag, NONE] if info.flag in _TEXTS else []
