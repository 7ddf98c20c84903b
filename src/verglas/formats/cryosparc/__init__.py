"""cryoSPARC's `.cs` files: reading, joining, writing, and the way to our STAR tables and back.

    dataset = join_by_uid(read_cs("J42_particles.cs"), read_cs("J42_passthrough_particles.cs"))
    optics, particles = tables_from_cs(dataset)
    write_cs("ours.cs", cs_from_tables(optics, particles, template=dataset))

Conventions (published by pyem, and its author's and cryoSPARC's answers to users): poses are
rotation vectors whose transposed matrix is RELION's A; shifts have RELION's sign and are in pixels
of `psize_A`; angles are in radians; image numbers count from 0; classes and halves from 0.
"""

from verglas.formats.cryosparc.dataset import join_by_uid, read_cs, write_cs
from verglas.formats.cryosparc.from_tables import cs_from_tables
from verglas.formats.cryosparc.to_tables import CsTables, tables_from_cs

__all__ = ["CsTables", "cs_from_tables", "join_by_uid", "read_cs", "tables_from_cs", "write_cs"]
