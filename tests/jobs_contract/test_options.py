"""How texts of a form or a command line become values of options."""

from __future__ import annotations

import pytest

from verglas.jobs.contract.options import OptionError
from verglas.project.registration import class_for


def parsed(**given: str):
    return class_for("Refine3D").Options.parse(given)[0]


def test_a_choice_is_known_by_its_number_alone():
    assert parsed(sampling="3.7").sampling == parsed(sampling="3.7 degrees").sampling == "3.7 degrees"


@pytest.mark.parametrize("text", ["4", "degrees", "-"])
def test_any_other_text_is_refused_with_the_choices(text):
    with pytest.raises(OptionError, match=r"sampling: '.*' is none of '30 degrees', .*'0.1 degrees'"):
        parsed(sampling=text)


def test_numbers_are_numbers():
    assert parsed(ini_high="40").ini_high == 40
    with pytest.raises(OptionError, match="ini_high: 'forty' is not a number"):
        parsed(ini_high="forty")
    with pytest.raises(OptionError, match=r"nr_threads: '1\.5' is not a whole number"):
        parsed(nr_threads="1.5")
