"""The turns of a point group, each once: axis, fraction of a full turn, how many operators it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from verglas.geometry import PointGroup

_LARGEST_FOLD = 400


@dataclass(frozen=True, eq=False)
class Turns:
    """Operators of a group but the identity; of a turn and its inverse, which say the same of a map, one."""

    operators: Tensor  # (n, 3, 3) float64
    axes: Tensor  # (n, 3) unit vectors
    fractions: tuple[Fraction, ...]  # of a full turn, in (0, 1/2]
    weights: Tensor  # (n,) how many operators, summing to 1

    def some(self, most: int) -> Turns:
        """At most so many of them, evenly spread over the list."""
        if len(self.operators) <= most:
            return self
        rows = torch.linspace(0, len(self.operators) - 1, most).round().long()
        kept = tuple(self.fractions[row] for row in rows.tolist())
        weights = self.weights[rows] / self.weights[rows].sum()
        return Turns(self.operators[rows], self.axes[rows], kept, weights)


def turns_of(group: PointGroup) -> Turns:
    """The turns of a group. ValueError for groups with mirrors or an inversion, which no molecule has."""
    if not group.is_chiral:
        raise ValueError(f"{group.name} has mirror planes or an inversion: no map of a molecule has them")
    operators, axes, fractions, weights = [], [], [], []
    seen: list[Tensor] = []
    for operator in group.operators[1:]:
        if any((operator - inverse).abs().max() < 1e-6 for inverse in seen):
            continue
        seen.append(operator.T)
        angle, axis = _angle_and_axis(operator)
        operators.append(operator)
        axes.append(axis)
        fraction = Fraction(angle / (2 * torch.pi)).limit_denominator(_LARGEST_FOLD)
        fractions.append(fraction)
        weights.append(1.0 if fraction == Fraction(1, 2) else 2.0)
    if not operators:
        empty = torch.zeros(0, 3, 3, dtype=torch.float64)
        return Turns(empty, empty[:, 0], (), empty[:, 0, 0])
    total = torch.tensor(weights, dtype=torch.float64)
    return Turns(torch.stack(operators), torch.stack(axes), tuple(fractions), total / total.sum())


def rotation_about(axes: Tensor, angles: Tensor) -> Tensor:
    """Rotations (..., 3, 3) by angles (...) in radians about unit vectors (..., 3), right-handed."""
    x, y, z = axes.double().unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    turns = angles.double()[..., None, None]
    return torch.eye(3, dtype=torch.float64) + turns.sin() * cross + (1 - turns.cos()) * (cross @ cross)


def _angle_and_axis(operator: Tensor) -> tuple[float, Tensor]:
    """Angle in (0, pi] and axis of a rotation that is not the identity."""
    cosine = float(((operator.trace() - 1) / 2).clamp(-1, 1))
    # the symmetric part holds the axis even for half turns, where the other part is 0
    outer = (operator + operator.T) / 2 - cosine * torch.eye(3, dtype=operator.dtype)
    column = outer[:, int(outer.diagonal().argmax())]
    axis = column / column.norm()
    part = torch.stack(
        [operator[2, 1] - operator[1, 2], operator[0, 2] - operator[2, 0], operator[1, 0] - operator[0, 1]]
    )
    sine = float(part @ axis) / 2
    angle = float(torch.atan2(torch.tensor(sine), torch.tensor(cosine)))
    return (angle, axis) if angle > 0 else (-angle, -axis)
