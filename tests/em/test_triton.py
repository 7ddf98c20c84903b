"""The GPU kernels give what plain operations give; interpreted here, so that no GPU is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")

PROGRAM = """
import torch
from verglas.em.scoring.significance import RowWeights
from verglas.em.scoring import significance_triton

torch.manual_seed(1)
for b, n, spread, limit in ((3, 2500, 4.0, -1), (2, 1024, 40.0, -1), (4, 17, 1.0, -1), (3, 2500, 2.0, 9)):
    scores = torch.randn(b, n) * spread - 300
    scores[0, 5] = -torch.inf
    plain = RowWeights.of(scores.clone(), 0.999, limit)
    mine = scores.clone()
    top, best, total, threshold, count = significance_triton.weigh(mine, 0.999, limit)
    torch.testing.assert_close(mine, plain.weights)
    torch.testing.assert_close(top, plain.top)
    assert torch.equal(best, plain.best)
    torch.testing.assert_close(total, plain.total)
    if limit > 0:
        assert (count <= limit).all() and (count >= 1).all()
    else:
        assert (threshold <= plain.threshold).all() and (threshold >= plain.threshold * 0.998).all()
        assert (count >= plain.count).all() and (count <= plain.count + 5).all()
odd = torch.full((3, 40), -torch.inf)
odd[1, 3], odd[2, :] = torch.nan, torch.arange(40.0)
_, _, total, threshold, count = significance_triton.weigh(odd, 0.999, -1)
assert count[:2].tolist() == [0, 0] and count[2] > 0 and not (total[:2] > 0).any()
"""


def test_weights_and_thresholds_of_rows():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
