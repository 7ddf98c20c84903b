"""No damage to a file goes by unnoticed as lost rows, and none makes the reader crash."""

import random

import pytest

from verglas.formats.star import StarError, StarTable, format_star, read_star, rows

N_ROWS = 12


def intact():
    optics = StarTable.from_columns("optics", {"rlnOpticsGroup": [1], "rlnVoltage": [300.0]})
    particles = {
        "rlnImageName": [f"{n:06d}@a b.mrcs" for n in range(1, N_ROWS + 1)],
        "rlnDefocusU": [10000.0 + n for n in range(N_ROWS)],
        "rlnOpticsGroup": [1] * N_ROWS,
    }
    return format_star([optics, StarTable.from_columns("particles", particles)])


@pytest.fixture(params=["plain", "compiled"])
def reader(request, monkeypatch, tmp_path):
    if request.param == "compiled":
        monkeypatch.setattr(rows, "LARGE_BYTES", 0)
    path = tmp_path / "damaged.star"

    def read(content):
        path.write_bytes(content)
        return read_star(path)

    return read


def test_truncation_anywhere_is_noticed(reader):
    whole = intact()
    between_tables = whole.index(b"\n# version 30001\n\ndata_particles")
    for length in range(1, len(whole)):
        try:
            star = reader(whole[:length])
        except StarError as error:
            assert error.line, str(error)
            continue
        complete = len(star.get("particles", ())) == N_ROWS or length <= between_tables + 40
        assert complete or star.problems, length


def test_a_flipped_byte_loses_no_row(reader):
    whole = intact()
    chance = random.Random(5)
    for _ in range(1500):
        place, byte = chance.randrange(len(whole)), chance.randrange(256)
        damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
        try:
            star = reader(damaged)
        except StarError as error:
            assert "damaged.star" in str(error)
            continue
        tables = list(star.values())
        assert [len(table) for table in tables] == [1, N_ROWS], (place, byte)


def test_random_bytes_never_crash(reader):
    chance = random.Random(6)
    alphabet = [b"data_", b"loop_", b"_rlnA", b"\n", b" ", b'"', b"#", b"\x00", b"1.5", b"\xff", b"\r", b"'"]
    for _ in range(1000):
        content = b"".join(chance.choice(alphabet) for _ in range(chance.randrange(40)))
        try:
            format_star(reader(content))
        except StarError as error:
            assert "damaged.star" in str(error)
