"""The plain implementation (`plain`) and the problems for both sides (`two_sides`) can be imported."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
