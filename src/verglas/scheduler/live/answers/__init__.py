"""What a session's map says about those who collect for it: how much longer, from which sides, from which squares.

`write` is all that the session calls, after each update of its map; what it found is `answers.json`.
"""

from verglas.scheduler.live.answers.writing import write

__all__ = ["write"]
