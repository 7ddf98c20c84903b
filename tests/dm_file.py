"""A writer of DigitalMicrograph files for tests, from the public description of the format."""

from __future__ import annotations

import struct

import numpy as np


def dm_file(images: list[np.ndarray], version: int = 4, order: str = "<") -> bytes:
    """A DM3 or DM4 file with a thumbnail-like list of images, and tags of every kind around them."""
    size = ">Q" if version == 4 else ">I"

    def directory(entries: list[tuple[str, bytes, int]]) -> bytes:
        body = struct.pack(">BB", 1, 0) + struct.pack(size, len(entries))
        for name, content, kind in entries:
            body += struct.pack(">BH", kind, len(name)) + name.encode()
            body += struct.pack(size, len(content)) if version == 4 else b""
            body += content
        return body

    def described(info: list[int], data: bytes) -> bytes:
        return b"%%%%" + b"".join(struct.pack(size, n) for n in (len(info), *info)) + data

    def number(value: int) -> bytes:
        return described([5], struct.pack(order + "I", value))

    def image(array: np.ndarray) -> bytes:
        kind = {"int16": (1, 2), "float32": (2, 6), "uint8": (6, 8), "uint16": (10, 4)}
        dm_type, code = kind[array.dtype.name]
        pixels = array.astype(array.dtype.newbyteorder(order)).tobytes()
        sides = directory([("", number(side), 21) for side in array.shape[::-1]])
        scale = described([15, 0, 2, 0, 6, 0, 6], struct.pack(order + "2f", 1.0, 2.0))
        data = directory(
            [
                ("Calibration", scale, 21),
                ("Data", described([20, code, array.size], pixels), 21),
                ("DataType", number(dm_type), 21),
                ("Dimensions", sides, 20),
                ("PixelDepth", number(array.itemsize), 21),
            ]
        )
        return directory([("ImageData", data, 20)])

    text = described([18, 8 if version == 3 else 4], "gain".encode("utf-16-le"))
    rows = described([20, 15, 0, 2, 0, 2, 0, 6, 3], bytes(3 * 6))
    listing = directory([("", image(array), 20) for array in images])
    root = directory(
        [("Name", text, 21), ("Rows", rows, 21), ("ImageList", listing, 20), ("End", number(1), 21)]
    )
    head = struct.pack(">I", version) + struct.pack(size, len(root))
    return head + struct.pack(">I", 1 if order == "<" else 0) + root
