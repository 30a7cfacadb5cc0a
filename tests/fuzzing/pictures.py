"""Small valid pictures of every kind that Pillow writes, by the file's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import ExifTags, Image

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (24, 17)  # width, height


def write_pictures(folder: Path) -> None:
    """JPEG, PNG, WebP, GIF, BMP and TIFF, of every mode, compression and extra that the decoder has a word for."""
    noise = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "a camera"
    files: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "rgb.jpg": (picture, {}),
        "exif.jpg": (picture, {"exif": exif, "icc_profile": b"a profile" * 9, "comment": b"words"}),
        "progressive.jpg": (picture, {"progressive": True, "restart_marker_rows": 1}),
        "gray.jpg": (picture.convert("L"), {}),
        "cmyk.jpg": (picture.convert("CMYK"), {}),
        "exif.png": (picture, {"exif": exif, "icc_profile": b"a profile" * 9}),
        "transparent.png": (picture.quantize(16), {"transparency": 3}),
        "rgb-transparent.png": (picture, {"transparency": (1, 2, 3)}),
        "several.png": (picture, {"save_all": True, "append_images": [picture.rotate(90)]}),
        "deep.png": (Image.fromarray(noise[..., 0].astype(np.uint16) * 257), {}),
        "lossy.webp": (picture, {"exif": exif}),
        "lossless.webp": (picture.convert("RGBA"), {"lossless": True}),
        "several.webp": (picture, {"save_all": True, "append_images": [picture.rotate(90)]}),
        "picture.gif": (picture.quantize(16), {"save_all": True, "append_images": [picture.quantize(8)]}),
        "orientation.tif": (picture, {"tiffinfo": {274: 6}}),
        "group4.tif": (picture.convert("1"), {"compression": "group4"}),
    }
    files |= {f"{mode}.png": (picture.convert(mode), {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")}
    files |= {f"{mode}.bmp": (picture.convert(mode), {}) for mode in ("1", "L", "P", "RGB", "RGBA")}
    modes = ("L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F", "1")
    files |= {
        f"{mode}.tif": (picture.convert("L" if mode in "IF" else "RGB").convert(mode), {})
        for mode in modes[:7]
    }
    files |= {f"{mode}.tif": (picture.convert("L").convert(mode), {}) for mode in ("I", "F", "I;16")}
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files[f"{compression}.tiff"] = (picture, {"compression": compression})
    for name, (of_mode, options) in files.items():
        of_mode.save(folder / name, **options)
    cv2.imwrite(str(folder / "deep-colours.png"), noise.astype(np.uint16) * 257)
