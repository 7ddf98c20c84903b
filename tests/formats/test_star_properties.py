"""Whatever a program puts in comes out again; the compiled and the plain code agree; so do others."""

import math
import random

import numpy as np
import pytest
import starfile
from gemmi import cif
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from verglas.formats.star import StarTable, concatenate, format_star, read_star, rows, write_star, writing
from verglas.formats.star.tokens import format_float, quote, split_tokens, unquote

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12) | st.text(
    " \"'ab#\t_", max_size=8
)
floats = st.floats(allow_nan=False) | st.floats(-1e6, 1e6)
ints = st.integers(-(2**53), 2**53)
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def compiled(monkeypatch):
    def switch(on):
        monkeypatch.setattr(rows, "LARGE_BYTES", 0 if on else 10**9)
        monkeypatch.setattr(writing, "LARGE_CELLS", 0 if on else 10**9)

    return switch


@given(texts)
@example('a "b" c"')
@example('"')
@example(" ")
def test_a_string_survives_quoting(text):
    token = quote(text)
    assert split_tokens(f"  {token} x") == [token, "x"]
    assert unquote(token) == text


@given(floats)
@example(0.001)
@example(-0.001)
@example(100000.0)
@example(1e-9)
@example(-0.0)
@example(0.0000005)
def test_numbers_have_relions_form(value):
    text = format_float(value)
    plain = value == 0 or 0.001 <= abs(value) <= 100000
    form = ("%.5f" if value < 0 else "%.6f") if plain else ("%.5e" if value < 0 else "%.6e")
    assert text == (form % value)[: 12 if plain else None]


def ties():
    """Doubles whose decimal expansion ends in exactly five behind the last digit, and neighbours."""
    chance = random.Random(3)
    for _ in range(3000):
        tie = chance.randrange(1, 100000 * 64, 2) / 64 / 2
        yield from (tie, -tie, math.nextafter(tie, 0), math.nextafter(-tie, -math.inf))
        yield round(chance.uniform(0.001, 100), 6) + 5e-7
        yield chance.uniform(-1, 1) * 10.0 ** chance.randrange(-12, 12)


def test_the_compiled_writer_rounds_as_printf(compiled):
    values = [0.0, -0.0, math.inf, -math.inf, math.nan, 0.001, 99999.9999999, -100000.0, 2**-60, *ties()]
    compiled(True)
    table = StarTable.from_columns("t", {"rlnDefocusU": np.array(values)})
    lines = format_star(table).split(b"_rlnDefocusU #1 \n")[1].splitlines()[:-1]
    assert [line.decode() for line in lines] == [f"{format_float(value):>12} " for value in values]


@st.composite
def tables(draw):
    count = draw(st.integers(1, 5))
    column = st.one_of(
        st.tuples(st.just("rlnMicrographName"), st.lists(texts, min_size=count, max_size=count)),
        st.tuples(st.just("rlnDefocusU"), st.lists(floats, min_size=count, max_size=count)),
        st.tuples(st.just("rlnClassNumber"), st.lists(ints, min_size=count, max_size=count)),
        st.tuples(st.just("myOwnLabel"), st.lists(texts, min_size=count, max_size=count)),
    )
    columns = dict(draw(st.lists(column, min_size=1, max_size=4, unique_by=lambda one: one[0])))
    name = draw(st.sampled_from(["", "particles", "x_1"]))
    return StarTable.from_columns(name, columns, version=draw(st.sampled_from([None, 30001, 50001])))


@relaxed
@given(table=tables())
def test_write_read_write_is_identical_in_both_codes(table, tmp_path, compiled):
    path = tmp_path / "t.star"
    for precision in ("relion", "full"):
        written = set()
        for fast in (False, True):
            compiled(fast)
            write_star(path, table, precision=precision, durable=False)
            written.add(path.read_bytes())
            back = read_star(path)[table.name]
            assert format_star(back) == path.read_bytes()
            for label in table.labels:
                assert back.strings(label) == [
                    unquote(token) for token in table.column(label).tokens(precision == "full")
                ]
            if "rlnDefocusU" in table and precision == "full":
                np.testing.assert_array_equal(back.floats("rlnDefocusU"), table.floats("rlnDefocusU"))
            if "rlnClassNumber" in table:
                np.testing.assert_array_equal(back.ints("rlnClassNumber"), table.ints("rlnClassNumber"))
            assert back.frame.shape == (len(table), len(table.labels))
            again = concatenate([back.take([0]), back.take(range(1, len(back)))])
            assert format_star(again) == path.read_bytes()
        assert len(written) == 1


@relaxed
@given(values=st.lists(st.text("0123456789+-.eEnaif", min_size=1, max_size=9), min_size=1, max_size=20))
def test_both_codes_read_the_same_numbers(values, tmp_path, compiled):
    path = tmp_path / "n.star"
    lines = "".join(f"{value}\n" for value in values)
    path.write_text(f"data_\nloop_\n_rlnDefocusU #1\n{lines}\n")
    found = []
    for fast in (False, True):
        compiled(fast)
        try:
            found.append(read_star(path).first.floats("rlnDefocusU").tolist())
        except ValueError as error:
            found.append(str(error))
    assert repr(found[0]) == repr(found[1])


def test_starfile_and_gemmi_read_what_we_write(tmp_path):
    path = tmp_path / "p.star"
    optics = StarTable.from_columns("optics", {"rlnOpticsGroup": [1], "rlnOpticsGroupName": ["one group"]})
    columns = {
        "rlnImageName": ["000001@a.mrcs", "000002@with blank.mrcs"],
        "rlnDefocusU": [12345.678, -0.00001],
        "rlnClassNumber": [1, 20],
    }
    write_star(path, [optics, StarTable.from_columns("particles", columns)])
    frame = starfile.read(path)["particles"]
    assert frame["rlnImageName"].tolist() == columns["rlnImageName"]
    np.testing.assert_allclose(frame["rlnDefocusU"], [12345.678, -0.00001])
    block = cif.read(str(path)).find_block("particles")
    assert [cif.as_string(value) for value in block.find_loop("_rlnImageName")] == columns["rlnImageName"]
    assert list(block.find_loop("_rlnClassNumber")) == ["1", "20"]
