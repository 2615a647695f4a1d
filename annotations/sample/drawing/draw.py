"""One picture from its description: which kind of thing, in which colours, seen how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

from annotations.sample.drawing import home, kitchen, tech, wear, wear_more
from annotations.sample.drawing.canvas import Canvas, Colour, bright, ground, lay, lit, mix, shade

COLOURS: dict[str, Colour] = {
    "black": (50, 52, 59),
    "white": (246, 244, 238),
    "grey": (141, 146, 152),
    "silver": (199, 204, 208),
    "blue": (66, 112, 178),
    "navy": (44, 60, 97),
    "light-blue": (156, 195, 219),
    "green": (86, 142, 108),
    "olive": (118, 122, 80),
    "red": (194, 68, 62),
    "burgundy": (116, 42, 58),
    "pink": (231, 170, 178),
    "purple": (146, 124, 182),
    "yellow": (231, 191, 82),
    "orange": (217, 126, 70),
    "brown": (126, 86, 62),
    "camel": (194, 151, 106),
    "beige": (222, 206, 178),
    "gold": (204, 168, 98),
    "transparent": (206, 226, 228),
}
"""What a colour tag looks like. Calm on purpose: the page around the picture is."""

CLOSE_BY = {False: (22.0, 12.0, 56.0), True: (28.0, 30.0, 56.0)}
"""The part of a drawing that a detail shows (left, top and width in units), by whether the thing stands."""

_DRAWERS: dict[str, tuple[Callable[[Canvas], None], bool]] = {
    **{
        name: (paint, stands)
        for module in (wear, wear_more, tech, kitchen, home)
        for name, paint, stands in module.KINDS
    }
}


def kinds() -> list[str]:
    """The kinds of things that can be drawn."""
    return sorted(_DRAWERS)


def draw(picture: Mapping[str, Any], size: int = 640) -> Image.Image:
    """The picture of one product, RGB, ``size`` pixels square; the same description always gives the same pixels.

    ``picture`` holds ``kind``, ``colour`` and maybe ``accent`` (colour tags), ``pattern``, and ``view``: "whole"
    (the default), "detail" (close by) or "range" (one of each of ``colours``). KeyError for an unknown kind or colour.
    """
    view, stands = picture.get("view", "whole"), _DRAWERS[picture["kind"]][1]
    base = ground(size, _ground_colour(COLOURS[picture["colour"]])).copy()
    if view == "range":
        _draw_range(base, picture)
    elif view == "detail":
        lay(base, *_thing(picture, size, window=CLOSE_BY[stands]), standing=False)
    else:
        lay(base, *_thing(picture, size), standing=stands)
    return base


def _thing(
    picture: Mapping[str, Any], side: int, window: tuple[float, float, float] = (0, 0, 100)
) -> tuple[Image.Image, tuple[int, int]]:
    """The thing alone, lit, and where it goes on a sheet of ``side`` pixels."""
    paint, _ = _DRAWERS[picture["kind"]]
    accent = COLOURS[picture["accent"]] if "accent" in picture else None
    canvas = Canvas(side, COLOURS[picture["colour"]], accent, picture.get("pattern", "plain"), window)
    paint(canvas)
    part, at = canvas.picture()
    return lit(part, at, side), at


def _draw_range(base: Image.Image, picture: Mapping[str, Any]) -> None:
    """The family side by side: two beside each other, three and four in two rows."""
    size, colours = base.size[0], picture["colours"][:4]
    places = {
        1: [(0.5, 0.5)],
        2: [(0.27, 0.5), (0.73, 0.5)],
        3: [(0.5, 0.28), (0.27, 0.72), (0.73, 0.72)],
        4: [(0.27, 0.28), (0.73, 0.28), (0.27, 0.72), (0.73, 0.72)],
    }[len(colours)]
    side, sheet = round(size * 0.5), Image.new("RGBA", base.size, 0)
    for colour, (x, y) in zip(colours, places, strict=True):
        one, at = _thing({"kind": picture["kind"], "colour": colour, "pattern": picture.get("pattern", "plain")}, side)
        sheet.paste(one, (round(size * x - side / 2) + at[0], round(size * y - side / 2) + at[1]))
    lay(base, sheet, (0, 0), standing=False)


def _ground_colour(colour: Colour) -> Colour:
    """A pale relative of the product's colour; pale products get a ground dark enough to stand out from."""
    pale = mix((238, 234, 227), colour, 0.2)
    if bright(colour) > 0.86:
        return (205, 209, 203)
    return shade(pale, 0.18) if bright(colour) < 0.3 else shade(pale, 0.06)
