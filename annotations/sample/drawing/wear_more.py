"""Trousers, skirts, shoes, bags and what one puts on last."""

from __future__ import annotations

from annotations.sample.drawing.canvas import (
    BRASS,
    INK,
    LEATHER,
    PAPER,
    STEEL,
    Canvas,
    bright,
    ellipse,
    flipped,
    mirrored,
    moved,
    path,
    rounded,
    shade,
    turned,
)


def _legs(c: Canvas, knee: float, hem: float, bottom: float = 92, top: float = 10) -> None:
    """A pair of legs; ``knee`` and ``hem`` are the outer distances from the middle."""
    inner = max(2.0, hem - (12 if hem > 20 else 9))
    c.cloth(
        mirrored(
            f"M50 {top} L63 {top} Q66 {top + 14} {50 + knee} {(top + bottom) / 2 + 4} L{50 + hem} {bottom} "
            f"L{50 + inner} {bottom} Q51.5 {top + 42} 50.4 {top + 30} L50 {top + 30}"
        )
    )
    c.line(path(f"M50 {top + 6} L50 {top + 26} Q48.5 {top + 29} 46 {top + 27}"), c.tone(-0.2), 0.5)


def _waistband(c: Canvas, top: float = 10) -> None:
    c.body(path(f"M37 {top} Q50 {top + 1.6} 63 {top} L63.8 {top + 5.4} Q50 {top + 7} 36.2 {top + 5.4}"), c.tone(-0.06))


def trousers(c: Canvas) -> None:
    _legs(c, 16.4, 15)
    _waistband(c)
    for x in (40, 50, 60):
        c.fill(rounded(x - 0.7, 9.4, x + 0.7, 16.6, 0.4), c.tone(-0.18))
    c.dots([(50, 13.6)], 1, shade(c.main, -0.4) if bright(c.main) > 0.4 else shade(c.main, 0.4))
    for pocket in (path("M64 18 Q60 20 57.5 27"), path("M36 18 Q40 20 42.5 27")):
        c.line(pocket, c.tone(-0.22), 0.6)
    for crease in (path("M58.5 30 Q60 60 61 91"), path("M41.5 30 Q40 60 39 91")):
        c.line(crease, c.tone(-0.1), 0.5)


def trousers_wide(c: Canvas) -> None:
    _legs(c, 20, 25.5)
    _waistband(c)
    for x in range(39, 62, 2):
        c.line([(x, 11.4), (x, 15.6)], c.tone(-0.16), 0.35)
    for end in ((48.0, 26.0), (52.6, 29.0)):
        c.line([(50, 15), end], shade(PAPER, -0.08), 0.8)
    for fold in (
        path("M57 24 Q62 58 66 91"),
        path("M43 24 Q38 58 34 91"),
        path("M61 40 Q67 66 71 91"),
        path("M39 40 Q33 66 29 91"),
    ):
        c.line(fold, c.tone(-0.09), 0.8)


def jeans(c: Canvas) -> None:
    thread = (214, 164, 96)
    _legs(c, 16, 14.6)
    c.soften(path("M54 30 Q61 46 60.4 66 Q57 60 54.5 46"), 0.1)
    c.soften(flipped(path("M54 30 Q61 46 60.4 66 Q57 60 54.5 46")), 0.1)
    _waistband(c)
    for x in (40, 46, 54, 60):
        c.fill(rounded(x - 0.7, 9.4, x + 0.7, 16.6, 0.4), c.tone(-0.2))
    for pocket in (path("M64.2 18 Q58 21 53.6 17.4"), path("M35.8 18 Q42 21 46.4 17.4")):
        c.line(pocket, thread, 0.45)
    c.line(path("M52.6 17 L52.6 32 Q51.8 36 50.2 37"), thread, 0.4)
    for hem in (33.2, 66.8):
        c.line([(hem - 6 if hem > 50 else hem + 2.4, 89.8), (hem - 2.4 if hem > 50 else hem + 6, 89.8)], thread, 0.4)
    c.dots([(50, 13.6)], 1.15, BRASS)


def leggings(c: Canvas) -> None:
    _legs(c, 13, 9.6, top=11)
    c.body(path("M37.4 10 Q50 12 62.6 10 L64 22 Q50 27 36 22"), c.tone(0.06))
    for words in ("M63.6 26 Q64 50 58.6 90", "M57 30 Q58 50 55 88"):
        c.line(path(words), c.tone(0.14), 0.5)
        c.line(flipped(path(words)), c.tone(0.14), 0.5)


def shorts(c: Canvas) -> None:
    c.cloth(mirrored("M50 24 L66 24 Q70 40 77 72 L54 75 Q52 62 50.4 54 L50 54"))
    c.line(path("M50 31 L50 52"), c.tone(-0.2), 0.5)
    c.body(path("M34 23.4 Q50 25.6 66 23.4 L67 30 Q50 32.4 33 30"), c.tone(-0.06))
    for x in range(36, 66, 2):
        c.line([(x, 25), (x, 29.6)], c.tone(-0.16), 0.35)
    for end in ((47.0, 41.0), (53.4, 43.0)):
        c.line([(50, 29), end], PAPER, 0.9)
    for side in (path("M67.6 34 Q63 36 61 44"), path("M55 71.4 L76 68.6")):
        c.line(side, c.tone(-0.2), 0.5)
        c.line(flipped(side), c.tone(-0.2), 0.5)


def skirt(c: Canvas) -> None:
    shape = mirrored("M50 18 L62 18 L63.4 25 Q69 52 80 84 Q66 88 50 88")
    c.cloth(shape)
    with c.within(shape):
        for i in range(13):
            top, foot = 37.6 + i * 2.06, 18 + i * 5.3
            c.soften([(top, 26), (top + 0.9, 26), (foot + 2.4, 90), (foot, 90)], -0.12)
    trim = c.accent if c.two_tone else c.tone(-0.12)
    c.body(path("M37.8 17 Q50 18.6 62.2 17 L63.4 25 Q50 26.8 36.6 25"), trim)


def _sole(c: Canvas, words: str, colour: tuple[int, int, int]) -> None:
    c.body(path(words), colour)


def sneaker(c: Canvas) -> None:
    sole = PAPER if bright(c.main) < 0.85 else shade(PAPER, -0.06)
    _sole(c, "M14 68 Q13 76 18 77 L82 77 Q89 76 87 68 Q60 72 14 68", sole)
    c.line(path("M14.6 72.6 Q50 74.6 87.6 72.4"), shade(sole, -0.16), 0.5)
    c.body(path("M15 69 Q13 54 17 43 Q24 46 31 40 Q36 42 40 42 Q52 55 66 58 Q82 60 86.6 69 Q50 72 15 69"))
    c.fill(path("M62 57.4 Q81 59 86.4 69 Q78 70.4 69 70.6 Q70 62 62 57.4"), c.tone(-0.05))
    c.line(path("M62 57.4 Q70 62 69 70.6"), c.tone(-0.18), 0.5)
    c.fill(path("M17 43 Q24 46 31 40 Q33 42 35 42 Q27 50 18 49"), c.tone(-0.3))
    c.fill(path("M15.2 66 Q14.6 55 17 47 Q21 48.4 24 48 Q24 60 22.6 69.6 L15.2 69"), c.accent)
    c.line(path("M24 48 Q24 60 22.6 69.6"), c.tone(-0.16), 0.4)
    for i in range(5):
        x, y = 41.5 + i * 4.6, 44.6 + i * 3.2
        c.line([(x - 3.4, y + 5), (x + 2, y - 0.4)], PAPER if bright(c.main) < 0.8 else shade(PAPER, -0.22), 1.2)
    c.dots([(36 + i * 4.2, 57 + i * 1.8) for i in range(3)], 0.55, c.tone(-0.28))


def sneaker_sport(c: Canvas) -> None:
    glow = c.accent if c.two_tone else shade(c.main, 0.35)
    _sole(c, "M12 66 Q9 74 15 77 Q30 75 38 78 L74 79 Q90 78 90 70 Q60 76 12 66", PAPER)
    c.line(path("M13 72 Q40 79 88 75"), shade(c.main, 0.1), 1.2)
    for x in range(20, 84, 7):
        c.fill(path(f"M{x} 77.2 L{x + 3.6} 77.6 L{x + 3} 80 L{x + 0.8} 79.8"), shade(INK, 0.1))
    c.body(path("M13 67 Q10 52 15 40 Q24 45 31 38 Q37 41 41 41 Q52 54 68 58 Q85 61 89.6 71 Q50 76 13 67"))
    for i in range(7):
        c.line(path(f"M{60 + i * 3.6} {58 + i * 1.3} L{57 + i * 3.6} {70 + i * 0.5}"), c.tone(-0.12), 0.4)
    c.fill(path("M15 40 Q24 45 31 38 Q33 40.6 36 41 Q27 49 16 48"), c.tone(-0.35))
    c.fill(path("M27 68 Q36 56 58 62 Q42 61 37 70.6"), glow)
    for i in range(5):
        x, y = 42 + i * 5, 43 + i * 3.5
        c.line([(x - 4, y + 5.4), (x + 2, y - 0.6)], glow, 1.1)


def _boot(c: Canvas) -> None:
    _sole(c, "M27 82 L27 88 L42 88 L43 86 L78 88 Q83 87 82 81 L27 80", shade(INK, 0.06))
    c.body(path("M30 16 Q42 19 54 16 L55 52 Q64 57 72 60 Q83 65 82 82 L28 82 Q27 60 30 16"))
    c.fill(path("M30 16 Q42 19 54 16 L54 19 Q42 22.4 30 19"), c.tone(-0.22))
    c.line([(28, 79), (81.6, 79)], shade(LEATHER, 0.3), 0.6)
    c.line(path("M31 17 Q29 11 33 10 Q36 11 35.4 17"), c.tone(-0.3), 1)


def boot(c: Canvas) -> None:
    _boot(c)
    c.fill(path("M38 22 L46 22 L47 48 Q42 54 37 48"), c.tone(-0.24))
    for x in range(39, 47, 2):
        c.line([(x, 23), (x, 48)], c.tone(-0.34), 0.35)
    c.line(path("M54.6 50 Q47 58 46 81"), c.tone(-0.18), 0.6)


def boot_laced(c: Canvas) -> None:
    _boot(c)
    c.fill(path("M47 18 L54 16.6 L55 52 Q61 56 67 58 Q60 62 54 60 Q48 56 47.6 50"), c.tone(-0.14))
    c.line(path("M47 19 L47.6 50 Q48 57 54 60 Q60 62 67 58"), c.tone(-0.3), 0.5)
    for i in range(8):
        x, y = (48, 22 + i * 4.6) if i < 6 else (50 + (i - 5) * 3.4, 46 + (i - 5) * 3.6)
        c.line([(x, y + 1.6), (x + 6.6, y - 0.6)], shade(PAPER, -0.1), 1)
        c.fill(ellipse(x, y + 1.6, 0.8), BRASS)
    c.line(path("M38 60 Q36 70 36 80"), c.tone(-0.18), 0.5)


def loafer(c: Canvas) -> None:
    _sole(c, "M11 70 L12 80 L30 80 L32 75.4 L84 77 Q91 76 89 70", shade(INK, 0.08))
    c.body(path("M12 71 Q9 54 12 42 Q22 42 31 48 Q40 55 48 49 Q54 46 60 50 Q80 54 87 62 Q92 68 88.6 72 Q50 74 12 71"))
    c.fill(path("M12 42 Q22 42 31 48 Q40 55 47 50 Q40 60 28 58 Q18 57 12.4 50"), c.tone(-0.42))
    c.line(path("M57 49.4 Q74 53 81 60 Q72 66 58 64"), c.tone(-0.3), 0.7)
    c.body(path("M43.6 53 Q50 46 58 49.4 Q63 60 60 72.6 L42 72.4 Q47 62 43.6 53"), c.tone(-0.08))
    c.fill(rounded(48, 57, 56, 60.6, 1), c.tone(-0.36))
    c.line(path("M13 66 Q50 69.6 88 67.6"), c.tone(-0.14), 0.4)


def sandal(c: Canvas) -> None:
    for foot in (0, 1):
        at = 33 + foot * 34
        sole = path(
            f"M{at} 14 C{at + 15} 14 {at + 13} 34 {at + 10} 50 C{at + 9} 62 {at + 12} 86 {at} 86 C{at - 12} 86 {at - 9} 62 {at - 10} 50 C{at - 13} 34 {at - 15} 14 {at} 14"
        )
        c.body(sole, (201, 168, 128))
        for y, h in ((27, 9), (44, 8)):
            band = path(
                f"M{at - 13.6} {y + 2} Q{at} {y - 3} {at + 13.6} {y + 2} L{at + 12.6} {y + h + 2} Q{at} {y + h - 3} {at - 12.6} {y + h + 2}"
            )
            c.body(band)
            side = -8 if foot == 0 else 8
            c.outline(rounded(at + side - 2, y, at + side + 2, y + h - 0.6, 0.8), shade(BRASS, 0.1), 0.9)


def socks(c: Canvas) -> None:
    for dx, dy in ((15, -3), (-2, 5)):
        shape = moved(path("M34 18 L50 18 L50 50 Q52 58 64 64 Q72 70 66 77 Q60 82 50 77 Q36 70 34 58"), dx - 4, dy)
        c.cloth(shape)
        c.body(moved(path("M33.4 14 L50.6 14 L50.4 24 L33.6 24"), dx - 4, dy), c.tone(-0.1))
        c.fill(moved(path("M58 79.6 Q63 81 66.6 76.6 Q71 70 64.5 64.3 Q59 70 58 79.6"), dx - 4, dy), c.accent)


def gloves(c: Canvas) -> None:
    palm = path("M19 88 L20 62 Q12 54 8 44 Q8 39 13 41 L20 49 L19 40 L45 40 L43 64 L43 88")
    for side in (1, -1):
        parts = [rounded(18.6 + k * 6.7, top, 25 + k * 6.7, 52, 3.2) for k, top in enumerate((22, 15, 17, 25))]
        for part in (*parts, palm):
            shape = turned(moved(part, 2), -5, (32, 60))
            c.body(shape if side == 1 else flipped(shape))
        inner = turned(moved(rounded(20.4, 42, 43.4, 62), 2), -5, (32, 60))
        c.fill(inner if side == 1 else flipped(inner), c.main)
        for words in ("M28 46 L28.4 57", "M34 45 L34.4 57", "M40 45 L40.4 56"):
            line = path(words)
            c.line(line if side == 1 else flipped(line), c.tone(0.2), 0.5)
        cuff = turned(moved(rounded(18, 79, 44, 89, 1.6), 2), -5, (32, 60))
        c.body(cuff if side == 1 else flipped(cuff), c.tone(0.1))


def belt(c: Canvas) -> None:
    c.line(ellipse(52, 47, 27, 22, 150, 462), c.tone(-0.2), 8.4)
    c.line(ellipse(52, 46.2, 27, 22, 150, 462), c.main, 7)
    c.line(path("M29 57 Q37 70 58 71 L84 69"), c.tone(-0.2), 8.6)
    c.line(path("M29 56.4 Q37 69.2 58 70.2 L84 68.2"), c.main, 7.2)
    c.line(path("M31 57.6 Q39 68.4 58 69.2 L82 67.4"), c.tone(0.14), 0.4)
    c.dots([(62 + i * 5, 70 - i * 0.4) for i in range(4)], 0.8, c.tone(-0.4))
    c.outline(turned(rounded(25, 50, 36, 65, 2.2), -28, (30, 58)), BRASS, 1.9)
    c.line([(27, 57), (36, 61)], shade(BRASS, -0.2), 1.2)


def scarf(c: Canvas) -> None:
    back = path("M57 22 L74 24 L78 78 L60 80")
    c.cloth(back)
    c.soften(back, -0.14)
    c.cloth(path("M28 20 Q50 6 72 20 Q79 30 68 38 Q50 47 33 38 Q22 30 28 20"))
    c.fill(path("M38 23 Q50 17 62 23 Q64 28 58 30 Q50 33 42 30 Q36 28 38 23"), c.tone(-0.4))
    c.cloth(path("M34 35 Q44 43 55 37 L53 86 L29 84"))
    for x0, y0, x1, y1, n in ((29, 84.4, 53, 86.4, 12), (60.4, 80.2, 77.6, 78.4, 9)):
        for i in range(n + 1):
            x, y = x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * i / n
            c.line([(x, y), (x + (0.6 if i % 2 else -0.6), y + 5)], c.tone(-0.08), 0.6)


def sunglasses(c: Canvas) -> None:
    clear = bright(c.main) > 0.75
    lens = (126, 150, 150) if clear else (58, 52, 56)
    frame = c.tone(-0.12) if clear else c.main
    for x in (31, 69):
        c.line(
            [(x + (-14 if x < 50 else 14), 46), (x + (-19 if x < 50 else 19), 40), (x + (-13 if x < 50 else 13), 30)],
            frame,
            2.4,
        )
        c.fill(ellipse(x, 52, 16.6), lens)
        c.soften(path(f"M{x - 11} 60 L{x + 4} 38 L{x + 9} 40 L{x - 6} 65"), 0.22)
        c.outline(ellipse(x, 52, 16.6), frame, 2.8)
    c.line(path("M46.6 46 Q50 42 53.4 46"), frame, 2.6)


def buckethat(c: Canvas) -> None:
    c.cloth(path("M34 28 Q50 22 66 28 L72 56 Q50 64 28 56"))
    c.body(path("M28 54 Q50 61 72 54 Q84 66 88 74 Q50 90 12 74 Q16 66 28 54"), c.tone(-0.05))
    for k in range(4):
        c.line(path(f"M{24 - k * 3} {61 + k * 3.6} Q50 {70 + k * 4.4} {76 + k * 3} {61 + k * 3.6}"), c.tone(-0.16), 0.4)
    c.line(path("M34.4 28.4 Q50 33 65.6 28.4"), c.tone(-0.16), 0.5)
    c.dots([(41, 44), (45, 45)], 0.8, c.tone(-0.34))


def strawhat(c: Canvas) -> None:
    c.body(ellipse(50, 60, 41, 17))
    for k in range(1, 6):
        c.outline(ellipse(50, 60, 41 - k * 3.6, 17 - k * 1.5), c.tone(-0.1), 0.4)
    crown = path("M29 58 Q30 28 50 27 Q70 28 71 58 Q50 66 29 58")
    c.body(crown, c.tone(0.05))
    with c.within(crown):
        for y in range(30, 66, 4):
            c.line(path(f"M26 {y} Q50 {y + 7} 74 {y}"), c.tone(-0.12), 0.4)
    c.fill(path("M29 50 Q50 58 71 50 L71.4 58 Q50 66.4 28.6 58"), (74, 64, 72))


def cap(c: Canvas) -> None:
    c.body(path("M26 58 Q26 28 50 27 Q73 28 74 58 Q50 64 26 58"))
    for words in ("M50 27 Q40 40 39 60", "M50 27 Q60 40 61 60"):
        c.line(path(words), c.tone(-0.16), 0.5)
    c.body(path("M30 58 Q52 50 74 58 Q88 64 86 74 Q62 62 24 70 Q22 62 30 58"), c.tone(-0.12))
    c.line(path("M29 66 Q58 58 82 70"), c.tone(0.14), 0.4)
    c.fill(ellipse(50, 27, 2, 1.2), c.tone(-0.3))
    c.fill(ellipse(50, 45, 4.4), c.accent)
    c.fill(ellipse(50, 45, 1.8), c.tone(0.05))


def beanie(c: Canvas) -> None:
    dome = path("M24 64 Q24 22 50 21 Q76 22 76 64")
    c.body(dome)
    with c.within(dome):
        for i in range(13):
            x = 26 + i * 4
            c.line(path(f"M{x} 66 Q{(x + 50) / 2 + (x - 50) * 0.36} 34 {50 + (x - 50) * 0.25} 20"), c.tone(-0.14), 0.6)
    fold = rounded(21.5, 57, 78.5, 76, 4)
    c.body(fold, c.tone(0.06))
    for i in range(19):
        c.line([(23.6 + i * 2.95, 58.4), (23.6 + i * 2.95, 74.8)], c.tone(-0.13), 0.6)


def duffel(c: Canvas) -> None:
    c.line(path("M35 47 C36 20 64 20 65 47"), shade(LEATHER, -0.12), 2.6)
    c.body(rounded(12, 40, 88, 78, 12))
    c.line(path("M16 47 Q50 43 84 47"), shade(BRASS, -0.05), 1)
    for x in (30, 66):
        c.body(rounded(x, 41, x + 4.6, 78, 0.4), LEATHER)
    c.body(rounded(12, 46, 19, 72, 3), shade(LEATHER, -0.06))
    c.body(rounded(81, 46, 88, 72, 3), shade(LEATHER, -0.06))
    c.line(path("M32.3 52 C36 29 64 29 68.3 52"), LEATHER, 2.6)
    c.outline(rounded(40, 56, 60, 73, 1.6), c.tone(-0.2), 0.6)
    c.dots([(32.3, 55), (68.3, 55)], 1.1, BRASS)


def backpack(c: Canvas) -> None:
    c.line(path("M42 16 C42 7 58 7 58 16"), c.tone(-0.3), 2.4)
    for shape in (path("M26 36 Q18 46 21 72 L27 74"), path("M74 36 Q82 46 79 72 L73 74")):
        c.body(shape, c.tone(-0.24))
    c.body(path("M26 34 Q27 14 50 14 Q73 14 74 34 L75 80 Q75 87 68 87 L32 87 Q25 87 25 80"))
    c.line(path("M29 44 Q29 21 50 21 Q71 21 71 44"), c.tone(-0.26), 0.8)
    c.body(rounded(31, 54, 69, 82, 5), c.tone(-0.07))
    c.line([(34, 60), (66, 60)], c.tone(-0.3), 1)
    c.fill(rounded(61, 59, 63, 65, 0.8), shade(STEEL, -0.1))
    c.fill(rounded(44, 33, 56, 40, 1.4), shade(LEATHER, 0.05))
    c.line([(26, 48), (74, 48)], c.tone(-0.13), 0.5)


def tote(c: Canvas) -> None:
    for words in ("M36 40 C36 6 64 6 64 40",):
        c.line(path(words), c.tone(-0.22), 2.6)
    c.cloth(path("M22 38 L78 38 L82 88 Q50 91 18 88"))
    c.line(path("M22 42 L78 42"), c.tone(-0.16), 0.4)
    c.line(path("M34 43 C35 14 65 14 66 43"), c.tone(-0.1), 2.8)


def handbag(c: Canvas) -> None:
    c.line(path("M20 50 C22 8 78 8 80 50"), c.tone(-0.16), 2.6)
    c.body(path("M14 44 Q50 58 86 44 Q90 62 76 74 Q50 88 24 74 Q10 62 14 44"))
    c.body(path("M14 44 Q50 58 86 44 Q87 54 80 60 Q50 72 20 60 Q13 54 14 44"), c.tone(0.05))
    c.line(path("M16 47 Q50 61 84 47"), c.tone(-0.16), 0.5)
    c.body(rounded(46, 60, 54, 71, 3), BRASS)
    c.dots([(20, 48), (80, 48)], 1.9, BRASS)


def suitcase(c: Canvas) -> None:
    for x in (43, 57):
        c.line([(x, 10), (x, 26)], shade(STEEL, -0.2), 1.3)
    c.line([(42.4, 9.4), (57.6, 9.4)], shade(INK, 0.15), 3)
    for x in (34, 66):
        c.fill(rounded(x - 3, 84, x + 3, 91, 2), shade(INK, 0.1))
    c.body(rounded(26, 22, 74, 87, 6))
    for x in range(32, 72, 6):
        c.line([(x, 26), (x, 83)], c.tone(-0.13), 0.8)
        c.line([(x + 0.9, 26), (x + 0.9, 83)], c.tone(0.18), 0.4)
    c.line([(26, 54), (74, 54)], c.tone(-0.28), 1)
    c.fill(rounded(45, 51, 55, 57, 1), shade(STEEL, -0.1))


KINDS = tuple(
    (paint.__name__.replace("_", "-"), paint, paint in (sneaker, sneaker_sport, boot, boot_laced, loafer, backpack, duffel, suitcase, handbag))
    for paint in (
        trousers, trousers_wide, jeans, leggings, shorts, skirt, sneaker, sneaker_sport, boot, boot_laced, loafer, sandal, socks,
        gloves, belt, scarf, sunglasses, buckethat, strawhat, cap, beanie, duffel, backpack, tote, handbag, suitcase,
    )
)  # fmt: skip
