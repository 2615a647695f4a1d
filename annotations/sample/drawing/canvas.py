"""A small sheet to draw on: shapes as points in units of 0 to 100, painted too large and shrunk, so that edges are soft.

Nothing here knows what a product is; ``wear``, ``tech`` and ``home`` draw with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFilter

Point = tuple[float, float]
Shape = Sequence[Point]
Colour = tuple[int, int, int]

OVERSAMPLING = 2
INK: Colour = (38, 41, 48)
PAPER: Colour = (247, 245, 240)
STEEL: Colour = (196, 201, 204)
WOOD: Colour = (190, 148, 102)
LEATHER: Colour = (139, 90, 58)
BRASS: Colour = (198, 163, 92)
LEAF: Colour = (92, 132, 92)


# -- colours ----------------------------------------------------------------------------------------------------------


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """``a`` with ``share`` (0 to 1) of ``b`` stirred in."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def shade(colour: Colour, by: float) -> Colour:
    """Lighter for ``by`` above 0, darker below it; -1 is black, 1 is white."""
    return mix(colour, (255, 255, 255), by) if by >= 0 else mix(colour, (22, 20, 28), -by)


def bright(colour: Colour) -> float:
    """Perceived lightness from 0 to 1 (ITU-R BT.601 luma)."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


# -- shapes -----------------------------------------------------------------------------------------------------------


def ellipse(x: float, y: float, rx: float, ry: float | None = None, start: float = 0, end: float = 360) -> list[Point]:
    """An ellipse, or from ``start`` to ``end`` degrees of it, clockwise from three o'clock."""
    ry = rx if ry is None else ry
    steps = max(8, int(abs(end - start) / 5))
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def rounded(x0: float, y0: float, x1: float, y1: float, r: float = 0) -> list[Point]:
    """A rectangle with corners of radius ``r``."""
    r = min(r, abs(x1 - x0) / 2, abs(y1 - y0) / 2)
    if r <= 0:
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    corners = ((x1 - r, y0 + r, 270), (x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180))
    return [p for x, y, a in corners for p in ellipse(x, y, r, r, a, a + 90)]


def path(words: str) -> list[Point]:
    """Points along ``M x y``, ``L x y ...``, ``Q cx cy x y ...`` and ``C ax ay bx by x y ...`` (absolute, as in SVG)."""
    return list(_points(words))


@lru_cache(maxsize=2000)
def _points(words: str) -> tuple[Point, ...]:
    points: list[Point] = []
    for command, numbers in re.findall(r"([MLQC])([^MLQC]*)", words):
        values = [float(n) for n in re.findall(r"-?\d+\.?\d*", numbers)]
        pairs = list(zip(values[::2], values[1::2], strict=True))
        size = {"M": 1, "L": 1, "Q": 2, "C": 3}[command]
        for i in range(0, len(pairs), size):
            points += pairs[i : i + 1] if size == 1 else _bezier([points[-1], *pairs[i : i + size]])
    return tuple(points)


def _bezier(knots: Sequence[Point], steps: int = 14) -> list[Point]:
    found = []
    for i in range(1, steps + 1):
        t, level = i / steps, list(knots)
        while len(level) > 1:
            level = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairwise(level)]
        found.append(level[0])
    return found


def mirrored(words: str, axis: float = 50) -> list[Point]:
    """The path and its mirror image over the upright line at ``axis``, as one closed shape."""
    half = path(words)
    return half + flipped(half, axis)[::-1]


def flipped(shape: Shape, axis: float = 50) -> list[Point]:
    return [(2 * axis - x, y) for x, y in shape]


def moved(shape: Shape, dx: float, dy: float = 0) -> list[Point]:
    return [(x + dx, y + dy) for x, y in shape]


def turned(shape: Shape, degrees: float, about: Point = (50, 50)) -> list[Point]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (about[0] + (x - about[0]) * c - (y - about[1]) * s, about[1] + (x - about[0]) * s + (y - about[1]) * c)
        for x, y in shape
    ]


# -- the sheet --------------------------------------------------------------------------------------------------------


class Canvas:
    """A clear sheet of ``side`` pixels and the colours to draw one product with.

    ``main`` is the product's colour, ``accent`` its second one (by default a shade of the first), ``pattern`` the
    name of what covers its cloth, or "plain". ``window`` (left, top, width in units) is the part of the drawing to show.
    """

    def __init__(
        self,
        side: int,
        main: Colour,
        accent: Colour | None = None,
        pattern: str = "plain",
        window: tuple[float, float, float] = (0, 0, 100),
    ) -> None:
        self.scale = side * OVERSAMPLING / window[2]
        self.main, self.pattern, self.two_tone = main, pattern, accent is not None
        self.accent: Colour = accent if accent is not None else shade(main, 0.45 if bright(main) < 0.5 else -0.3)
        self._sheet = Image.new("RGBA", (side * OVERSAMPLING, side * OVERSAMPLING), (*main, 0))
        self._draw = ImageDraw.Draw(self._sheet)
        self._origin = (window[0] * self.scale, window[1] * self.scale)

    def tone(self, by: float) -> Colour:
        """The product's colour, lighter or darker."""
        return shade(self.main, by)

    def _pixels(self, shape: Shape) -> list[Point]:
        left, top = self._origin
        return [(x * self.scale - left, y * self.scale - top) for x, y in shape]

    def fill(self, shape: Shape, colour: Colour) -> None:
        self._draw.polygon(self._pixels(shape), fill=(*colour, 255))

    def line(self, shape: Shape, colour: Colour, width: float = 0.7) -> None:
        """A stroke of ``width`` units with round ends."""
        pixels, thick = self._pixels(shape), max(1, round(width * self.scale))
        self._draw.line(pixels, fill=(*colour, 255), width=thick, joint="curve")
        if thick > 3:
            for x, y in (pixels[0], pixels[-1]):
                self._draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=(*colour, 255))

    def outline(self, shape: Shape, colour: Colour, width: float = 0.5) -> None:
        self.line([*shape, shape[0]], colour, width)

    def body(self, shape: Shape, colour: Colour | None = None) -> None:
        """A filled shape with a slightly darker rim, so that white on white still has an edge."""
        colour = self.main if colour is None else colour
        self.fill(shape, colour)
        self.outline(shape, shade(colour, -0.16), 0.45)

    def dots(self, points: Sequence[Point], r: float, colour: Colour) -> None:
        for x, y in points:
            self.fill(ellipse(x, y, r), colour)

    @contextmanager
    def within(self, shape: Shape) -> Iterator[None]:
        """What is painted in the block stays inside the shape."""
        sheet, draw, origin = self._sheet, self._draw, self._origin
        box, mask = self._mask(shape, 255)
        self._sheet = sheet.crop(box)
        self._draw = ImageDraw.Draw(self._sheet)
        self._origin = (origin[0] + box[0], origin[1] + box[1])
        yield
        sheet.paste(self._sheet, box[:2], mask)
        self._sheet, self._draw, self._origin = sheet, draw, origin

    def _mask(self, shape: Shape, value: int) -> tuple[tuple[int, int, int, int], Image.Image]:
        """The shape's box on the sheet in pixels, and the shape in it."""
        pixels = self._pixels(shape)
        xs, ys = [p[0] for p in pixels], [p[1] for p in pixels]
        width, height = self._sheet.size
        left, top = max(0, min(width - 1, int(min(xs)))), max(0, min(height - 1, int(min(ys))))
        right, foot = min(width, math.ceil(max(xs)) + 1), min(height, math.ceil(max(ys)) + 1)
        box = (left, top, max(left + 1, right), max(top + 1, foot))
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
        ImageDraw.Draw(mask).polygon([(x - box[0], y - box[1]) for x, y in pixels], fill=value)
        return box, mask

    def soften(self, shape: Shape, by: float, colour: Colour | None = None) -> None:
        """Lighter (by above 0) or darker, as if through thin paper: what is painted already shows through."""
        box, mask = self._mask(shape, round(255 * abs(by)))
        veil = Image.new("RGBA", mask.size, (*(colour or ((255, 255, 255) if by > 0 else (22, 20, 28))), 0))
        region = self._sheet.crop(box)
        veil.putalpha(region.getchannel("A"))
        self._sheet.paste(Image.composite(veil, region, mask), box[:2])

    def cloth(self, shape: Shape, colour: Colour | None = None) -> None:
        """A piece of the product's cloth: its colour, its pattern, its rim."""
        colour = self.main if colour is None else colour
        self.fill(shape, colour)
        if self.pattern in PATTERNS:
            with self.within(shape):
                PATTERNS[self.pattern](self, shape)
        self.outline(shape, shade(colour, -0.18), 0.45)

    def picture(self) -> tuple[Image.Image, tuple[int, int]]:
        """What was drawn, at its final size and without the clear margin, and where its upper left corner is.

        Each band shrinks alone: what is clear carries the main colour already, so edges stay clean without the slower
        premultiplied way.
        """
        step = OVERSAMPLING
        left, top, right, foot = self._sheet.getbbox() or (0, 0, step, step)
        left, top, right, foot = left // step, top // step, -(-right // step), -(-foot // step)
        part = self._sheet.crop((left * step, top * step, right * step, foot * step))
        return Image.merge("RGBA", [band.reduce(step) for band in part.split()]), (left, top)


# -- patterns ---------------------------------------------------------------------------------------------------------


def _bounds(shape: Shape) -> tuple[float, float, float, float]:
    xs, ys = [p[0] for p in shape], [p[1] for p in shape]
    return min(xs), min(ys), max(xs), max(ys)


def _contrast(c: Canvas) -> Colour:
    """The second colour where there is one, else something that reads against the first."""
    return c.accent if c.two_tone else shade(c.main, 0.6 if bright(c.main) < 0.6 else -0.45)


def _stripes(c: Canvas, shape: Shape) -> None:
    _, y0, _, y1 = _bounds(shape)
    for i in range(int((y1 - y0) / 5) + 2):
        y = 5 * (int(y0 / 5) + i)
        c.fill(rounded(0, y, 100, y + 1.9), _contrast(c))


def _checks(c: Canvas, shape: Shape) -> None:
    x0, y0, x1, y1 = _bounds(shape)
    columns, rows = int((x1 - x0) / 8) + 2, int((y1 - y0) / 8) + 2
    for i in range(columns):
        x = x0 - 2 + 8 * i
        c.soften(rounded(x, y0, x + 3.6, y1), 0.55, _contrast(c))
    for j in range(rows):
        y = y0 - 2 + 8 * j
        c.soften(rounded(x0, y, x1, y + 3.6), 0.45, _contrast(c))
    for i in range(columns):
        c.line([(x0 + 3.8 + 8 * i, y0), (x0 + 3.8 + 8 * i, y1)], shade(_contrast(c), 0.25), 0.3)


def _lattice(shape: Shape, step: float) -> Iterator[tuple[int, float, float]]:
    x0, y0, x1, y1 = _bounds(shape)
    for j in range(int((y1 - y0) / step) + 2):
        for i in range(int((x1 - x0) / step) + 2):
            yield j * 31 + i * 17, x0 + step * (i + (j % 2) / 2), y0 + step * j * 0.9


def _dots(c: Canvas, shape: Shape) -> None:
    for _, x, y in _lattice(shape, 5.2):
        c.fill(ellipse(x, y, 1.15), _contrast(c))


def _floral(c: Canvas, shape: Shape) -> None:
    petal, leaf = _contrast(c), mix(LEAF, c.main, 0.35)
    for seed, column, row in _lattice(shape, 8.2):
        x, y, turn = column + math.sin(seed) * 1.6, row + math.cos(seed * 1.7) * 1.6, seed * 40 % 72
        r = 1.25 + 0.45 * math.sin(seed * 2.3)
        c.fill(turned(ellipse(x + r * 2.1, y + r * 0.8, r * 1.2, r * 0.5), turn, (x, y)), leaf)
        for k in range(5):
            a = math.radians(72 * k + turn)
            c.fill(ellipse(x + r * math.cos(a), y + r * math.sin(a), r * 0.8), petal)
        c.fill(ellipse(x, y, r * 0.55), shade(petal, -0.35) if bright(petal) > 0.6 else (236, 200, 110))


def _graphic(c: Canvas, shape: Shape) -> None:
    x0, y0, x1, y1 = _bounds(shape)
    x, y, r = (x0 + x1) / 2, y0 + (y1 - y0) * 0.43, min(x1 - x0, y1 - y0) * 0.17
    c.fill(ellipse(x, y, r), (222, 138, 84) if bright(c.main) < 0.75 else (206, 92, 74))
    for k in range(3):
        wave = [(x - r * 1.4 + t * r * 0.1, y + r * (0.35 + 0.33 * k) + math.sin(t * 0.7) * r * 0.1) for t in range(29)]
        c.line(wave, (240, 226, 200) if bright(c.main) < 0.5 else (54, 74, 92), r * 0.13)


PATTERNS = {"stripes": _stripes, "checks": _checks, "dots": _dots, "floral": _floral, "graphic": _graphic}


# -- light ------------------------------------------------------------------------------------------------------------


@cache
def ground(side: int, colour: Colour) -> Image.Image:
    """A soft ground: the colour, a breath lighter at the upper left, a breath darker below. A fresh copy is the
    caller's business."""
    glow = Image.radial_gradient("L").resize((side * 2, side * 2), Image.Resampling.BILINEAR)
    glow = glow.crop((round(side * 0.62), round(side * 0.72), round(side * 1.62), round(side * 1.72)))
    flat = Image.new("RGB", (side, side), shade(colour, 0.28))
    return Image.composite(Image.new("RGB", (side, side), shade(colour, -0.045)), flat, glow)


@cache
def _veils(side: int) -> tuple[Image.Image, Image.Image]:
    """How much light falls on each pixel, from the upper left, and how much dusk lies on it, to the lower right."""
    down = Image.linear_gradient("L").resize((side, side), Image.Resampling.BILINEAR)
    slope = Image.blend(down, down.transpose(Image.Transpose.TRANSPOSE), 0.42)
    light = slope.point([max(0, round(34 - v * 0.42)) for v in range(256)])
    return light, slope.point([max(0, round((v - 110) * 0.3)) for v in range(256)])


def lit(part: Image.Image, at: tuple[int, int], side: int) -> Image.Image:
    """The drawing, whose place on a sheet of ``side`` pixels is ``at``, in the light of a window at the upper left."""
    box = (*at, at[0] + part.size[0], at[1] + part.size[1])
    light, dusk = (veil.crop(box) for veil in _veils(side))
    rgb = part.convert("RGB")
    rgb.paste((255, 253, 246), (0, 0), light)
    rgb.paste((30, 24, 44), (0, 0), dusk)
    rgb.putalpha(part.getchannel("A"))
    return rgb


def lay(base: Image.Image, part: Image.Image, at: tuple[int, int], standing: bool) -> None:
    """Puts the drawing on the ground with its shadow: under its foot where it stands, around it where it lies."""
    alpha, small = part.getchannel("A"), base.size[0] // 8
    shadow = Image.new("L", (small, small), 0)
    if standing:
        height = part.size[1]
        feet = alpha.crop((0, height - base.size[0] // 14, part.size[0], height)).getbbox() or (0, 0, part.size[0], 0)
        left, right, foot = (at[0] + feet[0]) / 8, (at[0] + feet[2]) / 8, (at[1] + height) / 8
        ImageDraw.Draw(shadow).ellipse((left - 1, foot - small / 45, right + 1, foot + small / 34), fill=125)
        shadow = shadow.filter(ImageFilter.GaussianBlur(small / 55))
    else:
        faint = alpha.reduce(8).point([round(v * 0.42) for v in range(256)])
        shadow.paste(faint, (round(at[0] / 8) + 1, round(at[1] / 8) + 2))
        shadow = shadow.filter(ImageFilter.GaussianBlur(small / 42))
    base.paste((46, 40, 52), (0, 0), shadow.resize(base.size, Image.Resampling.BILINEAR))
    base.paste(part, at, part)
