"""Grid square and hole of movies: EPU's folders and metadata, SerialEM's mdoc, names, nothing."""

from __future__ import annotations

from pathlib import Path

from verglas.project.results import grid_places
from verglas.project.results.grid_places import GridPlaces

_DM = """<GridSquareXml xmlns="http://x/Epu" xmlns:b="http://x/Generic" xmlns:c="http://x/Drawing">
 <Position xmlns:s="http://x/Shared"><s:X>1.0E-05</s:X><s:Y>-2.5E-05</s:Y></Position>
 <TargetLocations><TargetLocationsEfficient><m_serializationArray>
  {holes}
 </m_serializationArray></TargetLocationsEfficient></TargetLocations></GridSquareXml>"""
_HOLE = """<b:KeyValuePairOfintTargetLocationXmlBpEWF4JT><b:key>{n}</b:key><b:value>
  <Id>{n}</Id><PixelCenter><c:x>{x}</c:x><c:y>{y}</c:y></PixelCenter></b:value>
  </b:KeyValuePairOfintTargetLocationXmlBpEWF4JT>"""


def _epu(root: Path, square: int, hole: int, area: int = 1) -> Path:
    name = f"FoilHole_{hole}_Data_{area}_2_20250108_154915_fractions.tiff"
    return root / f"Images-Disc1/GridSquare_{square}/Data" / name


def test_epus_folders_name_square_and_hole_and_its_metadata_places_them(tmp_path):
    (tmp_path / "Metadata").mkdir()
    holes = "".join(_HOLE.format(n=n, x=10 * n, y=20 * n) for n in (11, 12))
    (tmp_path / "Metadata/GridSquare_7.dm").write_text(_DM.format(holes=holes))
    places = GridPlaces()
    places.extend([_epu(tmp_path, 7, 11), _epu(tmp_path, 7, 11, 2), _epu(tmp_path, 7, 12)])
    places.extend([_epu(tmp_path, 8, 31)])
    assert places.hole_of == [0, 0, 1, 2] and places.source == "EPU"
    first, other = places.squares
    assert (first.name, first.x, first.y) == ("7", 10.0, -25.0) and other.x is None
    assert [(hole.name, hole.x, hole.y) for hole in places.holes] == [
        ("11", 110.0, 220.0),
        ("12", 120.0, 240.0),
        ("31", None, None),
    ]


def test_metadata_that_is_not_complete_costs_the_places_only(tmp_path):
    (tmp_path / "Metadata").mkdir()
    (tmp_path / "Metadata/GridSquare_7.dm").write_text("<GridSquareXml><TargetLo")
    places = GridPlaces()
    places.extend([_epu(tmp_path, 7, 11)])
    assert places.hole_of == [0] and places.holes[0].x is None


def test_stage_and_image_shift_of_serialem_make_squares_and_holes(tmp_path):
    stages = [(0.0, 0.0), (0.0, 0.0), (2.5, 0.0), (120.0, 0.0)]
    shifts = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.0), (0.0, 0.0)]
    movies = []
    for index, (stage, shift) in enumerate(zip(stages, shifts)):
        movie = tmp_path / f"m{index}.tif"
        text = f"[ZValue = 0]\nStagePosition = {stage[0]} {stage[1]}\n"
        Path(f"{movie}.mdoc").write_text(text + f"ImageShift = {shift[0]} {shift[1]}\n")
        movies.append(movie)
    places = GridPlaces()
    places.extend(movies)
    assert places.hole_of == [0, 0, 1, 2]
    assert [hole.square for hole in places.holes] == [0, 0, 1]
    assert places.source == "SerialEM's mdoc"


def test_names_of_multi_shots_and_names_that_tell_nothing(tmp_path):
    names = ["a_X+1Y-1-0.tif", "a_X+1Y-1-1.tif", "a_X0Y0-0.tif", "mov_0001.tif"]
    places = GridPlaces()
    places.extend(tmp_path / name for name in names)
    assert places.hole_of == [0, 0, 1, -1]


def test_one_look_reads_a_bounded_number_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(grid_places, "READ_PER_LOOK", 3)
    places, movies = GridPlaces(), [tmp_path / f"m{n}.tif" for n in range(5)]
    for _ in range(2):
        places.extend(movies[len(places.hole_of) :])
    assert len(places.hole_of) == 5
