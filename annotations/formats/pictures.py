"""Pictures in: found in a zip or a folder by name, checked, and re-encoded so that nothing of the sent bytes is kept.

No name that a user sent is ever joined to a path: a folder is listed once and names are looked up in that list, a zip's
members are only read, and what is written is named by its own sha256.
"""

from __future__ import annotations

import hashlib
import io
import os
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from PIL import Image, ImageOps, UnidentifiedImageError

from annotations.formats.rows import FileRefused, Limits, Problem, problem

LONGEST_SIDE = 1600
THUMBNAIL_SIDE = 320
QUALITY = 85
KINDS = ("JPEG", "PNG", "WEBP")
ZIP_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
"""What zipfile raises for damage, unknown compression (NotImplementedError) and passwords (RuntimeError)."""
RATIO_FROM = 1 << 20


@dataclass(frozen=True, slots=True)
class Picture:
    """A re-encoded picture: ``name`` is its sha256 and suffix, the only name it is ever stored under."""

    data: bytes
    sha256: str
    width: int
    height: int
    suffix: str

    @property
    def name(self) -> str:
        return self.sha256 + self.suffix


def kind_of(data: bytes) -> str:
    """``JPEG``, ``PNG``, ``WEBP``, or empty, by the first bytes and nothing else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return ""


class PictureRefused(Exception):
    """Why a picture is not taken: one of the ``picture-`` codes and its limit."""

    def __init__(self, code: str, limit: object = "") -> None:
        super().__init__(code)
        self.code, self.limit = code, limit

    def as_problem(self, *, file: str, line: int = 0, column: str = "", value: object = "") -> Problem:
        return problem(
            self.code, file=file, line=line, column=column, value=value, severity="warning", limit=self.limit
        )


def reencode(data: bytes, *, longest: int = LONGEST_SIDE, limits: Limits = Limits()) -> Picture:  # noqa: B008
    """A JPEG, PNG or WebP as a fresh JPEG: turned as its EXIF says, on white, at most ``longest`` pixels on a side.

    Metadata, colour profiles and further frames are gone. The same bytes give the same picture. Size in pixels is read
    from the header and checked before anything is decoded. Raises PictureRefused.
    """
    kind = kind_of(data)
    if not kind:
        raise PictureRefused("picture-kind")
    if len(data) > limits.picture_bytes:
        raise PictureRefused("picture-bytes", limits.picture_bytes)
    try:
        with warnings.catch_warnings():
            # Pillow warns from a number of pixels of its own on; ours is checked below and is the one that counts.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=(kind,)) as image:
                if image.width * image.height > limits.picture_pixels:
                    raise PictureRefused("picture-pixels", f"{limits.picture_pixels / 1e6:g}")
                image.draft("RGB", (longest, longest))  # JPEG only: decodes at a fraction of its size
                upright = ImageOps.exif_transpose(image)
                return _encoded(_flat(upright), longest)
    except PictureRefused:
        raise
    except Image.DecompressionBombError:
        raise PictureRefused("picture-pixels", f"{limits.picture_pixels / 1e6:g}") from None
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        MemoryError,
        KeyError,
        TypeError,
    ) as error:
        # Pillow's decoders raise all of these on damaged files.
        raise PictureRefused("picture-broken") from error
    except (IndexError, OverflowError, ZeroDivisionError, zlib.error, AttributeError, AssertionError) as error:
        raise PictureRefused("picture-broken") from error


def thumbnail(picture: Picture) -> Picture:
    """The same picture, small. Takes only what :func:`reencode` made."""
    with Image.open(io.BytesIO(picture.data), formats=("JPEG",)) as image:
        return _encoded(image.convert("RGB"), THUMBNAIL_SIDE)


def _flat(image: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGB", layered.size, "white")
        ground.paste(layered, mask=layered.getchannel("A"))
        return ground
    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit greys would be clipped to white by a plain conversion.
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    return image.convert("RGB")


def _encoded(image: Image.Image, longest: int) -> Picture:
    if max(image.size) > longest:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    # A fresh image takes no EXIF, XMP or profile along.
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    clean.save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    data = out.getvalue()
    return Picture(data, hashlib.sha256(data).hexdigest(), clean.width, clean.height, ".jpg")


def key_of(name: str) -> str:
    """A picture's name as it is looked up: one separator, no case, no leading ``./`` or ``/``, one Unicode form."""
    text = unicodedata.normalize("NFC", name).replace("\\", "/").casefold().strip()
    return "/".join(part for part in text.split("/") if part not in ("", "."))


class Pictures:
    """Pictures of one zip or folder by name. Call it with a name as it stands in the table.

    A name is looked for whole, then as the end of a longer path, then by its last part alone where only one picture
    has that; case and kind of slash do not matter, and an address counts by its path. Use ``with``, or close it.

    Raises FileRefused when made: the archive is broken or over a limit.
    """

    def __init__(self, place: str | os.PathLike[str], *, limits: Limits = Limits()) -> None:  # noqa: B008
        self.limits = limits
        self._place = Path(place)
        self.file = self._place.name
        self._zip: zipfile.ZipFile | None = None
        self._inflated = 0
        self._exact: dict[str, str] = {}
        self._last: dict[str, list[str]] = {}
        for name in self._folder() if self._place.is_dir() else self._archive():
            key = key_of(name)
            self._exact.setdefault(key, name)
            self._last.setdefault(key.rpartition("/")[2], []).append(key)

    def _folder(self) -> list[str]:
        """Names below the folder; links are not followed and not listed."""
        found: list[str] = []
        for folder, _, files in os.walk(self._place, followlinks=False):
            for name in files:
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink():
                    found.append(path.relative_to(self._place).as_posix())
            if len(found) > self.limits.zip_members:
                raise FileRefused("zip-limit", self.file, detail=f"more than {self.limits.zip_members} files")
        return sorted(found)

    def _archive(self) -> list[str]:
        try:
            self._zip = zipfile.ZipFile(self._place)
            members = [i for i in self._zip.infolist() if not i.is_dir()]
        except ZIP_BROKEN as error:
            raise FileRefused("broken-zip", self.file, detail=str(error)[:100] or type(error).__name__) from error
        if len(members) > self.limits.zip_members:
            self.close()
            raise FileRefused("zip-limit", self.file, detail=f"more than {self.limits.zip_members} files")
        hidden = ("__MACOSX/", ".", "Thumbs.db")
        return [i.filename for i in members if not i.filename.startswith(hidden)]

    def find(self, name: str) -> str | None:
        """The member or file meant by a name; None where none or more than one could be. Raises nothing."""
        if "://" in name:
            name = unquote(name.split("://", 1)[1].split("?", 1)[0].split("#", 1)[0])
        key = key_of(name)
        if key in self._exact:
            return self._exact[key]
        last = self._last.get(key.rpartition("/")[2], [])
        ends = [k for k in last if k.endswith("/" + key)] or last
        return self._exact[ends[0]] if len(set(ends)) == 1 else None

    def __call__(self, name: str, *, file: str = "", line: int = 0, column: str = "image") -> bytes | Problem:
        """The bytes of a picture as sent (pass them to :func:`reencode`), or the problem, as a warning."""
        member = self.find(name)
        if member is None:
            ambiguous = len(self._last.get(key_of(name).rpartition("/")[2], [])) > 1
            code = "picture-ambiguous" if ambiguous else "picture-missing"
            return PictureRefused(code).as_problem(file=file or self.file, line=line, column=column, value=name)
        try:
            return self._read(member)
        except PictureRefused as refused:
            return refused.as_problem(file=file or self.file, line=line, column=column, value=name)

    def _read(self, member: str) -> bytes:
        limit = self.limits.picture_bytes
        if self._zip is None:
            # ``member`` comes from our own listing of the folder.
            try:
                with (self._place / member).open("rb") as stream:
                    data = stream.read(limit + 1)
            except OSError as error:
                raise PictureRefused("picture-broken") from error
        else:
            data = self._unzip(self._zip, member, limit)
        if len(data) > limit:
            raise PictureRefused("picture-bytes", limit)
        return data

    def _unzip(self, archive: zipfile.ZipFile, member: str, limit: int) -> bytes:
        """Counts what really comes out; the sizes a zip states about itself prove nothing."""
        blocks: list[bytes] = []
        size = 0
        try:
            info = archive.getinfo(member)
            with archive.open(info) as stream:
                while block := stream.read(1 << 16):
                    blocks.append(block)
                    size += len(block)
                    self._inflated += len(block)
                    if size > limit:
                        raise PictureRefused("picture-bytes", limit)
                    if size > RATIO_FROM and size > self.limits.zip_ratio * max(1, info.compress_size):
                        raise PictureRefused("picture-inflates")
                    if self._inflated > self.limits.zip_inflated_bytes:
                        raise PictureRefused("picture-inflates")
        except PictureRefused:
            raise
        except (*ZIP_BROKEN, KeyError) as error:
            raise PictureRefused("picture-broken") from error
        return b"".join(blocks)

    def __len__(self) -> int:
        return len(self._exact)

    def close(self) -> None:
        if self._zip is not None:
            self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


Lookup = Callable[[str], bytes | Problem]


def open_pictures(place: str | os.PathLike[str], *, limits: Limits = Limits()) -> Pictures:  # noqa: B008
    """A zip or a folder as ``lookup(name) -> bytes | Problem``. Raises FileRefused."""
    return Pictures(place, limits=limits)
