"""The small network: learns from some picks, finds the rest; the risk of positive-unlabelled learning."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from verglas.picking.network import Layers, PickingNetwork, pick_with_network
from verglas.picking.training import Example, TrainingSettings, non_negative_risk, train_network


def test_half_of_the_picks_are_enough(scene) -> None:
    image = torch.from_numpy(scene.micrograph)
    settings = TrainingSettings(130.0, steps=150, batch=32)
    seen = []
    network = train_network(
        [Example(image, 2.0, scene.xy[::2])], settings, lambda step, loss: seen.append(step)
    )
    assert seen[-1] == 150
    found = pick_with_network(image, 2.0, network).picked()
    nearest = np.sqrt(((found.xy[:, None] - scene.xy[None]) ** 2).sum(-1)).min(1)
    hits = (nearest < 12).sum()
    assert 2 * hits / (len(found) + len(scene.xy)) > 0.85
    again = PickingNetwork.of_state(network.state())
    np.testing.assert_array_equal(
        pick_with_network(image, 2.0, again).fom, pick_with_network(image, 2.0, network).fom
    )


def test_training_needs_picks(scene) -> None:
    with pytest.raises(ValueError, match="no picks to train on"):
        example = Example(torch.from_numpy(scene.micrograph), 2.0, np.zeros((0, 2)))
        train_network([example], TrainingSettings(130.0, steps=1))


def test_risk_is_that_of_a_fully_labelled_set() -> None:
    """With the share of positives known, the estimator equals the balanced risk on true labels."""
    generator = torch.Generator().manual_seed(0)
    share = 0.3
    positive = torch.randn(200_000, generator=generator) + 1
    negative = torch.randn(200_000, generator=generator) - 1
    count = int(200_000 * share)
    unlabelled = torch.cat([positive[:count], negative[: 200_000 - count]])
    plain = torch.nn.functional.softplus
    expected = 0.5 * plain(-positive).mean() + 0.5 * plain(negative).mean()
    assert float(non_negative_risk(positive, unlabelled, share)) == pytest.approx(float(expected), rel=0.02)


def test_risk_never_rewards_the_impossible() -> None:
    perfect = torch.full((10,), 50.0)
    assert float(non_negative_risk(perfect, -perfect, 0.5)) >= 0


def test_a_logit_sees_its_margin_and_no_more() -> None:
    layers = Layers()
    side = 2 * Layers.MARGIN + 1
    assert layers(torch.zeros(1, 1, side, side)).shape == (1, 1, 1)


def test_foreign_states_are_refused() -> None:
    with pytest.raises(ValueError, match="not a picking network"):
        PickingNetwork.of_state({"x": np.zeros(3)})
