"""What groups of movies add: noise adds nothing, and that is said of nothing else."""

from __future__ import annotations

import numpy as np

from verglas.outlook.contribution import contributions, evened, particle_signal

MOVIES, SQUARES = 15, 10
AMPLITUDE = np.array([0.0, 0.5, *np.ones(SQUARES - 2)])  # of the particles of each square


def session(seed: int, junk_known: bool = True):
    """Pmax as refinements of simulated particles have it: 0.06 without signal, 0.18 with all of it, as power."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(SQUARES), MOVIES)
    counts = rng.poisson(40 * np.exp(rng.normal(0, 0.4, len(group))))
    movie = np.repeat(np.arange(len(group)), counts)
    power = AMPLITUDE[group[movie]] ** 2
    is_junk = rng.random(len(movie)) < np.where(power == 0, 0.6, 0.05)
    p_max = (0.06 + 0.12 * power * ~is_junk) * rng.gamma(4, 0.25, len(movie))
    in_map = ~is_junk if junk_known else np.ones(len(movie), bool)
    return particle_signal(p_max, in_map), movie, group


def test_a_square_of_noise_adds_nothing_and_good_ones_are_never_said_to():
    wrong = 0
    for seed in range(40):
        signal, movie, group = session(seed)
        found = contributions(signal, movie, group, np.ones(len(group), bool))
        assert [each.group for each in found] == list(range(SQUARES))
        assert found[0].verdict == "nothing" and abs(found[0].per_movie) < 0.25
        assert found[1].verdict in ("little", "nothing")  # a quarter of the power
        wrong += sum(each.verdict == "nothing" for each in found[2:])
    assert wrong == 0


def test_when_a_particle_was_searched_is_no_merit():
    """Later updates give higher Pmax; squares come one after another, old particles are searched again in turn."""
    signal, movie, group = session(5)
    rng = np.random.default_rng(5)
    update = group[movie] + rng.integers(0, 10, len(movie)) * (rng.random(len(movie)) < 0.4)
    true = 0.06 + 0.12 * np.clip(signal, 0, None)
    seen = true * (1 + 0.15 * update)

    def told(p_max: np.ndarray) -> np.ndarray:
        found = contributions(particle_signal(p_max, signal != 0), movie, group, np.ones(len(group), bool))
        return np.array([each.per_movie for each in found])

    assert np.abs(told(seen) - told(true)).max() > 0.3
    assert np.abs(told(evened(seen, movie, update)) - told(true)).max() < 0.1


def test_without_junk_classes_less_is_said_rather_than_more():
    signal, movie, group = session(1, junk_known=False)
    found = contributions(signal, movie, group, np.ones(len(group), bool))
    assert found[0].verdict in ("little", "nothing") and all(each.verdict == "" for each in found[2:])


def test_movies_that_were_set_aside_add_nothing_and_those_on_their_way_are_not_counted():
    signal, movie, group = session(2)
    gone = group[movie] == 4
    counted = group != 5
    found = contributions(signal[~gone], movie[~gone], group, counted)
    four = next(each for each in found if each.group == 4)
    assert four.verdict == "nothing" and four.particles == 0 and four.share == 0
    assert 5 not in [each.group for each in found]


def test_few_movies_are_not_judged_and_none_give_nothing():
    signal = np.zeros(3)
    assert contributions(signal, np.arange(3), np.zeros(3, int), np.ones(3, bool)) == []
    signal, movie, group = session(3)
    few = np.where(group == 0, np.where(np.arange(len(group)) < 3, 0, -1), group)
    found = contributions(signal, movie, few, np.ones(len(group), bool))
    assert found[0].movies == 3 and found[0].verdict == ""
