"""Training the small picker on a person's picks: positive and unlabelled examples.

What a person picked is positive; what was not picked is unlabelled, not negative: nobody picks every
particle. The risk is Kiryo et al.'s non-negative estimator (2017): the unlabelled loss minus what the
hidden positives would contribute, never below zero. The share of positives among the unlabelled comes
from counting particles with the blob picker, or from the picks where those are more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from verglas.picking.log_picker import LogSettings, pick_blobs
from verglas.picking.network import PIXELS_PER_DIAMETER, Layers, PickingNetwork, network_image
from verglas.picking.picks import Array

CENTRE = 0.12  # of the diameter: how near to a pick a place counts as its centre


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What is learnt from, and for how long."""

    diameter_angst: float
    white_particles: bool = False
    particles_per_micrograph: float | None = None  # None: counted by the blob picker
    steps: int = 800
    batch: int = 64  # patches of each kind in a step
    learning_rate: float = 2e-3
    seed: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One micrograph with a person's picks."""

    micrograph: Tensor  # (y, x)
    pixel_size_angst: float
    xy: Array  # (n, 2) micrograph pixels


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    padded: Tensor  # (y, x) with a margin all around
    centres: Tensor  # (n, 2) whole rows and columns of the picks
    share: float  # of places that are centres of particles


def train_network(
    examples: Sequence[Example],
    settings: TrainingSettings,
    progress: Callable[[int, float], None] | None = None,
) -> PickingNetwork:
    """A network trained on the examples; `progress` is told the step and the mean loss.

    Raises ValueError without picks, or for a micrograph that cannot be used.
    """
    prepared = [_prepare(example, settings) for example in examples]
    if not sum(len(one.centres) for one in prepared):
        raise ValueError("there are no picks to train on")
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    device = prepared[0].padded.device
    layers = Layers().to(device)
    optimiser = torch.optim.AdamW(layers.parameters(), settings.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps
    )
    share = float(np.mean([one.share for one in prepared]))
    mean_loss = 0.0
    for step in range(settings.steps):
        positive = _patches(prepared, settings.batch, generator, picked=True)
        unlabelled = _patches(prepared, settings.batch, generator, picked=False)
        logits = layers(torch.cat([positive, unlabelled])[:, None])[:, 0, 0]
        loss = non_negative_risk(logits[: len(positive)], logits[len(positive) :], share)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        mean_loss += 0.02 * (float(loss.detach()) - mean_loss)
        if progress is not None:
            progress(step + 1, mean_loss)
    _centre_even_odds(layers, prepared, share)
    return PickingNetwork(layers.eval(), settings.diameter_angst, settings.white_particles)


def non_negative_risk(positive: Tensor, unlabelled: Tensor, share: float) -> Tensor:
    """Classification risk from logits of positives and of unlabelled places (logistic loss)."""
    weight = 0.5  # the classes count alike, whatever their share
    as_positive = softplus(-positive).mean()
    hidden = share * softplus(positive).mean()
    as_negative = (softplus(unlabelled).mean() - hidden) / (1 - share)
    return weight * as_positive + (1 - weight) * torch.clamp(as_negative, min=0.0)


def _prepare(example: Example, settings: TrainingSettings) -> _Prepared:
    image = network_image(
        example.micrograph, example.pixel_size_angst, settings.diameter_angst, settings.white_particles
    )
    margin = Layers.MARGIN
    xy = torch.as_tensor(np.asarray(example.xy, dtype=np.float64).reshape(-1, 2))
    step = xy.new_tensor([image.step_yx[1], image.step_yx[0]])
    columns, rows = ((xy - image.first_px) / step).round().long().T
    height, width = image.pixels.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    count = settings.particles_per_micrograph or _count(example, settings)
    count = max(count, float(inside.sum()))
    radius = CENTRE * settings.diameter_angst / image.pixel_size_angst
    return _Prepared(
        torch.nn.functional.pad(image.pixels[None, None], [margin] * 4, mode="reflect")[0, 0],
        torch.stack([rows, columns], 1)[inside],
        min(0.5, count * math.pi * radius**2 / (height * width)),
    )


def _count(example: Example, settings: TrainingSettings) -> float:
    blobs = LogSettings(
        0.9 * settings.diameter_angst,
        1.15 * settings.diameter_angst,
        white_particles=settings.white_particles,
    )
    return float(len(pick_blobs(example.micrograph, example.pixel_size_angst, blobs).picked()))


def _patches(
    prepared: Sequence[_Prepared], count: int, generator: torch.Generator, *, picked: bool
) -> Tensor:  # (count, side, side)
    """Patches about picks (moved a little) or about random places, turned and mirrored at random."""
    weights = torch.tensor([float(len(p.centres)) if picked else 1.0 for p in prepared])
    which = torch.multinomial(weights, count, replacement=True, generator=generator)
    side = 2 * Layers.MARGIN + 1
    found = []
    jitter = int(CENTRE * PIXELS_PER_DIAMETER)
    for index in which.tolist():
        one = prepared[index]
        height, width = (n - side + 1 for n in one.padded.shape)
        if picked:
            row = int(torch.randint(len(one.centres), (1,), generator=generator))
            moved = torch.randint(-jitter, jitter + 1, (2,), generator=generator)
            y, x = (one.centres[row] + moved).tolist()
            y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
        else:
            y = int(torch.randint(height, (1,), generator=generator))
            x = int(torch.randint(width, (1,), generator=generator))
        found.append(one.padded[y : y + side, x : x + side])
    batch = torch.stack(found)
    turns = int(torch.randint(4, (1,), generator=generator))
    batch = torch.rot90(batch, turns, (1, 2))
    return batch.flip(2) if int(torch.randint(2, (1,), generator=generator)) else batch


def _centre_even_odds(layers: Layers, prepared: Sequence[_Prepared], share: float) -> None:
    """Move the last bias so that, over the training micrographs, the share of places above zero is right.

    The risk balances the classes; a threshold wants the odds at their true share.
    """
    with torch.inference_mode():
        logits = torch.cat([layers(one.padded[None, None]).reshape(-1) for one in prepared])
    level = float(np.quantile(logits.cpu().numpy(), 1 - share))
    bias = layers.last.bias
    if bias is not None:
        bias.data -= level
