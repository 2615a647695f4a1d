"""Pictures of products, read safely and brought to one size. No torch.

A picture is a file on this machine, named by :attr:`ml.examples.Example.image`. What cannot be read is told by name and
counts as missing, which is normal: a model must answer from the text then.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ml.examples import Example

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MAX_BYTES = 32 * 2**20
MAX_PIXELS = 64_000_000  # what a picture may claim to be before a single pixel of it is decoded


class PictureError(ValueError):
    """A file that is no picture we read; the message names it and says why."""


def read_picture(path: Path, size: int) -> np.ndarray:
    """``(size, size, 3)`` uint8: turned as its EXIF says, on white, first frame, squeezed to a square (as ViT's own
    processor does), bicubic.

    Bytes and pixels are checked before anything is decoded. Raises PictureError.
    """
    try:
        if (size_in_bytes := path.stat().st_size) > MAX_BYTES:
            raise PictureError(f"{path.name}: {size_in_bytes} bytes, at most {MAX_BYTES} are read")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes by a limit of its own; ours is the next line
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise PictureError(f"{path.name}: {image.width} x {image.height} pixels, too many")
                image.draft("RGB", (2 * size, 2 * size))  # a JPEG is decoded at a fraction of its size
                flat = on_white(ImageOps.exif_transpose(image))
                return np.asarray(flat.resize((size, size), Image.Resampling.BICUBIC), dtype=np.uint8)
    except PictureError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged files
        why = getattr(error, "strerror", None) or str(error).replace(str(path), path.name) or type(error).__name__
        raise PictureError(f"{path.name}: cannot be read as a picture ({why})") from error


def on_white(image: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGB", layered.size, "white")
        ground.paste(layered, mask=layered.getchannel("A"))
        return ground
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit greys, which a plain conversion would clip
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGB")


def read_pictures(
    paths: Sequence[str], size: int, broken: Callable[[str], None] = lambda words: None
) -> tuple[np.ndarray, np.ndarray]:
    """``(pixels (n, size, size, 3) uint8, seen (n,) bool)``; not seen are empty paths and what cannot be read, of
    which ``broken`` is told, by name."""
    pixels = np.zeros((len(paths), size, size, 3), dtype=np.uint8)
    seen = np.zeros(len(paths), dtype=bool)
    for row, path in enumerate(paths):
        if path:
            try:
                pixels[row], seen[row] = read_picture(Path(path), size), True
            except PictureError as error:
                broken(str(error))
    return pixels, seen


def located(examples: Iterable[Example], folder: Path) -> Iterator[Example]:
    """The examples with their pictures' whole paths; a relative one is looked for in ``folder``.

    Raises PictureError for one that leads out of the folder: a file of examples chooses among pictures, not among files.
    """
    root = folder.resolve()
    for example in examples:
        if not example.image:
            yield example
            continue
        path = (root / example.image).resolve()
        if not path.is_relative_to(root):
            raise PictureError(f"{example.id}: its picture {example.image!r} does not lie in {root}")
        yield replace(example, image=str(path))


def picture_key(path: str) -> bytes:
    """32 bytes that name the picture at a path for caches: zeros for none. Its bytes are not read: path, size and time
    of change tell an exchanged file, and shops name pictures by their contents anyway."""
    if not path:
        return bytes(32)
    try:
        stat = Path(path).stat()
        said = f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}"
    except OSError:
        said = path
    return hashlib.sha256(said.encode()).digest()
