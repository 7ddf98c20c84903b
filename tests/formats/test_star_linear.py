"""Reading takes time in proportion to the file, whatever lies in it."""

from __future__ import annotations

import time

import pytest

from verglas.formats.star.reading import parse_star

MAKERS = {
    "columns": lambda n: "data_\n\nloop_\n" + "".join(f"_c{i}\n" for i in range(n)) + "1 " * n + "\n",
    "blocks": lambda n: "".join(f"data_b{i}\n\nloop_\n_a\n1\n\n" for i in range(n // 2)),
    "row comments": lambda n: "data_a\nloop_\n_a\n_b\n" + "1 2 # by hand\n" * n,
    "labels of a list": lambda n: "data_\n\n" + "".join(f"_c{i} 1\n" for i in range(n)),
    "empty lines": lambda n: "\n" * 4 * n + "data_a\n" + "\n" * 4 * n,
}


def _seconds(text: str) -> float:
    data, found = text.encode(), []
    for _ in range(3):
        begin = time.process_time()
        parse_star(data, "x.star")
        found.append(time.process_time() - begin)
    return min(found)


@pytest.mark.parametrize("kind", MAKERS)
def test_eight_times_the_file_takes_about_eight_times_as_long(kind):
    small, large = (_seconds(MAKERS[kind](n)) for n in (1500, 12_000))
    assert large < 24 * small + 0.05  # 64 times if it were the square


def test_many_short_rows_do_not_become_objects():
    tables, _ = parse_star(b"data_\n\nloop_\n_rlnA #1\n_rlnB #2\n" + b"1 2\n" * 400_000, "x.star")
    assert type(tables[""].columns["rlnA"]).__name__ == "BufferColumn"
    assert tables[""].floats("rlnB").sum() == 800_000
