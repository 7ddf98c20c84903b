"""What stands in a column where a row has nothing to say: the value that changes nothing."""

from __future__ import annotations

from verglas.formats.labels import LabelType, label_type

_NEUTRAL = {
    "rlnMagMat00": "1",
    "rlnMagMat01": "0",
    "rlnMagMat10": "0",
    "rlnMagMat11": "1",
    "rlnMtfFileName": "",
    "rlnCtfScalefactor": "1",
    "rlnNormCorrection": "1",
    "rlnMicrographBinning": "1",
    "rlnGroupScaleCorrection": "1",
}
_BY_TYPE = {LabelType.STRING: "None", LabelType.VECTOR: "[]"}


def neutral(label: str) -> str:
    """The text for a row that lacks a column: identity, no correction, no file; else 0."""
    kind = label_type(label)
    return _NEUTRAL.get(label, "0" if kind is None else _BY_TYPE.get(kind, "0"))
