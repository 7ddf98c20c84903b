"""A person's choice of classes survives repeats, carried over only where the averages match."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import rotate

from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import NothingToDo
from verglas.jobs.select.choice import (
    BACKUP,
    PREVIOUS,
    PREVIOUS_AVERAGES,
    PROPOSED,
    choice_of_a_person,
    remember_choice,
)
from verglas.particles.class_matching import match_classes


def blobs(seed: int, n: int = 48) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.indices((n, n)) - n // 2
    image = np.zeros((n, n))
    for _ in range(5):
        cy, cx = rng.uniform(-n / 5, n / 5, 2)
        image += rng.uniform(0.5, 1) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18)
    return image


@pytest.fixture
def averages() -> np.ndarray:
    return np.stack([blobs(seed) for seed in range(4)])


def choose(directory, chosen):
    write_star(directory / BACKUP, [StarTable.from_columns("", {"rlnSelected": chosen})])


def test_rotated_and_noisy_averages_are_recognised(averages):
    rng = np.random.default_rng(0)
    new = np.stack([rotate(averages[k], angle, reshape=False) for k, angle in ((2, 75), (0, -130), (3, 10))])
    new += 0.02 * rng.standard_normal(new.shape)
    partner, likeness = match_classes(averages, new)
    assert partner.tolist() == [2, 0, 3]
    assert (likeness > 0.9).all()
    partner, likeness = match_classes(averages, np.stack([blobs(77), np.zeros((48, 48))]))
    assert likeness.max() < 0.9
    assert partner[1] == -1


def test_without_a_choice_it_waits_and_the_same_classes_need_no_new_one(tmp_path, averages):
    with pytest.raises(NothingToDo, match="waiting for you"):
        choice_of_a_person(tmp_path, averages)
    choose(tmp_path, [1, 0, 1, 0])
    for _ in range(2):
        assert choice_of_a_person(tmp_path, averages).tolist() == [True, False, True, False]
        remember_choice(tmp_path, averages)


def test_the_choice_follows_classes_that_only_changed_places(tmp_path, averages):
    choose(tmp_path, [1, 0, 0, 0])
    choice_of_a_person(tmp_path, averages)
    remember_choice(tmp_path, averages)
    new = np.stack([rotate(averages[k], 33, reshape=False) for k in (3, 2, 1, 0)])
    assert choice_of_a_person(tmp_path, new).tolist() == [False, False, False, True]


def test_a_new_class_is_asked_about_with_the_old_choice_beside(tmp_path, averages):
    choose(tmp_path, [1, 0, 1, 0])
    choice_of_a_person(tmp_path, averages)
    remember_choice(tmp_path, averages)
    new = np.stack([averages[0], averages[1], averages[2], blobs(99)])
    with pytest.raises(NothingToDo, match=r"carried over to 3 of 4 classes"):
        choice_of_a_person(tmp_path, new)
    assert read_star(tmp_path / PROPOSED).first.ints("rlnSelected").tolist() == [1, 0, 1, 0]
    assert read_star(tmp_path / PREVIOUS).first.ints("rlnSelected").tolist() == [1, 0, 1, 0]
    assert (tmp_path / PREVIOUS_AVERAGES).exists()
    assert read_star(tmp_path / BACKUP).first.ints("rlnSelected").tolist() == [1, 0, 1, 0]  # not touched
    choose(tmp_path, [1, 0, 1, 1])  # the person has looked
    assert choice_of_a_person(tmp_path, new).tolist() == [True, False, True, True]
    remember_choice(tmp_path, new)
    assert not (tmp_path / PROPOSED).exists()


def test_another_number_of_classes(tmp_path, averages):
    choose(tmp_path, [1, 0, 1])
    with pytest.raises(NothingToDo, match="for 3 classes, now there are 4"):
        choice_of_a_person(tmp_path, averages)
