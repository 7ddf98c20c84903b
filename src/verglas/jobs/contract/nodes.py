"""Node types: what a file in the pipeline graph is (pipeline.md §2.1).

RELION <= 3.1 writes the numeric code, 4 and 5 the label. `label` is the root of RELION 5; a job may
attach a longer label (`...relion.class2d`) to a particular output.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeType:
    """One kind of file that jobs hand to each other."""

    name: str  # how messages and the pages call it
    code: int | None  # RELION <= 3.1; None where 3.1 has no code
    label: str  # RELION 5, "TopLevel.ext.keywords"

    @property
    def top_level(self) -> str:
        """The `.Nodes` sub-directory of RELION 4 and 5."""
        return self.label.split(".", 1)[0]


MOVIES = NodeType("movies", 0, "MicrographMovieGroupMetadata.star.relion")
MICROGRAPHS = NodeType("micrographs", 1, "MicrographGroupMetadata.star.relion")
COORDINATES = NodeType("coordinates", 2, "MicrographCoordsGroup.star.relion")
PARTICLES = NodeType("particles", 3, "ParticleGroupMetadata.star.relion")
MOVIE_PARTICLES = NodeType("movie particles", 4, "ParticleGroupMetadata.star.relion.movie")
REFERENCES_2D = NodeType("2D references", 5, "Image2DGroupMetadata.star.relion")
MAP = NodeType("3D map", 6, "DensityMap.mrc")
MASK = NodeType("3D mask", 7, "Mask3D.mrc")
MODEL = NodeType("model", 8, "ParticleGroupMetadata.star.relion.model")
OPTIMISER = NodeType("optimiser", 9, "OptimiserData.star.relion")
HALF_MAP = NodeType("half-map", 10, "DensityMap.mrc.halfmap")
FINAL_MAP = NodeType("final map", 11, "DensityMap.mrc.relion.postprocess")
LOCAL_RESOLUTION_MAP = NodeType("local-resolution map", 12, "Image3D.mrc.localresmap")
LOGFILE = NodeType("log", 13, "LogFile.pdf.relion")
POSTPROCESS = NodeType("postprocess", 14, "ProcessData.star.relion.postprocess")
POLISH_PARAMETERS = NodeType("polishing parameters", 15, "ParamsData.txt.relion.polish")

NODE_TYPES: tuple[NodeType, ...] = (
    MOVIES,
    MICROGRAPHS,
    COORDINATES,
    PARTICLES,
    MOVIE_PARTICLES,
    REFERENCES_2D,
    MAP,
    MASK,
    MODEL,
    OPTIMISER,
    HALF_MAP,
    FINAL_MAP,
    LOCAL_RESOLUTION_MAP,
    LOGFILE,
    POSTPROCESS,
    POLISH_PARAMETERS,
)


@dataclass(frozen=True, slots=True)
class Node:
    """A named output: path relative to the project root, what it is, and RELION 5's full label."""

    name: str
    type: NodeType
    label: str = ""  # empty: the type's own label

    @property
    def full_label(self) -> str:
        return self.label or self.type.label
