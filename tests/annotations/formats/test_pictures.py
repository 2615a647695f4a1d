"""Pictures: only three kinds, checked before decoding, re-encoded without metadata, found by name and never by path."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from annotations.formats.pictures import PictureRefused, kind_of, open_pictures, reencode, thumbnail
from annotations.formats.rows import FileRefused, Limits, Problem


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_three_kinds_are_taken_and_named_by_what_is_in_them(kind: str) -> None:
    data = encoded(Image.new("RGB", (50, 30), "red"), kind)
    picture = reencode(data)
    assert (picture.width, picture.height, picture.suffix) == (50, 30, ".jpg")
    assert picture.sha256 == hashlib.sha256(picture.data).hexdigest() and picture.name == f"{picture.sha256}.jpg"
    assert kind_of(picture.data) == "JPEG" and picture.data != data
    assert reencode(data) == picture
    red, green, blue = Image.open(io.BytesIO(picture.data)).convert("RGB").getpixel((25, 15))  # type: ignore[misc]
    assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + b"x" * 100,
        b"BM" + b"x" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%!PS-Adobe",
        b"II*\0" + b"x" * 100,
    ],
)
def test_other_kinds_are_refused_by_their_first_bytes(data: bytes) -> None:
    with pytest.raises(PictureRefused) as refused:
        reencode(data)
    assert refused.value.code == "picture-kind"


def test_metadata_is_gone_and_the_turn_it_asked_for_is_done() -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste("black", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise
    exif[0x010F] = "SECRET MAKER"
    data = encoded(image, "JPEG", exif=exif, comment=b"SECRET COMMENT", quality=95)
    assert b"SECRET" in data
    picture = reencode(data)
    assert b"SECRET" not in picture.data and b"Exif" not in picture.data
    again = Image.open(io.BytesIO(picture.data))
    assert again.size == (20, 40) and not again.getexif()
    assert again.convert("L").getpixel((10, 5)) < 60 and again.convert("L").getpixel((10, 35)) > 200  # type: ignore[operator]


def test_transparent_becomes_white_and_deep_grey_stays_grey() -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert Image.open(io.BytesIO(reencode(encoded(clear, "PNG")).data)).getpixel((5, 5)) == (255, 255, 255)
    grey = Image.new("I;16", (20, 20), 0x8000)
    level = Image.open(io.BytesIO(reencode(encoded(grey, "PNG")).data)).getpixel((5, 5))
    assert all(abs(c - 128) < 4 for c in level)  # type: ignore[union-attr]
    palette = Image.new("P", (20, 20), 3)
    assert reencode(encoded(palette, "PNG", transparency=3)).width == 20


def test_large_pictures_are_made_smaller_and_a_thumbnail_smaller_still() -> None:
    picture = reencode(encoded(Image.new("RGB", (3200, 1000), "blue"), "JPEG"))
    assert (picture.width, picture.height) == (1600, 500)
    small = thumbnail(picture)
    assert (small.width, small.height) == (320, 100) and small.sha256 != picture.sha256


def test_too_many_pixels_are_refused_before_decoding() -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    with pytest.raises(PictureRefused) as refused:
        reencode(bomb)
    assert refused.value.code == "picture-pixels" and refused.value.limit == "40"
    good = encoded(Image.new("RGB", (100, 100)), "PNG")
    with pytest.raises(PictureRefused):
        reencode(good, limits=Limits(picture_pixels=9_999))
    assert reencode(good, limits=Limits(picture_pixels=10_000)).width == 100
    with pytest.raises(PictureRefused):
        reencode(good, limits=Limits(picture_bytes=len(good) - 1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_pictures_are_problems_and_nothing_else(kind: str) -> None:
    data = encoded(Image.linear_gradient("L").convert("RGB"), kind)
    refused = 0
    for cut in range(0, len(data), max(1, len(data) // 60)):
        for broken in (data[:cut], data[:cut] + b"\xff\x00\xff" + data[cut + 3 :]):
            try:
                reencode(broken)
            except PictureRefused as error:
                refused += 1
                assert error.code.startswith("picture-")
    assert refused > 20


@pytest.fixture(params=["zip", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path, jpeg: bytes) -> Path:
    names = ["images/m/h/MH01-black.jpg", "images/a/same.jpg", "images/b/same.jpg", "图片/手表.jpg", "with space.png"]
    if request.param == "folder":
        for name in names:
            path = tmp_path / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg + name.encode())
        (tmp_path / "secret.jpg").write_bytes(jpeg + b"SECRET")
        (tmp_path / "pictures" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
        return tmp_path / "pictures"
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as z:
        for name in names:
            z.writestr(name, jpeg + name.encode())
        z.writestr("../../outside.jpg", jpeg + b"outside")
    return tmp_path / "pictures.zip"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("images/m/h/MH01-black.jpg", "images/m/h/MH01-black.jpg"),
        ("/M/H/mh01-BLACK.JPG", "images/m/h/MH01-black.jpg"),
        ("images\\m\\h\\mh01-black.jpg", "images/m/h/MH01-black.jpg"),
        ("mh01-black.jpg", "images/m/h/MH01-black.jpg"),
        ("./other/folder/mh01-black.jpg", "images/m/h/MH01-black.jpg"),
        ("https://shop.example/media/MH01-black.jpg?width=200", "images/m/h/MH01-black.jpg"),
        ("https://shop.example/with%20space.png#x", "with space.png"),
        ("手表.jpg", "图片/手表.jpg"),
        ("b/same.jpg", "images/b/same.jpg"),
    ],
)
def test_names_are_found_whatever_their_case_slashes_and_folders(place: Path, asked: str, found: str) -> None:
    with open_pictures(place) as pictures:
        data = pictures(asked)
    assert isinstance(data, bytes) and data.endswith(found.encode())


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("same.jpg", "picture-ambiguous"),
        ("missing.jpg", "picture-missing"),
        ("../secret.jpg", "picture-missing"),
        ("/etc/passwd", "picture-missing"),
        ("link.jpg", "picture-missing"),
        ("images/../../secret.jpg", "picture-missing"),
        ("", "picture-missing"),
        ("\0", "picture-missing"),
    ],
)
def test_nothing_outside_is_reached_and_doubt_is_a_problem(place: Path, asked: str, code: str) -> None:
    with open_pictures(place) as pictures:
        got = pictures(asked, file="t.csv", line=7)
    assert isinstance(got, Problem)
    assert (got.code, got.file, got.line, got.severity) == (code, "t.csv", 7, "warning")


def broken_zip(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize("make", [broken_zip, lambda data: b"not a zip at all", lambda data: b""])
def test_a_broken_archive_is_refused(tmp_path: Path, jpeg: bytes, make: Callable[[bytes], bytes]) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("a.jpg", jpeg)
    path = tmp_path / "a.zip"
    path.write_bytes(make(out.getvalue()))
    with pytest.raises(FileRefused) as refused:
        open_pictures(path)
    assert refused.value.code == "broken-zip"


def test_members_bytes_and_ratio_of_a_zip_are_limited(tmp_path: Path, jpeg: bytes) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for n in range(20):
            z.writestr(f"{n}.jpg", jpeg)
        z.writestr("bomb.jpg", b"\0" * 20_000_000)
    with pytest.raises(FileRefused, match="19 files"):
        open_pictures(path, limits=Limits(zip_members=19))
    with open_pictures(path) as pictures:
        bomb = pictures("bomb.jpg")
        assert isinstance(bomb, Problem) and bomb.code == "picture-inflates"
        assert pictures("3.jpg") == jpeg
    with open_pictures(path, limits=Limits(zip_inflated_bytes=len(jpeg) * 3)) as pictures:
        kinds = [isinstance(pictures(f"{n}.jpg"), Problem) for n in range(5)]
    assert kinds == [False, False, False, True, True]
    with open_pictures(path, limits=Limits(picture_bytes=10)) as pictures:
        got = pictures("1.jpg")
        assert isinstance(got, Problem) and got.code == "picture-bytes"
