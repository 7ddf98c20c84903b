"""Every flag of every job is read by someone, or says in its one line why it is not needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import verglas
from verglas.jobs.refine.options.engine import ENGINE_OPTIONS
from verglas.jobs.registry import job_class, job_folders

DECLARED = re.compile(r'(flag=|off=|Flag\(\s*|_O\(\s*)"--[\w-]+"')
# read by a name that is put together: the way of combining masks, the axes of a centre, a program's parameters
PUT_TOGETHER = {"--and", "--or", "--and_not", "--or_not", "--center_x", "--center_y", "--center_z"}
PUT_TOGETHER |= {f"--param{number}_{part}" for number in range(1, 11) for part in ("label", "value")}
SAYS_WHY = re.compile(r"kept for RELION|Always Yes here", re.IGNORECASE)


@pytest.fixture(scope="module")
def read() -> set[str]:
    """Flags that the source names anywhere but where they are declared; the engine's are read by its table."""
    sources = Path(verglas.__file__).parent.rglob("*.py")
    text = DECLARED.sub("", "\n".join(path.read_text() for path in sources))
    engine = {flag.name for option in ENGINE_OPTIONS for flag in option.flags()}
    return set(re.findall(r'"(--[\w-]+)"', text)) | engine | PUT_TOGETHER


@pytest.fixture(scope="module")
def named() -> set[str]:
    """Words outside the declarations of options: pages and checks read options by their keys."""
    root = Path(verglas.__file__).parent
    sources = [path for path in root.rglob("*.py") if not path.name.startswith("options")]
    return set(re.findall(r"\w+", " ".join(path.read_text() for path in sources)))


@pytest.mark.parametrize("folder", job_folders())
def test_a_flag_is_read_or_says_why_not(folder, read, named):
    job = job_class(folder)
    flags = job.program.flags.values()
    by_key = {info.flag for key, info in job.Options.infos().items() if key in named}
    silent = [each for each in flags if each.name not in read | by_key and not each.unneeded]
    assert [each.name for each in silent if not SAYS_WHY.search(each.help)] == []
    assert all(len(each.unneeded) > 10 for each in flags if each.unneeded)
