"""Things for the kitchen and the table."""

from __future__ import annotations

import math

from annotations.sample.drawing.canvas import (
    BRASS,
    INK,
    STEEL,
    WOOD,
    Canvas,
    bright,
    ellipse,
    mix,
    path,
    rounded,
    shade,
    turned,
)


def mug(c: Canvas) -> None:
    c.line(path("M68 40 C88 36 88 68 66 68"), c.tone(-0.12), 5.4)
    c.line(path("M68 40 C88 36 88 68 66 68"), c.main, 4)
    c.body(path("M24 30 L72 30 Q72 60 67 80 Q64 84 48 84 Q32 84 29 80 Q24 60 24 30"))
    if c.two_tone:
        with c.within(path("M24 30 L72 30 Q72 60 67 80 Q48 88 29 80 Q24 60 24 30")):
            for i in range(5):
                c.line(
                    path(f"M{26 + i * 11} 52 Q{31 + i * 11} 44 {36 + i * 11} 54 Q{31 + i * 11} 60 {26 + i * 11} 52"),
                    c.accent,
                    1,
                )
    else:
        c.fill(path("M26.6 66 Q48 74 69.6 66 L67 80 Q64 84 48 84 Q32 84 29 80"), mix(c.main, (206, 186, 158), 0.7))
        c.line(path("M26.6 66 Q34 71 40 68 Q50 73 58 68.6 Q64 70 69.6 66"), c.tone(-0.1), 0.8)
    c.body(ellipse(48, 30, 24, 5), c.tone(0.12))
    c.fill(ellipse(48, 30.8, 21.4, 3.8), (92, 58, 42))


def kettle(c: Canvas) -> None:
    c.line(path("M34 60 C14 62 22 34 10 26"), c.tone(-0.18), 4.4)
    c.line(path("M34 60 C14 62 22 34 10 26"), c.main, 3.2)
    c.line(path("M64 36 C88 28 92 62 76 76"), shade(INK, 0.1), 4.6)
    c.body(path("M38 34 L62 34 Q68 50 74 80 Q74 85 50 85 Q26 85 26 80 Q32 50 38 34"))
    c.fill(path("M26 79 Q50 83 74 79 L74.4 84 Q50 88 25.6 84"), shade(INK, 0.12))
    c.body(ellipse(50, 34, 12.4, 3.6), c.tone(0.1))
    c.body(rounded(46.6, 25, 53.4, 32, 3), shade(WOOD, -0.1))
    c.soften(path("M40 40 L44 40 Q40 58 38 78 L32 78 Q35 58 40 40"), 0.3)


def pan(c: Canvas) -> None:
    c.body(turned(rounded(60, 45, 98, 53, 4), -42, (50, 50)), c.tone(-0.04))
    hole = turned([(92, 49)], -42, (50, 50))[0]
    c.fill(ellipse(*hole, 2), c.tone(0.4))
    c.body(ellipse(44, 56, 33), c.tone(-0.1))
    c.fill(ellipse(44, 56, 30), c.tone(0.07))
    c.fill(ellipse(44, 56, 26.4), c.tone(-0.12))
    c.line(ellipse(44, 56, 22, 22, 190, 260), c.tone(0.22), 1)


def wok(c: Canvas) -> None:
    c.body(rounded(72, 40, 97, 46, 3), WOOD)
    c.body(path("M8 42 L80 42 Q76 74 44 76 Q12 74 8 42"))
    c.body(ellipse(44, 42, 36, 8), c.tone(-0.2))
    for i in range(24):
        c.fill(ellipse(16 + (i * 13) % 56, 54 + (i * 7) % 18, 1.2, 0.8), c.tone(0.1))


def pot(c: Canvas) -> None:
    for x in (13, 87):
        c.line(ellipse(x, 49, 5.4, 4), c.tone(-0.12), 2.6)
    c.body(path("M16 44 L84 44 L82 74 Q81 82 73 82 L27 82 Q19 82 18 74"))
    c.soften(path("M20 47 L26 47 Q25 66 30 79 L26 79 Q20 66 20 47"), 0.25)
    c.body(path("M14 44 Q18 30 50 29 Q82 30 86 44"), c.tone(0.05))
    c.line([(14, 44), (86, 44)], c.tone(-0.2), 1.2)
    c.body(rounded(46, 24.4, 54, 29, 1.6), c.tone(-0.2))
    c.body(ellipse(50, 23, 6.4, 2.6), BRASS)


def board(c: Canvas) -> None:
    shape = turned(rounded(25, 10, 75, 90, 6), 8)
    c.body(shape)
    with c.within(shape):
        for i in range(8):
            c.line(turned([(27 + i * 6.6, 6), (27 + i * 6.6, 94)], 8), c.tone(-0.1), 0.5)
    c.outline(turned(rounded(30, 22, 70, 85, 4), 8), c.tone(-0.18), 1.1)
    c.fill(turned(rounded(44, 13.4, 56, 17.4, 2), 8), c.tone(-0.45))
    for x, y in ((42, 58), (54, 50)):
        c.fill(ellipse(x, y, 8.4), (206, 84, 70))
        c.fill(ellipse(x, y, 6.8), (226, 122, 100))
        c.dots(
            [(x + 4 * math.cos(a), y + 4 * math.sin(a)) for a in (0.3, 1.4, 2.4, 3.5, 4.6, 5.6)], 0.9, (246, 214, 166)
        )


def plates(c: Canvas) -> None:
    rim = c.accent if c.two_tone else c.tone(-0.16)
    for x, y, r in ((42, 42, 32), (61, 64, 23)):
        c.body(ellipse(x, y, r))
        c.outline(ellipse(x, y, r - 0.8), rim, 1.1)
        c.fill(ellipse(x, y, r * 0.68), c.tone(0.12 if bright(c.main) < 0.85 else -0.05))
        c.dots([(x + r * 0.85 * math.cos(k), y + r * 0.85 * math.sin(k)) for k in range(0, 26)], 0.4, c.tone(-0.3))
    c.line([(88, 20), (88, 56)], shade(STEEL, -0.12), 2.2)
    c.fill(ellipse(88, 18, 3.6, 6), shade(STEEL, -0.12))


def bottle(c: Canvas) -> None:
    c.body(rounded(40, 8, 60, 26, 3), shade(STEEL, -0.08))
    for i in range(4):
        c.line([(41, 12 + i * 3.6), (59, 12 + i * 3.6)], shade(STEEL, -0.22), 0.4)
    c.body(path("M38 27 L62 27 Q68 30 68 37 L68 85 Q68 91 62 91 L38 91 Q32 91 32 85 L32 37 Q32 30 38 27"))
    c.soften(rounded(36, 36, 40, 84, 2), 0.3)
    c.fill(rounded(32, 84, 68, 86, 0), c.tone(-0.16))
    c.line(path("M47 56 L50 50 L53 56 M50 50"), c.tone(0.4) if bright(c.main) < 0.7 else c.tone(-0.24), 0.9)


def glasses(c: Canvas) -> None:
    for x in (32, 68):
        bowl = path(f"M{x - 13} 16 Q{x - 19} 46 {x} 51 Q{x + 19} 46 {x + 13} 16")
        c.fill(bowl, shade(c.main, 0.3))
        c.fill(
            path(f"M{x - 15} 34 Q{x - 13} 49 {x} 49.6 Q{x + 13} 49 {x + 15} 34"),
            (150, 46, 66) if x < 50 else (238, 214, 142),
        )
        c.outline(bowl, c.tone(-0.2), 0.6)
        c.soften(path(f"M{x - 11} 19 L{x - 7} 19 Q{x - 11} 36 {x - 6} 46 Q{x - 14} 40 {x - 11} 19"), 0.5)
        c.line([(x, 51), (x, 82)], c.tone(-0.1), 1.6)
        c.body(ellipse(x, 84, 13, 3), shade(c.main, 0.2))


def teapot(c: Canvas) -> None:
    c.line(path("M70 46 C92 36 94 72 70 70"), c.tone(-0.06), 4)
    c.body(path("M30 66 Q16 58 9 38 L15 36 Q22 48 34 50"))
    c.body(path("M26 56 C26 38 38 36 50 36 C62 36 74 38 74 56 C74 76 64 80 50 80 C36 80 26 76 26 56"))
    c.body(path("M36 38 Q50 28 64 38 Q50 42 36 38"), c.tone(0.06))
    c.body(ellipse(50, 29.4, 3.6, 3), c.tone(-0.1))
    c.soften(path("M34 46 Q29 56 34 68 Q36 56 40 44"), 0.18)
    c.line(path("M44 58 Q50 48 56 54 Q52 62 46 64"), c.tone(-0.26), 0.7)


LYING = (pan, board, plates)
PAINTERS = (mug, kettle, pan, wok, pot, board, plates, bottle, glasses, teapot)
KINDS = tuple((paint.__name__, paint, paint not in LYING) for paint in PAINTERS)
