"""How fast movies come, go, and pass each stage."""

from __future__ import annotations

from verglas.jobs.chain import STAGES
from verglas.scheduler.live.record.status import Rate, Recent


class Pace:
    """How fast movies come and go."""

    def __init__(self) -> None:
        self.rate_in, self.rate_done = Rate(), Rate()
        self.latency = Recent()
        self.costs = {stage: Recent() for stage in STAGES}
