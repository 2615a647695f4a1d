"""Clothes, laid flat and seen from above. Each function draws one kind in the canvas's colours."""

from __future__ import annotations

from annotations.sample.drawing.canvas import (
    BRASS,
    INK,
    PAPER,
    Canvas,
    bright,
    ellipse,
    flipped,
    mirrored,
    path,
    rounded,
    shade,
)


def _seam(c: Canvas, words: str, by: float = -0.14, width: float = 0.5) -> None:
    """A line on both halves of a garment."""
    points = path(words)
    c.line(points, c.tone(by), width)
    c.line(flipped(points), c.tone(by), width)


def _buttons(c: Canvas, y0: float, y1: float, count: int, x: float = 50, r: float = 0.75) -> None:
    colour = shade(c.main, -0.4) if bright(c.main) > 0.55 else shade(c.main, 0.5)
    c.dots([(x, y0 + (y1 - y0) * i / (count - 1)) for i in range(count)], r, colour)


def _zip(c: Canvas, y0: float, y1: float) -> None:
    c.line([(50, y0), (50, y1)], c.tone(-0.28), 1.3)
    c.line([(50, y0), (50, y1)], shade(BRASS, 0.35), 0.45)
    c.fill(rounded(49.2, y0 + 1, 50.8, y0 + 4.6, 0.7), shade(BRASS, 0.2))


def _ribs(c: Canvas, x0: float, x1: float, y0: float, y1: float, step: float = 1.5) -> None:
    x = x0 + step / 2
    while x < x1:
        c.line([(x, y0), (x, y1)], c.tone(-0.13), 0.35)
        x += step


SHORT = "M50 21 L57 20 Q66 23 73 25 Q80 28 88 43 L75 50 L70 43 Q69 62 70 83 Q60 84.5 50 84.5"
LONG = "M50 21 L57 20 Q66 22 72 25 Q77 28 79 38 L86 74 L77 76.5 L70 46 Q69 64 70 82 Q60 83.5 50 83.5"


def _short(c: Canvas, neck: str = "M40 20 Q50 31 60 20 L56 19 Q50 26 44 19") -> None:
    c.cloth(mirrored(SHORT))
    _seam(c, "M70 43 Q68 34 71 25.5")
    _seam(c, "M77 49 L87 42", -0.12)
    c.line(path("M30.5 80.8 Q50 82.6 69.5 80.8"), c.tone(-0.12), 0.4)
    c.fill(path("M43 20 Q50 29 57 20 Q50 22.5 43 20"), c.tone(-0.3))
    c.fill(path("M41.5 19.6 Q50 32 58.5 19.6 L56.8 19.6 Q50 28.5 43.2 19.6"), c.tone(-0.08))


def tshirt(c: Canvas) -> None:
    _short(c)


def tshirt_long(c: Canvas) -> None:
    c.cloth(mirrored(LONG))
    _seam(c, "M70 46 Q68 34 71 25")
    c.fill(path("M42 20 Q50 27 58 20 Q50 22 42 20"), c.tone(-0.3))
    c.line(path("M42 20 Q50 28.5 58 20"), c.tone(-0.1), 1.6)


def polo(c: Canvas) -> None:
    c.cloth(mirrored(SHORT))
    _seam(c, "M70 43 Q68 34 71 25.5")
    c.fill(path("M45 21 L55 21 L54 42 L47 42"), c.tone(-0.08))
    c.outline(path("M46.5 22 L53.5 22 L53.5 42 L46.5 42"), c.tone(-0.2), 0.4)
    _buttons(c, 30, 38, 2)
    _collar(c)
    for x0, y0, x1, y1 in ((74.6, 48.6, 87, 41.6), (25.4, 48.6, 13, 41.6)):
        c.line([(x0, y0), (x1, y1)], c.tone(-0.22), 1.4)


def _collar(c: Canvas) -> None:
    c.fill(path("M43 20 Q50 27 57 20 L56 18.5 L44 18.5"), c.tone(-0.34))
    for shape in (path("M50 26 L43 18 L39.5 21.5 L45 32"), path("M50 26 L57 18 L60.5 21.5 L55 32")):
        c.body(shape, c.tone(0.1))


def shirt(c: Canvas) -> None:
    c.cloth(mirrored(LONG))
    _seam(c, "M70 46 Q68 34 71 25")
    _seam(c, "M76 72.6 L85.4 70", -0.18)
    c.fill(rounded(48.4, 24, 51.6, 83.4), c.tone(0.08))
    c.line([(48.4, 26), (48.4, 83)], c.tone(-0.16), 0.4)
    c.line([(51.6, 26), (51.6, 83)], c.tone(-0.16), 0.4)
    _buttons(c, 34, 79, 6, r=0.65)
    c.outline(rounded(56, 41, 65, 51, 0.8), c.tone(-0.17), 0.45)
    c.line([(56, 43), (65, 43)], c.tone(-0.17), 0.4)
    _collar(c)


def blouse(c: Canvas) -> None:
    body = "M50 22 L57 20 Q66 23 71 26 Q80 38 88 68 Q83 74 77 73 L69 48 Q70 66 74 82 Q62 86 50 86"
    c.cloth(mirrored(body))
    _seam(c, "M69 48 Q67 36 70 26")
    _seam(c, "M60 40 Q61 62 63 83", -0.07, 0.9)
    _seam(c, "M79.5 69.5 L86 65.5", -0.18)
    c.line([(50, 27), (50, 85.6)], c.tone(-0.17), 0.5)
    _buttons(c, 33, 80, 7, r=0.85)
    _collar(c)


def blouse_stand(c: Canvas) -> None:
    body = "M50 20 L55 18 Q66 22 72 25 Q80 30 90 56 L79 62 L70 47 Q71 66 75 82 Q62 85 50 85"
    c.cloth(mirrored(body))
    _seam(c, "M70 47 Q68 34 71 25")
    _seam(c, "M80 60 L89.4 55", -0.18)
    c.body(path("M44.5 14.5 Q50 17.5 55.5 14.5 L56.5 20.5 Q50 24 43.5 20.5"), c.tone(0.05))
    c.line([(50, 22), (50, 85)], c.tone(-0.17), 0.5)
    knot = shade(c.main, -0.5) if bright(c.main) > 0.5 else shade(c.main, 0.55)
    for y in (29, 40, 51, 62):
        c.line([(45, y), (55, y)], knot, 0.75)
        c.fill(ellipse(50, y, 1.25), knot)


def _knit(c: Canvas, neck: str) -> None:
    body = "M50 22 L58 19.5 Q67 22 73 26 Q79 30 81 40 L88 73 L77.5 76 L70 47 Q69 62 69.5 80 Q60 81 50 81"
    c.cloth(mirrored(body))
    _seam(c, "M70 47 Q68 35 72 26")
    hem = path("M30.8 75.5 L69.2 75.5 L68.6 83.5 Q50 85 31.4 83.5")
    c.body(hem, c.tone(-0.05))
    _ribs(c, 32, 68.4, 76, 83.6)
    for cuff in (path("M76.5 72.5 L87.4 69.4 L88.8 76 L78.2 79"), path("M23.5 72.5 L12.6 69.4 L11.2 76 L21.8 79")):
        c.body(cuff, c.tone(-0.05))
    if neck == "v":
        c.fill(path("M41.5 19.5 L50 36 L58.5 19.5 Q50 22 41.5 19.5"), c.tone(-0.36))
        c.line(path("M41 20 L50 36.5 L59 20"), c.tone(-0.1), 2)
    elif neck == "crew":
        c.fill(ellipse(50, 20.4, 8, 4.2), c.tone(-0.34))
        c.line(ellipse(50, 20.4, 8.8, 5.2, 0, 180), c.tone(-0.09), 2.2)


def sweater(c: Canvas) -> None:
    _knit(c, "crew")


def sweater_v(c: Canvas) -> None:
    _knit(c, "v")


def sweater_roll(c: Canvas) -> None:
    _knit(c, "roll")
    collar = path("M41 12 Q50 9.5 59 12 L60.5 23.5 Q50 28 39.5 23.5")
    c.body(collar, c.tone(0.04))
    with c.within(collar):
        _ribs(c, 39, 61, 9, 28, 1.6)
    c.fill(ellipse(50, 12.2, 8.6, 1.9), c.tone(-0.3))


def hoodie(c: Canvas) -> None:
    _knit(c, "hood")
    c.body(path("M35 25 C33 8 43 5.5 50 5.5 C57 5.5 67 8 65 25 Q58 33 50 34 Q42 33 35 25"), c.tone(-0.04))
    c.fill(path("M40.5 24 C39 12 45 10 50 10 C55 10 61 12 59.5 24 Q55 29.5 50 31 Q45 29.5 40.5 24"), c.tone(-0.36))
    c.body(path("M35 59 L65 59 L69 74 L31 74"), c.tone(-0.05))
    _zip(c, 31, 83)
    for x in (46, 54):
        c.line([(x, 29), (x - (50 - x) * 0.15, 43)], PAPER, 0.8)
        c.fill(rounded(x - 0.6, 42, x + 0.6, 45, 0.5), shade(PAPER, -0.25))


def jacket(c: Canvas) -> None:
    body = "M50 22 L58 19.5 Q67 22 73 26 Q79 30 81.5 40 L88 75 L77 78 L70.5 48 Q70 66 71 85 Q60 86.5 50 86.5"
    c.cloth(mirrored(body))
    c.fill(
        mirrored("M50 22 L58 19.5 Q67 22 73 26 Q76 29 78 35 Q64 40 50 40"), c.accent if c.two_tone else c.tone(-0.09)
    )
    _seam(c, "M70.5 48 Q68.5 36 72.5 26")
    c.body(path("M36 25 C34 9 43 7 50 7 C57 7 66 9 64 25 Q57 31 50 32 Q43 31 36 25"), c.tone(0.04))
    c.fill(path("M41 23 C40 13 45 11 50 11 C55 11 60 13 59 23 Q55 28 50 29 Q45 28 41 23"), c.tone(-0.4))
    _zip(c, 29, 86)
    _seam(c, "M57 63 L65.5 57", -0.34, 1.1)
    _seam(c, "M76 73.5 L86.6 70.6", -0.2, 0.7)


def jacket_denim(c: Canvas) -> None:
    thread = (214, 164, 96)
    body = "M50 21 L58 19 Q67 22 73 26 Q79 30 81.5 40 L87 72 L77 75 L70.5 48 L69 76 Q60 77 50 77"
    c.cloth(mirrored(body))
    for side in (
        path("M51.4 39 L70 37"),
        path("M56 39 L60 71"),
        path("M70.5 48 Q68.5 36 72.5 26"),
        path("M76 70.5 L85.8 67.6"),
    ):
        c.line(side, thread, 0.4)
        c.line(flipped(side), thread, 0.4)
    flap = path("M56 40 L66 39.4 L66 44 L61 47 L56 44.4")
    for shape in (flap, flipped(flap)):
        c.body(shape, c.tone(-0.08))
        c.outline(shape, thread, 0.35)
    c.body(path("M31 71.5 L69 71.5 L68.8 78 L31.2 78"), c.tone(-0.08))
    c.line([(50, 24), (50, 78)], c.tone(-0.3), 0.6)
    c.dots([(51.8, y) for y in (33, 43, 53, 63, 74.5)], 1, BRASS)
    c.dots([(61, 44.6), (39, 44.6)], 0.8, BRASS)
    _collar(c)


def puffer(c: Canvas) -> None:
    body = "M50 20 L58 19 Q68 21 74 26 Q82 31 84 42 L89 74 Q84 79 78 77 L71 50 Q70 66 71.5 83 Q60 86 50 86"
    shape = mirrored(body)
    c.cloth(shape)
    with c.within(shape):
        for y in range(30, 90, 9):
            c.line(path(f"M8 {y + 5} Q28 {y + 2.6} 50 {y} Q72 {y + 2.6} 92 {y + 5}"), c.tone(-0.2), 0.6)
            c.line(path(f"M8 {y + 6.6} Q28 {y + 4.2} 50 {y + 1.6} Q72 {y + 4.2} 92 {y + 6.6}"), c.tone(0.16), 1)
    _seam(c, "M71 50 Q69 36 73 26", -0.24, 0.7)
    c.body(path("M41 11 Q50 8.5 59 11 L60.5 22 Q50 26 39.5 22"), c.tone(0.03))
    c.line(path("M40.4 16.6 Q50 20 59.6 16.6"), c.tone(-0.18), 0.6)
    c.fill(ellipse(50, 11.2, 8.6, 1.9), c.tone(-0.36))
    _zip(c, 13, 86)


def coat(c: Canvas) -> None:
    body = "M50 16 L57 14 Q66 17 71 20 Q77 24 79 34 L84 66 L74.5 68.5 L69 42 Q68.5 66 73 91 Q61 93 50 93"
    c.cloth(mirrored(body))
    _seam(c, "M69 42 Q67 30 70.5 20")
    c.fill(path("M43.5 14.5 L50 38 L56.5 14.5 Q50 18 43.5 14.5"), shade(PAPER, -0.1))
    for shape in (
        path("M50 46 L43 13 L37 17 L36.5 26 L40 27 L38.5 30"),
        path("M51 46 L57 13 L63 17 L63.5 26 L60 27 L61.5 30"),
    ):
        c.body(shape, c.tone(0.07))
    c.line([(54, 46), (54, 93)], c.tone(-0.2), 0.6)
    for y in (52, 62, 72):
        c.dots([(46.5, y), (51.6, y)], 1.15, shade(c.main, -0.5) if bright(c.main) > 0.3 else shade(c.main, 0.3))
    _seam(c, "M57 66 L66 65", -0.26, 0.9)


def _dress(c: Canvas, sleeves: bool) -> None:
    if sleeves:
        arm = path("M63 20 Q72 23 76 36 L69 40 L64 32")
        for shape in (arm, flipped(arm)):
            c.cloth(shape)
    c.cloth(mirrored("M50 26 L56 16 L62 17 Q64 19 64.5 22 Q64 34 61 46 Q66 66 76 86 Q63 91 50 91"))
    _seam(c, "M56 52 Q60 70 64 88", -0.08, 0.9)
    c.line([(50, 52), (50, 90)], c.tone(-0.07), 0.9)


def dress(c: Canvas) -> None:
    _dress(c, sleeves=True)
    c.fill(path("M44 16 L50 29 L56 16 Q50 19 44 16"), c.tone(-0.3))
    c.line(path("M43.6 16 L50 29.6 L56.4 16"), c.tone(-0.1), 1)
    belt = c.accent if c.two_tone and c.pattern != "floral" else c.tone(-0.2)
    c.fill(path("M39 44.4 Q50 46.8 61 44.4 L61.4 48 Q50 50.2 38.6 48"), belt)


def dress_long(c: Canvas) -> None:
    arm = path("M61 18 Q70 20 73 34 L79 62 L72 64 L62 36")
    for shape in (arm, flipped(arm)):
        c.cloth(shape)
    shape = mirrored("M50 17 L56 15 L62 18 Q65 20 64.5 26 Q64 36 62 46 Q66 68 69 92 Q60 94 50 94")
    c.cloth(shape)
    with c.within(shape):
        _ribs(c, 30, 70, 15, 95, 2.2)
    c.body(path("M43 8 Q50 6 57 8 L58.5 18.5 Q50 22 41.5 18.5"), c.tone(0.05))
    c.fill(ellipse(50, 8, 6.8, 1.5), c.tone(-0.3))


def qipao(c: Canvas) -> None:
    arm = path("M62 21 Q69 23 71 32 L64 35")
    for shape in (arm, flipped(arm)):
        c.cloth(shape)
    c.cloth(mirrored("M50 18 L55 16 L62 20 Q65 23 63.5 32 Q60 42 60.5 48 Q67 60 66 76 L65 93 Q57 94.4 50 94.4"))
    trim = c.accent if c.two_tone else shade(c.main, 0.4)
    c.body(path("M45 10.5 Q50 13 55 10.5 L56 18 Q50 21 44 18"), c.main)
    c.line(path("M45 10.8 Q50 13.2 55 10.8"), trim, 0.9)
    c.line(path("M50 19.6 Q56 24 63 30"), trim, 1.1)
    for x, y in ((51.5, 20.5), (56.5, 24.4), (61.6, 29)):
        c.line([(x - 1.7, y + 1.7), (x + 1.7, y - 1.7)], trim, 0.9)
        c.fill(ellipse(x, y, 0.95), trim)
    c.line(path("M65.6 76 L65 93 Q57 94.4 50 94.4 Q43 94.4 35 93 L34.4 76"), trim, 0.9)
    c.line(path("M65 66 L63.4 93"), shade(INK, 0.1) if bright(c.main) > 0.5 else c.tone(-0.45), 0.6)


KINDS = (
    ("tshirt", tshirt, False),
    ("tshirt-long", tshirt_long, False),
    ("polo", polo, False),
    ("shirt", shirt, False),
    ("blouse", blouse, False),
    ("blouse-stand", blouse_stand, False),
    ("sweater", sweater, False),
    ("sweater-v", sweater_v, False),
    ("sweater-roll", sweater_roll, False),
    ("hoodie", hoodie, False),
    ("jacket", jacket, False),
    ("jacket-denim", jacket_denim, False),
    ("puffer", puffer, False),
    ("coat", coat, False),
    ("dress", dress, False),
    ("dress-long", dress_long, False),
    ("qipao", qipao, False),
)
