"""Images that a device keeps: what comes back, what is read again, several threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from verglas.em.run import image_cache
from verglas.em.run.image_cache import ImageCache

N, BOX = 60, 8
CPU = torch.device("cpu")


class Counted:
    """A source that counts how often each image is read."""

    def __init__(self) -> None:
        self.images = np.random.default_rng(0).normal(size=(N, BOX, BOX)).astype(np.float32)
        self.images[7] = np.nan
        self.images[11] = 1e6  # beyond half precision
        self.times = np.zeros(N, int)

    def read(self, indices):
        np.add.at(self.times, indices, 1)
        return self.images[indices]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(image_cache, "BLOCK", 16)


def test_images_come_back_rounded_to_half_from_the_first_time_on():
    source = Counted()
    cache, rows = ImageCache(source, N, CPU, 1 << 20), np.array([3, 50, 4, 20])
    expected = torch.from_numpy(source.images[rows]).half().float()
    assert torch.equal(cache.read(rows), expected)
    assert torch.equal(cache.read(rows[::-1].copy()), expected.flip(0))
    assert (source.times[rows] == 1).all()


def test_what_half_precision_cannot_hold_is_read_every_time():
    source = Counted()
    cache, rows = ImageCache(source, N, CPU, 1 << 20), np.array([6, 7, 11])
    for _ in range(2):
        found = cache.read(rows)
        assert torch.isnan(found[1]).all() and (found[2] == 1e6).all()
    assert source.times[rows].tolist() == [1, 2, 2]


def test_without_room_images_are_read_again_as_they_are():
    source = Counted()
    cache = ImageCache(source, N, CPU, 2 * 16 * BOX * BOX * 2)  # two blocks
    everyone = np.array([k for k in range(N) if k not in (7, 11)])
    for _ in range(3):
        found = cache.read(everyone).numpy()
        np.testing.assert_allclose(found, source.images[everyone], rtol=1e-3, atol=1e-4)
    kept = source.times[everyone] == 1
    assert kept.sum() == 32 and (source.times[everyone][~kept] == 3).all()
    assert (found[~kept] == source.images[everyone][~kept]).all()


def test_threads_that_share_a_cache_never_get_the_images_of_others():
    source = Counted()
    cache = ImageCache(source, N, CPU, 1 << 20)
    shares = [np.arange(start, N, 4) for start in range(4)]
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            found = list(
                pool.map(lambda rows: [cache.read(rows[k : k + 2]) for k in range(0, len(rows), 2)], shares)
            )
        for rows, parts in zip(shares, found):
            mine, theirs = torch.cat(parts).numpy(), source.images[rows]
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4, equal_nan=True)
