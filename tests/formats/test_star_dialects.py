"""Every dialect is read; what is not STAR is refused with file, line and column."""

import pytest

from verglas.formats.star import StarError, format_star, read_star, rows


def star_of(tmp_path, content, **options):
    path = tmp_path / "x.star"
    path.write_bytes(content)
    return read_star(path, **options)


def test_an_empty_file_has_no_tables(tmp_path):
    star = star_of(tmp_path, b"")
    assert len(star) == 0 and star.get("particles") is None
    with pytest.raises(StarError, match="holds no table"):
        _ = star.first


def test_unnamed_table_of_21_without_numbers_or_closing_line(tmp_path):
    star = star_of(tmp_path, b"data_\nloop_\n_rlnMicrographName\na.mrc\nb.mrc\n")
    assert star.first.strings("rlnMicrographName") == ["a.mrc", "b.mrc"]
    assert star.version is None and star.first.name == "" and star.problems == ()


def test_cr_lf_tabs_and_a_missing_last_line_end(tmp_path):
    star = star_of(tmp_path, b"\r\ndata_\r\n\r\nloop_\r\n_rlnA #1\r\n_rlnB #2\r\n1\t2\r\n 3  4")
    assert star.first.strings("rlnA") == ["1", "3"] and star.first.ints("rlnB").tolist() == [2, 4]


def test_two_columns_may_miss_the_second_value(tmp_path):
    star = star_of(tmp_path, b"data_j\nloop_\n_rlnJobOptionVariable #1\n_rlnJobOptionValue #2\na 1\nb\n")
    assert star["j"].strings("rlnJobOptionValue") == ["1", ""]
    assert b'\n         b         "" \n' in format_star(star)


def test_row_comments_of_2x_stay(tmp_path):
    rows = b"         1          2 # good \n         3          4 \n \n"
    content = b"\ndata_\n\nloop_ \n_rlnA #1 \n_rlnB #2 \n" + rows
    star = star_of(tmp_path, content)
    assert star.first.row_comments == ("# good ", "")
    assert format_star(star) == content
    assert star.first.take([0]).row_comments == ("# good ",)


def test_quotes_and_the_bell(tmp_path):
    row = b'"with blank" "" \'a "b" c\' "say \x07"x\x07" y" in"side \n'
    labels = b"".join(b"_rln%c #%d\n" % (65 + n, n + 1) for n in range(5))
    star = star_of(tmp_path, b"data_\nloop_\n" + labels + row)
    found = [star.first.string(label) for label in star.first.labels]
    assert found == ["with blank", "", 'a "b" c', 'say "x" y', 'in"side']


def test_comments_on_top_and_between_tables_stay(tmp_path):
    content = (
        b"# RELION postprocess; version 3.1.3\n# --o here\n\n# version 30001\n\ndata_a\n\n"
        b"_rlnX            one\n \n\n# version 30001\n\ndata_b\n\n_rlnX            two\n \n"
    )
    star = star_of(tmp_path, content)
    assert star.comments == ("# RELION postprocess; version 3.1.3", "# --o here")
    assert format_star(star) == content


def test_tables_directly_behind_rows(tmp_path):
    star = star_of(tmp_path, b"data_a\nloop_\n_rlnA #1\n_rlnB #2\n1 2\ndata_b\nloop_\n_rlnA\ndata_x\n")
    assert star["a"].strings("rlnB") == ["2"] and star["b"].strings("rlnA") == ["data_x"]


LOOP = b"\n# version 30001\n\ndata_p\n\nloop_ \n_rlnA #1 \n_rlnB #2 \n_rlnC #3 \n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LOOP + b"1 2 3 \n1 2 \n \n", r"x\.star:11:5: row 2 of table data_p: expected 3 values, found 2"),
        (LOOP + b"1 2 3 \n1 2 3 4 \n \n", r"x\.star:11:7: row 2 of table data_p: expected 3 values, found 4"),
        (LOOP + b"1 2 \x00 \n \n", r"x\.star:10:5: stray character 0x00"),
        (LOOP + b'1 2 "3 \n \n', r"x\.star:10:1: row 1 of table data_p: the quoted string that starts at"),
        (LOOP + b"1 2 3 \n \n4 5 6 \n", r"x\.star:12:1: expected data_<name>"),
        (LOOP + b"1 2 3 \n4 5", r"x\.star:11:4: row 2 of table data_p: expected 3 values, found 2"),
        (LOOP + b"1 2 3 \n4 5 6", r"cut short"),
        (LOOP.replace(b"loop_ ", b"loop_ _rlnZ"), r"x\.star:6:1: expected the labels below loop_"),
        (LOOP + b"# only a comment\n1 2 \n", r"x\.star:11:5: row 1 of table data_p: expected 3 values"),
        (LOOP + b"_rlnA #4 \n1 2 3 4 \n \n", r"x\.star:10:1: column _rlnA is there twice"),
        (b"movies.star\n", r"x\.star:1:1: expected data_<name>, a comment or an empty line, found 'movies"),
        (b"data_x\nloop_\n1 2\n", r"x\.star:3:1: expected a _label after loop_"),
        (b"data_x\nhello\n", r"x\.star:2:1: expected loop_ or a _label after data_x, found 'hello'"),
        (b"data_x\n_rlnA 1 2\n \n", r"x\.star:2:6: expected one value of _rlnA, found 2"),
        (LOOP + b"1 2 3 \n \n" + LOOP + b"1 2 3 \n \n", r"a second table data_p"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, content, message):
    with pytest.raises(StarError, match=message):
        star_of(tmp_path, content)


HEAD = b"data_p\n\nloop_\n_rlnA #1\n_rlnB #2\n_rlnC #3\n"
ROWS = b"1 2 3\n4 5 6\n"


@pytest.mark.parametrize(
    "content",
    [
        HEAD + b"\n \n" + ROWS,
        HEAD + b"# made by X\n\n#4 5 6\n" + ROWS,
        HEAD.replace(b"_rlnC", b"\n# below\n_rlnC") + ROWS,
        HEAD.replace(b"loop_", b"loop_ # rows") + ROWS,
        HEAD.replace(b"loop_", b"  loop_ rows") + ROWS,
        HEAD.replace(b"data_p", b"data_p # mine") + ROWS,
        HEAD.replace(b"#2", b"# 2 (Angstrom)") + ROWS,
        HEAD.replace(b"#2", b"# in pixels") + ROWS,
        HEAD.replace(b"#2", b"#7") + ROWS,
        HEAD + b"1 2 3\n# a comment of words\n# of 3\n4 5 6\n# behind\n",
        HEAD + b"1 2 3 # good\n4 5 6\n",
        (HEAD + b"\n" + ROWS).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + HEAD + b"\n" + ROWS,
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_layouts_that_relion_reads_are_read(tmp_path, monkeypatch, content, compiled):
    if compiled:
        monkeypatch.setattr(rows, "LARGE_BYTES", 0)
    behind = b"\n# version 30001\n\ndata_q\n\nloop_ \n_rlnA #1 \n_rlnB #2\n\n# version 30001\n\ndata_r\n"
    star = star_of(tmp_path, content + behind)
    assert [star["p"].ints(f"rln{x}").tolist() for x in "ABC"] == [[1, 4], [2, 5], [3, 6]]
    assert list(star) == ["p", "q", "r"] and len(star["q"]) == 0


def test_a_list_goes_on_behind_empty_lines_and_comments(tmp_path):
    content = b"data_g\n\n_rlnA 1 # first\n\n# hello\n\n_rlnB 2\n\n# behind\n\ndata_h\n\n_rlnC 3\n \n"
    star = star_of(tmp_path, content)
    assert star["g"].ints("rlnA").tolist() == [1] and star["g"].ints("rlnB").tolist() == [2]
    assert star["h"].comments == ("# behind",) and star["h"].ints("rlnC").tolist() == [3]


def test_a_row_behind_an_empty_line_is_not_lost_without_a_word(tmp_path):
    with pytest.raises(StarError, match=r"x\.star:9:1: .*empty line ends table data_p, is this one"):
        star_of(tmp_path, HEAD + ROWS.replace(b"\n4", b"\n\n4"))


def test_only_on_request_something_is_passed_over(tmp_path):
    star = star_of(tmp_path, LOOP + b"1 2 3 \n1 2 3 4 \n5 \n \n", permissive=True)
    assert star["p"].strings("rlnC") == ["3", "3", ""]
    assert len(star.problems) == 2 and "x.star:11:7" in star.problems[0]


def test_a_bad_number_is_found_when_it_is_wanted(tmp_path):
    star = star_of(tmp_path, LOOP + b"1 2 3 \n1 2x 1_0 \n \n")
    assert star["p"].ints("rlnA").tolist() == [1, 1]
    with pytest.raises(StarError, match=r"x\.star:11: rlnB of row 2 of table 'p' is '2x'"):
        star["p"].floats("rlnB")
    with pytest.raises(StarError, match=r"x\.star:11: rlnC of row 1 of"):
        star["p"].take([1]).ints("rlnC")
    with pytest.raises(StarError, match="expected 0 or 1, found '3'"):
        star["p"].take([0]).bools("rlnC")


def test_bytes_that_are_not_utf8_survive(tmp_path):
    content = LOOP + b"         1          2 M\xfcller.mrc \n \n"
    star = star_of(tmp_path, content)
    assert format_star(star) == content
    assert star["p"].frame["rlnC"].to_list() == ["M?ller.mrc"]
