"""Furniture, textiles, lamps and what stands on shelves."""

from __future__ import annotations

import math

from annotations.sample.drawing.canvas import (
    BRASS,
    INK,
    LEAF,
    PAPER,
    STEEL,
    WOOD,
    Canvas,
    Colour,
    bright,
    ellipse,
    mirrored,
    mix,
    path,
    rounded,
    shade,
    turned,
)

LIGHT: Colour = (252, 232, 178)


def sofa(c: Canvas) -> None:
    for x in (18, 82):
        c.fill(path(f"M{x - 2} 76 L{x + 2} 76 L{x + 1} 84 L{x - 1} 84"), WOOD)
    c.body(rounded(15, 30, 85, 68, 6), c.tone(-0.07))
    for i in range(3):
        c.body(rounded(17.6 + i * 21.8, 32, 38.8 + i * 21.8, 56, 4), c.tone(0.03))
    for i in range(3):
        c.body(rounded(16 + i * 22.7, 53, 38.7 + i * 22.7, 66, 3.6), c.tone(0.08))
    c.body(rounded(13, 64, 87, 76, 3), c.tone(-0.1))
    for x in (8, 81):
        c.body(rounded(x, 42, x + 11, 77, 5), c.tone(-0.02))
    throw = (208, 140, 96) if bright(c.main) > 0.3 and c.main[0] - c.main[2] < 60 else (120, 146, 150)
    c.body(turned(rounded(22, 40, 36, 54, 3), 10, (29, 47)), throw)


def armchair(c: Canvas) -> None:
    shell = c.accent if c.two_tone else shade(WOOD, -0.18)
    for words in ("M50 74 L30 90", "M50 74 L70 90", "M50 74 L50 91"):
        c.line(path(words), shade(INK, 0.15), 2)
    c.body(path("M24 18 Q50 10 76 18 L80 56 Q50 64 20 56"), shell)
    c.body(path("M28 20 Q50 13 72 20 L75 54 Q50 60 25 54"))
    c.body(path("M20 55 Q50 48 80 55 Q84 66 76 70 Q50 76 24 70 Q16 66 20 55"), c.tone(0.05))
    for x in (16, 76):
        c.body(rounded(x, 45, x + 8, 66, 4), c.tone(-0.08))
    c.dots([(x, y) for x in (38, 50, 62) for y in (28, 41)], 0.9, c.tone(-0.3))
    c.fill(path("M24 70 Q50 76 76 70 L74 74 Q50 79 26 74"), shell)


def chair(c: Canvas) -> None:
    wood = c.main
    for words in ("M32 60 L28 92", "M68 60 L72 92", "M40 58 L40 84", "M60 58 L60 84"):
        c.line(path(words), shade(wood, -0.14), 2.4)
    c.line(path("M31 60 C22 8 78 8 69 60"), shade(wood, -0.1), 3)
    c.line(path("M38 58 C34 24 66 24 62 58"), wood, 2)
    c.body(ellipse(50, 60, 23, 7), wood)
    seat = ellipse(50, 59.4, 18.6, 4.8)
    c.fill(seat, (226, 200, 156))
    with c.within(seat):
        for i in range(14):
            c.line([(26 + i * 4, 54), (20 + i * 4, 65)], (190, 158, 112), 0.4)
            c.line([(20 + i * 4, 54), (26 + i * 4, 65)], (190, 158, 112), 0.4)


def officechair(c: Canvas) -> None:
    dark = shade(INK, 0.12)
    c.line([(50, 62), (50, 80)], shade(STEEL, -0.2), 3)
    for x in (26, 38, 62, 74):
        c.line([(50, 80), (x, 87)], shade(STEEL, -0.1), 2.2)
        c.fill(ellipse(x, 89, 2.4), dark)
    c.body(rounded(38, 6, 62, 16, 4), c.main)
    c.line([(50, 16), (50, 22)], dark, 2.6)
    back = path("M34 21 Q50 17 66 21 Q70 38 64 54 Q50 58 36 54 Q30 38 34 21")
    c.body(back, c.tone(0.04))
    with c.within(back):
        for i in range(18):
            c.line([(30, 19 + i * 2.2), (70, 19 + i * 2.2)], c.tone(-0.14), 0.35)
    c.outline(back, c.accent if c.two_tone else dark, 1.6)
    for x in (24, 71):
        c.fill(rounded(x, 44, x + 5, 47, 1.5), dark)
        c.line([(x + 2.5, 46), (x + 2.5, 60)], dark, 1.6)
    c.body(path("M26 58 Q50 53 74 58 Q78 66 70 67 L30 67 Q22 66 26 58"), c.main)


def desk(c: Canvas) -> None:
    legs = c.accent if c.two_tone else shade(INK, 0.16)
    top, legs = (c.main, legs) if bright(c.main) > 0.35 else (legs, c.main)
    for x in (19, 77):
        c.body(rounded(x, 46, x + 4, 86, 0.6), legs)
        c.body(rounded(x - 5, 85, x + 9, 88, 1.4), legs)
    c.body(rounded(60, 46, 77, 58, 1), shade(top, -0.1))
    c.fill(ellipse(68.5, 52, 1), BRASS)
    c.body(rounded(8, 40, 92, 46.4, 1.4), top)
    for i in range(3):
        c.line([(12 + i * 24, 43), (30 + i * 24, 43)], shade(top, -0.12), 0.35)
    c.body(rounded(24, 22, 46, 37, 1), shade(INK, 0.1))
    c.line([(35, 37), (35, 40)], shade(INK, 0.2), 2)
    c.body(path("M70 32 L78 32 L77 40 L71 40"), PAPER)
    for x, y in ((72, 24), (75, 21), (77, 26)):
        c.fill(turned(ellipse(x, y, 1.8, 5), (x - 74.5) * 9, (74, 32)), LEAF)


def shelf(c: Canvas) -> None:
    frame = c.accent if c.two_tone else shade(INK, 0.12)
    for x in (24, 76):
        c.line([(x, 8), (x, 92)], frame, 1.8)
    for k in range(5):
        y = 14 + k * 18
        c.body(rounded(22, y, 78, y + 3, 0.6))
        books = ((196, 108, 84), (88, 118, 142), (222, 190, 128), (118, 142, 112), (160, 132, 150))
        if k:
            for i in range(3 + (k * 2) % 4):
                h, left = 9 + (i * 5 + k * 3) % 5, 28 + i * 4.4 + (22 if k % 2 else 0)
                c.fill(rounded(left, y - h, left + 3.6, y, 0.4), books[(i + k) % 5])
    c.body(ellipse(64, 28, 5.6, 4.4), PAPER)
    c.body(path("M34 63 L42 63 L41 68 L35 68"), (201, 126, 88))
    c.fill(ellipse(38, 59, 5, 5), LEAF)
    c.fill(ellipse(60, 64, 6, 3), (210, 196, 170))


def table(c: Canvas) -> None:
    for words in ("M32 44 L22 88", "M68 44 L78 88", "M40 46 L62 86", "M60 46 L38 86"):
        c.line(path(words), c.tone(-0.2), 2.2)
    c.body(ellipse(50, 43, 38, 9), c.tone(-0.16))
    c.body(ellipse(50, 41, 38, 9))
    c.outline(ellipse(50, 41, 33, 7.2), c.tone(-0.1), 0.4)
    c.body(path("M44 30 L55 30 L54 39 Q49.5 41 45 39"), PAPER)
    c.line(path("M55 32 Q60 33 54.6 37"), PAPER, 1.3)
    c.fill(ellipse(49.5, 30, 5.5, 1.3), (96, 62, 44))


def blanket(c: Canvas) -> None:
    for k in range(3):
        y = 66 - k * 9
        c.cloth(rounded(17 + k, y, 85 - k, y + 12, 6), c.tone(-0.08 + 0.05 * k))
        c.line(path(f"M{80 - k} {y + 3} Q{76 - k} {y + 6} {80 - k} {y + 9}"), c.tone(-0.25), 0.6)
    drape = path("M20 50 Q19 25 28 24 L73 24 Q82 25 81 50 Q81 55 76 55 L58 55 L57 84 L27 84 L26 55 Q20 55 20 50")
    c.cloth(drape, c.tone(0.06))
    with c.within(drape):
        for j in range(13):
            for i in range(17):
                x, top = 18 + i * 4, 25 + j * 4.6
                c.line([(x, top + 2), (x + 2, top), (x + 4, top + 2)], c.tone(-0.07), 0.4)
    for i in range(16):
        c.line([(27.6 + i * 1.92, 84), (27.2 + i * 1.94, 89.5)], c.tone(-0.06), 0.8)


def bedding(c: Canvas) -> None:
    c.body(rounded(10, 20, 90, 78, 4), shade(WOOD, 0.1))
    c.fill(rounded(13, 36, 87, 84, 3), PAPER)
    for x in (17, 52):
        c.cloth(rounded(x, 30, x + 31, 46, 6.4))
        c.soften(path(f"M{x + 6} 41 Q{x + 15} 44.6 {x + 26} 40 Q{x + 15} 47 {x + 6} 41"), -0.12)
    c.cloth(path("M11 52 Q50 47 89 52 L91 84 Q50 89 9 84"))
    c.body(path("M11 52 Q50 47 89 52 L89.4 59 Q50 54 10.6 59"), c.accent if c.two_tone else c.tone(0.14))
    for words in ("M30 60 Q34 72 29 85", "M62 58 Q58 72 64 86", "M76 60 Q80 72 77 85"):
        c.line(path(words), c.tone(-0.1), 0.8)


def cushion(c: Canvas) -> None:
    shape = path("M14 18 Q50 27 86 18 Q78 50 86 84 Q50 75 14 84 Q22 50 14 18")
    c.cloth(shape)
    c.outline(shape, c.accent if c.two_tone else c.tone(-0.2), 1)
    for words in ("M16 20 Q24 27 28 33", "M84 20 Q76 27 72 33", "M16 82 Q24 75 28 69", "M84 82 Q76 75 72 69"):
        c.line(path(words), c.tone(-0.14), 0.8)


def towel(c: Canvas) -> None:
    c.line([(8, 14), (92, 14)], shade(WOOD, -0.05), 3)
    c.cloth(path("M26 12 Q28 9 32 9.6 L72 9.6 Q76 9 77 12 L79 84 L24 84"))
    c.soften(path("M60 11 L77 12 L79 84 L64 84"), -0.07)
    for i in range(25):
        c.line([(25 + i * 2.22, 84), (25 + i * 2.22, 88)], c.tone(-0.06), 0.8)


def rug(c: Canvas) -> None:
    c.body(ellipse(50, 52, 42, 38), c.tone(-0.06))
    for k in range(1, 10):
        c.outline(ellipse(50, 52, 42 - k * 4.2, 38 - k * 3.8), c.tone(-0.2 if k % 3 else 0.3), 0.9 if k % 3 else 1.5)
    for k in range(72):
        a = math.radians(k * 5)
        c.line(
            [(50 + 42 * math.cos(a), 52 + 38 * math.sin(a)), (50 + 44.6 * math.cos(a), 52 + 40.4 * math.sin(a))],
            c.tone(-0.1),
            0.6,
        )


def lamp(c: Canvas) -> None:
    c.body(ellipse(40, 86, 19, 4.6), c.tone(-0.1))
    c.line([(40, 84), (28, 54), (56, 26)], c.tone(-0.16), 2.8)
    c.line([(40, 84), (28, 54), (56, 26)], c.main, 1.8)
    c.dots([(28, 54), (56, 26)], 2.8, shade(BRASS, 0.05))
    shape = turned(path("M48 24 Q57 12 66 24 L75 42 L39 42"), -38, (57, 26))
    c.fill(turned(ellipse(57, 42, 18, 3.4), -38, (57, 26)), LIGHT)
    c.body(shape)
    c.fill(turned(ellipse(57, 43.6, 6, 4), -38, (57, 26)), shade(LIGHT, 0.5))


def floorlamp(c: Canvas) -> None:
    for words in ("M50 44 L28 92", "M50 44 L72 92", "M50 44 L53 90"):
        c.line(path(words), c.main if bright(c.main) < 0.8 else WOOD, 2.2)
    shade_colour = c.accent if c.two_tone else mix(c.main, LIGHT, 0.55)
    shape = path("M32 14 L68 14 L75 46 L25 46")
    c.body(shape, mix(shade_colour, LIGHT, 0.35))
    with c.within(shape):
        for i in range(14):
            c.line([(32 + i * 2.8, 14), (25 + i * 3.9, 46)], mix(shade_colour, (190, 150, 90), 0.3), 0.35)
    c.fill(ellipse(50, 46, 25, 2.6), shade(LIGHT, 0.3))


def vase(c: Canvas) -> None:
    stem = mix(LEAF, INK, 0.2)
    c.line(path("M50 36 C50 24 44 16 38 8"), stem, 0.9)
    c.line(path("M50 36 C52 24 58 18 66 12"), stem, 0.9)
    for x, y, a in ((45, 20, -40), (41, 12, 30), (57, 20, 50), (62, 14, -30), (52, 26, 70)):
        c.fill(turned(ellipse(x, y, 4.6, 1.7), a, (x, y)), LEAF)
    blossom = (228, 150, 140) if bright(c.main) > 0.4 else (240, 222, 190)
    c.dots([(38, 8), (66, 12), (60, 10), (43, 15)], 2.3, blossom)
    shape = mirrored("M50 35 L56 35 Q55 42 57 46 Q72 54 70 70 Q68 88 59 90 Q54 91 50 91")
    c.body(shape)
    with c.within(shape):
        for k in range(11):
            x = 30 + k * 4
            c.line(
                path(f"M{50 + (x - 50) * 0.3} 36 Q{50 + (x - 50) * 1.25} 64 {50 + (x - 50) * 0.6} 92"),
                c.tone(-0.08),
                0.5,
            )
    c.fill(ellipse(50, 35, 6, 1.5), c.tone(-0.4))


def candle(c: Canvas) -> None:
    c.fill(path("M50 12 C56 21 55 27 50 28 C45 27 44 21 50 12"), (246, 186, 88))
    c.fill(path("M50 18 C52.6 23 52 26.4 50 27 C48 26.4 47.4 23 50 18"), (254, 238, 190))
    c.line([(50, 27), (50, 40)], INK, 0.8)
    c.fill(rounded(28, 36, 72, 88, 5), mix(c.main, PAPER, 0.35))
    c.fill(rounded(30.6, 42, 69.4, 85.4, 4), c.main)
    c.fill(ellipse(50, 42, 19.4, 3.4), shade(c.main, 0.4))
    c.outline(rounded(28, 36, 72, 88, 5), c.tone(-0.2), 0.5)
    c.body(rounded(36, 54, 64, 74, 1.4), PAPER)
    for i, w in enumerate((16, 22, 12)):
        c.fill(rounded(50 - w / 2, 58 + i * 4.4, 50 + w / 2, 59.4 + i * 4.4), shade(INK, 0.4))


def clock(c: Canvas) -> None:
    c.body(ellipse(50, 50, 39), c.accent if c.two_tone else WOOD)
    face = c.main
    hand = INK if bright(face) > 0.4 else PAPER
    c.body(ellipse(50, 50, 34.6), face)
    for k in range(12):
        a = math.radians(k * 30)
        r = 27 if k % 3 else 25.4
        c.line(
            [(50 + r * math.sin(a), 50 - r * math.cos(a)), (50 + 30 * math.sin(a), 50 - 30 * math.cos(a))],
            hand,
            0.8 if k % 3 else 1.5,
        )
    c.line([(50, 50), (37.4, 41)], hand, 2.2)
    c.line([(50, 50), (64, 30)], hand, 1.6)
    c.line([(46, 58), (59, 30)], (210, 96, 78), 0.6)
    c.fill(ellipse(50, 50, 2), (210, 96, 78))


def basket(c: Canvas) -> None:
    shape = path("M20 38 L80 38 L74 84 Q50 89 26 84")
    c.body(shape)
    with c.within(shape):
        for j in range(10):
            for i in range(16):
                x, y = 17 + i * 4.6 + (j % 2) * 2.3, 39 + j * 5
                c.fill(rounded(x, y, x + 3.8, y + 3.6, 1.6), c.tone(0.12 if (i + j) % 3 else -0.06))
    for side in (path("M24 48 Q12 54 27 60"), path("M76 48 Q88 54 73 60")):
        c.line(side, c.tone(-0.2), 2.2)
    c.body(path("M16 38 Q50 44 84 38 L82 31 Q50 24 18 31"), c.tone(0.04))
    c.line(path("M18 35 Q50 40 82 35"), c.tone(-0.16), 0.6)
    c.body(ellipse(50, 27.6, 5, 2.4), c.tone(-0.2))


def plant(c: Canvas) -> None:
    for a, length in ((-58, 30), (-34, 38), (-12, 44), (12, 42), (36, 37), (60, 29)):
        leaf = path(
            f"M50 58 C42 {58 - length * 0.4} 45 {58 - length * 0.8} 50 {58 - length} C55 {58 - length * 0.8} 58 {58 - length * 0.4} 50 58"
        )
        c.body(turned(leaf, a, (50, 60)), mix(LEAF, (150, 180, 120), 0.25 + 0.2 * (abs(a) % 3) / 2))
        c.line(turned([(50, 56), (50, 60 - length * 0.9)], a, (50, 60)), shade(LEAF, -0.16), 0.4)
    c.body(path("M30 60 L70 60 L66 86 L34 86"))
    c.body(rounded(27, 54, 73, 62, 1.4), c.tone(0.06))
    c.body(path("M28 86 L72 86 L69 91 L31 91"), c.tone(-0.08))


def mirror(c: Canvas) -> None:
    shape = path("M30 90 L30 36 Q30 10 50 10 Q70 10 70 36 L70 90")
    c.body(shape)
    glass = path("M32.4 87.6 L32.4 36 Q32.4 12.4 50 12.4 Q67.6 12.4 67.6 36 L67.6 87.6")
    c.fill(glass, (216, 226, 228))
    with c.within(glass):
        c.fill(path("M30 70 L58 10 L66 10 L30 86"), (232, 239, 240))
        c.fill(path("M40 90 L70 26 L70 34 L44 90"), (228, 236, 237))


HANGING = (rug, clock, towel, cushion, blanket, bedding)
PAINTERS = (
    sofa, armchair, chair, officechair, desk, shelf, table, blanket, bedding, cushion, towel, rug, lamp, floorlamp, vase,
    candle, clock, basket, plant, mirror,
)  # fmt: skip
KINDS = tuple((paint.__name__.replace("_", "-"), paint, paint not in HANGING) for paint in PAINTERS)
