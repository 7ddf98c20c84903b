"""Groups that fall into other classes than all the rest."""

from __future__ import annotations

import numpy as np
import pytest

from verglas.particles.unlike import class_divergence


def slow_divergence(groups, classes):
    """The same, group by group and class by class."""
    used = sorted(set(classes.tolist()))
    found = []
    for group in range(groups.max() + 1):
        mine, others = classes[groups == group], classes[groups != group]
        total = 0.0
        for each in used:
            p = np.mean(mine == each)
            q = (np.sum(others == each) + 1) / (len(others) + len(used))
            total += p * np.log(p / q) if p > 0 else 0.0
        found.append(total - (len(used) - 1) / (2 * len(mine)))
    return np.array(found)


def test_it_is_the_divergence_from_the_others():
    rng = np.random.default_rng(1)
    groups, classes = rng.integers(0, 7, 400), rng.integers(1, 6, 400) ** 2
    np.testing.assert_allclose(
        class_divergence(groups, classes), slow_divergence(groups, classes), atol=1e-12
    )


@pytest.mark.parametrize(("n", "k"), [(20, 50), (100, 12), (300, 100)])
def test_like_groups_do_not_diverge_however_few_and_however_many_classes(n, k):
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.ones(k))
    groups = np.repeat(np.arange(300), n)
    found = class_divergence(groups, rng.choice(k, len(groups), p=shares))
    assert abs(found.mean()) < 0.25
    assert found.max() < 0.9


def test_a_few_groups_with_classes_of_their_own_stand_out():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(200), 60)
    classes = rng.integers(0, 9, len(groups))
    junk = groups >= 192
    classes[junk] = rng.choice([9, 10, 11, 0], junk.sum(), p=[0.5, 0.3, 0.1, 0.1])
    found = class_divergence(groups, classes)
    assert found[192:].min() > 1.5 and found[:192].max() < 0.3
