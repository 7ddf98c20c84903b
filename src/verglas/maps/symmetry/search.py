"""The orientation of a group's axes in a map: a grid over all of them, ever smaller steps, then a last polish."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from torch import Tensor

from verglas.geometry import PointGroup, angular_step_deg, euler_matrices, healpix_directions
from verglas.maps.symmetry.self_rotation import SelfRotation, TurnTable
from verglas.maps.symmetry.turns import Turns, rotation_about, turns_of

TABLE_ORDER = 4  # axes 3.75 degrees apart
GRID_ORDER = 3
APART_DEG = 6.0  # between starts: nearer ones are the same peak
COARSE_SIDE, MIDDLE_SIDE, FINE_SIDE = 24, 32, 64  # of the copies
STARTS = 8
HALVINGS = 4
MOST_TURNS = 12  # that a score is the mean of while it is searched
_POLISH_DEG, _POLISH_PX = 1.0, 0.5
_POLISH_STEPS = 12


@dataclass(frozen=True, eq=False)
class Axes:
    """Where a group's axes lie in a map: the map agrees with itself after B g Bᵀ about the centre."""

    frame: Tensor  # B (3, 3) float64
    centre_px: Tensor  # (x, y, z) from the middle of the map
    score: float  # mean agreement, 1 at best


def grid_of(group: PointGroup, only_rot: bool = False) -> Tensor:
    """Frames to try (n, 3, 3): one of each set that puts the axes in the same places."""
    psi = torch.arange(0, 360, angular_step_deg(GRID_ORDER), dtype=torch.float64)
    if only_rot:
        return rotation_about(torch.tensor([0.0, 0.0, 1.0]), torch.deg2rad(psi))
    directions = healpix_directions(GRID_ORDER)
    if group.name[0] == "C":  # an axis and its opposite are one, and turns about it change nothing
        directions = directions[directions[:, 1] <= 90 + 1e-9]
        return euler_matrices(torch.nn.functional.pad(directions, [0, 1])).transpose(-1, -2)
    directions = directions[group.contains(directions)]
    angles = [directions.repeat_interleave(len(psi), 0), psi.repeat(len(directions))[:, None]]
    return euler_matrices(torch.cat(angles, 1))


def starts(table: TurnTable, group: PointGroup, frames: Tensor, count: int = STARTS) -> Tensor:
    """The best frames of a grid that are different peaks, best first; (at most count, 3, 3)."""
    scores = table.score(frames, turns_of(group))
    kept: list[Tensor] = []
    for row in scores.topk(min(len(scores), 40 * count)).indices.tolist():
        if all(_apart_deg(frames[row], other, group) > APART_DEG for other in kept):
            kept.append(frames[row])
        if len(kept) == count:
            break
    return torch.stack(kept)


def climb(
    copy: SelfRotation, turns: Turns, frames: Tensor, only_rot: bool = False, most: int = MOST_TURNS
) -> tuple[Tensor, float]:
    """The best frame after steps of ever smaller angles about the given ones, and its score."""
    few = turns.some(most)
    steps = [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]
    if only_rot:
        steps = [step for step in steps if step[:2] == (0, 0)]
    vectors = torch.tensor(steps, dtype=torch.float64)
    scores = copy.score(frames, few)
    for level in range(1, HALVINGS + 1):
        angle = math.radians(angular_step_deg(GRID_ORDER) / 2**level)
        turned = (_rotation(vectors * angle) @ frames[:, None]).flatten(0, 1)
        found = copy.score(turned, few).reshape(len(frames), -1)
        frames = turned.reshape(len(frames), -1, 3, 3)[torch.arange(len(frames)), found.argmax(1)]
        order = found.amax(1).argsort(descending=True)[: max(1, len(frames) // 2)]
        frames, scores = frames[order], found.amax(1)[order]
    return frames[0], float(scores[0])


def polish(
    volume: Tensor, turns: Turns, start: Axes, side: int, radius_px: float | None, *, fixed: str = ""
) -> Axes:
    """Orientation and centre at once, on a finer copy. `fixed` may name "centre" and "tilt" (turns about z only)."""
    few = turns.some(MOST_TURNS)
    copy = SelfRotation.of(volume, side, start.centre_px, radius_px)
    free = torch.tensor(
        [0.0 if "tilt" in fixed else 1.0] * 2 + [1.0] + [0.0 if "centre" in fixed else 1.0] * 3
    )

    def parts(numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The frame, and the centre from the old one in voxels of the copy."""
        scaled = numbers * torch.tensor([math.radians(_POLISH_DEG)] * 3 + [_POLISH_PX] * 3) * free
        x, y, z = scaled[:3]
        zero = torch.zeros_like(x)
        turn = torch.linalg.matrix_exp(torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3))
        return turn @ start.frame, scaled[3:]

    def cost(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        numbers = torch.from_numpy(values).requires_grad_()
        frame, shift = parts(numbers)
        loss = -copy.score(frame[None], few, shift)[0]
        loss.backward()  # type: ignore[no-untyped-call]
        gradient = numbers.grad
        return float(loss.detach()), np.zeros(6) if gradient is None else gradient.numpy()

    found = minimize(
        cost,
        np.zeros(6),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _POLISH_STEPS, "maxfun": 2 * _POLISH_STEPS},
    )
    frame, shift = parts(torch.from_numpy(found.x))
    score = float(copy.score(frame[None], turns, shift)[0])
    return Axes(frame, start.centre_px + shift / copy.scale, score)


def _rotation(vectors: Tensor) -> Tensor:
    """Rotations (..., 3, 3) of rotation vectors (..., 3) in radians."""
    return torch.from_numpy(Rotation.from_rotvec(vectors.reshape(-1, 3).numpy()).as_matrix()).reshape(
        *vectors.shape[:-1], 3, 3
    )


def _apart_deg(one: Tensor, other: Tensor, group: PointGroup) -> float:
    """The smallest turn between two frames; frames that put a cyclic group's axis in one place are one."""
    if group.name[0] == "C":
        return math.degrees(math.acos(min(1.0, abs(float(one[:, 2] @ other[:, 2])))))
    traces = ((one.T @ other) * group.operators).sum((-1, -2))
    return math.degrees(math.acos(max(-1.0, min(1.0, float((traces.max() - 1) / 2)))))
