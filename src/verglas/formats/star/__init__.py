"""STAR files: read every dialect RELION wrote (2.1 to 5), write exactly as RELION writes.

    star = read_star("Extract/job005/particles.star")
    particles = star["particles"]
    defocus_u_angst = particles.floats("rlnDefocusU")
    write_star(path, [star["optics"], particles.take(rows)])

Labels carry no leading underscore. Columns stay the text of the file until a typed accessor reads
them, so that what nobody touched is written back to the byte. Rules: pipeline.md §5.1.
Importing this package loads neither numpy nor polars nor numba.
"""

from verglas.formats.star.errors import StarError
from verglas.formats.star.file import StarFile, read_star
from verglas.formats.star.optics import OpticsTables, upgrade_optics
from verglas.formats.star.table import StarTable, concatenate
from verglas.formats.star.writing import format_star, write_star

__all__ = [
    "OpticsTables",
    "StarError",
    "StarFile",
    "StarTable",
    "concatenate",
    "format_star",
    "read_star",
    "upgrade_optics",
    "write_star",
]
