"""Electronics."""

from __future__ import annotations

from annotations.sample.drawing.canvas import (
    BRASS,
    INK,
    PAPER,
    STEEL,
    WOOD,
    Canvas,
    Colour,
    bright,
    ellipse,
    flipped,
    mix,
    moved,
    path,
    rounded,
    shade,
    turned,
)

SCREEN: Colour = (24, 28, 38)
GLOW: Colour = (86, 208, 178)


def _screen(c: Canvas, shape: list, colours: tuple[Colour, Colour]) -> None:
    """A lit screen: a dusk of two colours and a glint."""
    c.fill(shape, colours[0])
    xs, ys = [p[0] for p in shape], [p[1] for p in shape]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    with c.within(shape):
        for k in range(5):
            y = y0 + (y1 - y0) * (0.5 + 0.1 * k)
            wave = f"M{x0 - 1} {y} Q{x0 + (x1 - x0) * 0.3} {y - (y1 - y0) * 0.16} {(x0 + x1) / 2} {y} "
            wave += f"Q{x0 + (x1 - x0) * 0.75} {y + (y1 - y0) * 0.12} {x1 + 1} {y - 3} L{x1 + 1} {y1 + 1} L{x0 - 1} {y1 + 1}"
            c.fill(path(wave), mix(colours[0], colours[1], 0.2 + 0.17 * k))
        c.soften([(x0, y0), (x0 + (x1 - x0) * 0.5, y0), (x0, y0 + (y1 - y0) * 0.8)], 0.06)


def _hues(c: Canvas) -> tuple[Colour, Colour]:
    lead = c.main if 0.2 < bright(c.main) < 0.8 and max(c.main) - min(c.main) > 30 else (92, 118, 168)
    return mix(SCREEN, lead, 0.35), mix(lead, (246, 196, 150), 0.45)


def watch(c: Canvas) -> None:
    strap = c.main
    case = c.accent if c.two_tone else (shade(INK, 0.16) if bright(c.main) < 0.75 else shade(STEEL, -0.12))
    for shape in (path("M38 32 L40 7 Q50 4.6 60 7 L62 32"), path("M38 68 L40 93 Q50 95.4 60 93 L62 68")):
        c.body(shape, strap)
    c.line([(43, 9), (42, 30)], shade(strap, 0.16), 0.5)
    for y in (78, 83, 88):
        c.fill(ellipse(50, y, 1.1), shade(strap, -0.36))
    c.fill(rounded(70, 44, 74.6, 53, 1.6), shade(case, -0.15))
    c.body(rounded(28, 27, 72, 73, 13), case)
    c.outline(rounded(29.4, 28.4, 70.6, 71.6, 12), shade(case, 0.25), 0.5)
    c.fill(rounded(32, 31, 68, 69, 10), SCREEN)
    c.line(ellipse(50, 50, 15.4, 15.4, -90, 190), GLOW, 1.9)
    c.line(ellipse(50, 50, 12.2, 12.2, -90, 110), (240, 178, 96), 1.9)
    c.line(path("M40 51 L45 51 L47.4 45 L50.6 56.6 L53.4 48.6 L54.6 51 L60 51"), (240, 244, 244), 1)
    c.soften(path("M32 41 Q33 32 42 31 L56 31 L35 66 Q32 64 32 58"), 0.05)


def band(c: Canvas) -> None:
    c.body(path("M41 6 Q50 3.6 59 6 L61 94 Q50 96.4 39 94"))
    for y in (74, 79, 84, 89):
        c.fill(ellipse(50, y, 1.1, 1.5), c.tone(-0.35))
    c.body(rounded(38.6, 27, 61.4, 68, 11), shade(INK, 0.1))
    c.fill(rounded(40.8, 29.2, 59.2, 65.8, 9), SCREEN)
    c.line(ellipse(50, 42, 6.2, 6.2, -90, 170), GLOW, 1.5)
    heart = path("M50 60.5 C44 56.5 45 52.6 48 52.8 Q49.4 53 50 54.6 Q50.6 53 52 52.8 C55 52.6 56 56.5 50 60.5")
    c.fill(heart, (232, 96, 96))


def headphones(c: Canvas) -> None:
    c.line(ellipse(50, 48, 31, 33, 180, 360), c.tone(-0.14), 6)
    c.line(ellipse(50, 48, 31, 33, 182, 358), c.main, 4.6)
    c.line(ellipse(50, 48, 28.4, 30.4, 210, 330), c.tone(-0.34), 2.2)
    metal = STEEL if bright(c.main) < 0.7 else shade(STEEL, -0.2)
    for side in (-1, 1):
        x = 50 + side * 31
        c.line([(x, 46), (x, 60)], metal, 2)
        c.body(rounded(x - 3.6 - side * 6.4, 49, x + 3.6 - side * 6.4, 81, 3.6), c.tone(-0.36))
        c.body(rounded(x - 6.4 - side, 48, x + 6.4 - side, 82, 6.2))
        c.outline(rounded(x - 3.6 - side, 53, x + 3.6 - side, 77, 3.6), c.tone(0.2), 0.5)


def earbuds(c: Canvas) -> None:
    case = path("M16 60 Q16 50 26 50 L74 50 Q84 50 84 60 L84 74 Q84 89 66 89 L34 89 Q16 89 16 74")
    lid = path("M20 50 Q19 30 36 29 L64 29 Q81 30 80 50")
    c.body(lid, c.tone(-0.12))
    c.fill(path("M23 50 Q23 33 37 32.4 L63 32.4 Q77 33 77 50"), c.tone(-0.24))
    for bud in (path("M39 58 L36.6 39 Q29 36 30.6 27 Q33 19 41 21 Q47.4 23 45.6 31 L44.6 58"),):
        for shape in (bud, flipped(bud)):
            c.body(shape, c.tone(0.08))
    for x, y in ((34, 26), (66, 26)):
        c.fill(ellipse(x, y, 2.6, 3.4), shade(c.main, -0.45))
    c.body(case)
    c.line([(17.6, 56), (82.4, 56)], c.tone(0.22), 0.5)
    c.fill(ellipse(50, 66, 1.1), GLOW)


def earphones_wired(c: Canvas) -> None:
    cable = c.tone(-0.14) if bright(c.main) > 0.5 else c.main
    c.line(path("M32 34 C30 60 48 56 50 68 C52 56 70 60 68 34"), cable, 1.1)
    c.line(path("M50 68 C50 84 30 92 26 78 C24 66 44 66 60 80 Q70 88 80 82"), cable, 1.3)
    c.body(turned(rounded(79, 79.4, 89, 84.6, 1.6), -24, (80, 82)), c.main)
    c.fill(turned(rounded(88, 81, 94, 83, 0.8), -24, (80, 82)), BRASS)
    c.body(rounded(47.8, 64, 52.2, 72, 1.6))
    bud = path("M27 18 Q36 12 40 20 Q42 28 35.6 30 L34.4 40 Q32 42 29.6 40 L29 30 Q23 26 27 18")
    for shape in (bud, flipped(bud)):
        c.body(shape)
    for x in (34, 66):
        c.fill(ellipse(x, 21.6, 4, 4.6), c.tone(-0.4) if bright(c.main) > 0.3 else c.tone(0.3))


def speaker(c: Canvas) -> None:
    c.line(path("M80 32 Q96 34 92 52 Q90 58 84 58"), c.tone(-0.3), 2.2)
    c.body(rounded(14, 30, 86, 70, 18))
    grille = rounded(19, 34.6, 81, 65.4, 14)
    c.fill(grille, c.tone(-0.16))
    with c.within(grille):
        for j in range(12):
            c.dots([(18 + i * 3 + (j % 2) * 1.5, 35 + j * 2.7) for i in range(23)], 0.55, c.tone(-0.42))
    c.body(rounded(39, 45, 61, 55, 4), c.tone(0.08))
    c.line(path("M45 50 L48 50 M50 50"), c.tone(-0.4), 0.9)
    c.fill(path("M51 47.4 L56.6 50 L51 52.6"), c.tone(-0.4))


def speaker_shelf(c: Canvas) -> None:
    c.body(rounded(14, 28, 86, 78, 7), c.main if bright(c.main) < 0.85 else shade(WOOD, 0.1))
    weave = (94, 92, 90) if bright(c.main) < 0.6 else (206, 198, 186)
    front = rounded(19, 33, 81, 73, 3.6)
    c.fill(front, weave)
    with c.within(front):
        for i in range(34):
            c.line([(10 + i * 2.6, 30), (26 + i * 2.6, 76)], shade(weave, -0.12), 0.35)
            c.line([(26 + i * 2.6, 30), (10 + i * 2.6, 76)], shade(weave, 0.1), 0.35)
    c.body(ellipse(50, 28, 6, 2.2), BRASS)
    for x in (24, 76):
        c.fill(rounded(x - 3, 78, x + 3, 82, 1), shade(c.main, -0.4))


def phone(c: Canvas) -> None:
    back = turned(rounded(27, 10, 59, 82, 6), -10, (43, 50))
    c.body(moved(back, -3, 2))
    for x, y, r in ((34, 21, 4), (34, 31, 4), (42.6, 26, 2.6)):
        spot = turned([(x, y)], -10, (43, 50))[0]
        c.fill(ellipse(spot[0] - 3, spot[1] + 2, r), c.tone(-0.28))
        c.fill(ellipse(spot[0] - 3, spot[1] + 2, r * 0.62), SCREEN)
        c.fill(ellipse(spot[0] - 3.8, spot[1] + 1.2, r * 0.2), (150, 170, 200))
    c.body(rounded(43, 14, 77, 90, 6.4), c.tone(-0.18))
    face = rounded(44.4, 15.4, 75.6, 88.6, 5.2)
    _screen(c, face, _hues(c))
    c.fill(rounded(56, 18, 64, 20.4, 1.2), (14, 16, 22))
    c.line([(55, 86), (65, 86)], (236, 238, 240), 0.7)


def phone_flip(c: Canvas) -> None:
    c.body(path("M30 14 Q30 9 35 9 L65 9 Q70 9 70 14 L71 50 L29 50"))
    _screen(c, rounded(33.6, 13, 66.4, 45, 2.4), _hues(c))
    c.body(path("M29 52 L71 52 L72 86 Q72 91 67 91 L33 91 Q28 91 28 86"), c.tone(0.04))
    c.fill(rounded(30, 48.6, 70, 53.4, 2.2), c.tone(-0.3))
    keys = PAPER if bright(c.main) < 0.8 else shade(INK, 0.3)
    for j in range(4):
        for i in range(3):
            c.fill(rounded(34.4 + i * 11, 58 + j * 7.6, 43.4 + i * 11, 63.4 + j * 7.6, 2), keys)
    c.fill(rounded(34.4, 80.8, 43.4, 86.2, 2), GLOW)
    c.fill(rounded(56.4, 80.8, 65.4, 86.2, 2), (226, 92, 84))


def tablet(c: Canvas) -> None:
    c.body(rounded(10, 22, 90, 80, 5.6))
    _screen(c, rounded(13.4, 25.4, 86.6, 76.6, 3), _hues(c))
    for i in range(4):
        c.soften(rounded(20 + i * 12, 31, 28 + i * 12, 39, 2.2), 0.5)
    pen = turned(rounded(8, 86, 72, 88.8, 1.4), -3, (50, 87))
    c.body(pen, PAPER)
    c.fill(turned(path("M72 86 L77 87.4 L72 88.8"), -3, (50, 87)), shade(INK, 0.2))


def ereader(c: Canvas) -> None:
    c.body(rounded(24, 10, 76, 90, 5))
    c.fill(rounded(29, 16, 71, 78, 1), (232, 229, 219))
    c.fill(rounded(33, 22, 56, 24.2, 0.6), (70, 70, 72))
    for i in range(13):
        c.fill(
            rounded(33, 29 + i * 3.5, 67 - (i * 7 % 5) * (2.6 if i % 4 == 3 else 0.5), 30.2 + i * 3.5), (126, 125, 120)
        )
    c.fill(ellipse(50, 84, 1.8), c.tone(-0.24))


def laptop(c: Canvas) -> None:
    c.body(rounded(19, 20, 81, 66, 3), c.tone(-0.24))
    _screen(c, rounded(21.2, 22.2, 78.8, 63.4, 1.6), _hues(c))
    for i, w in enumerate((18, 26, 14)):
        c.soften(rounded(27, 30 + i * 5, 27 + w, 32 + i * 5, 1), 0.55)
    c.body(path("M19 66 L81 66 L90 80 Q90 82 87 82 L13 82 Q10 82 10 80"), c.tone(0.08))
    c.fill(path("M23 68 L77 68 L80 74.6 L20 74.6"), c.tone(-0.2))
    for j in range(3):
        y = 69 + j * 1.9
        c.line(
            [(24 - j * 1.2, y + 0.4), (76 + j * 1.2, y + 0.4)], c.tone(-0.5) if bright(c.main) > 0.4 else c.tone(0.2), 1
        )
    c.fill(path("M41 76 L59 76 L60 80.4 L40 80.4"), c.tone(-0.06))


def keyboard(c: Canvas) -> None:
    c.body(rounded(7, 32, 93, 72, 4))
    cap = c.accent if c.two_tone else (shade(PAPER, -0.04) if bright(c.main) < 0.8 else shade(c.main, -0.16))
    for j, row in enumerate(
        ((1,) * 14, (1.5, *(1,) * 11, 1.5), (1.8, *(1,) * 10, 2.2), (2.4, *(1,) * 9, 2.6), (1.5, 1.5, 6, 1.5, 1.5, 2))
    ):
        x, unit = 10.0, 80 / sum(row)
        for i, width in enumerate(row):
            special = (j, i) in ((0, 0), (2, len(row) - 1), (4, 2))
            colour = (
                shade(c.main, -0.28) if width != 1 and not special else ((224, 128, 84) if special and j != 4 else cap)
            )
            c.fill(rounded(x, 36 + j * 6.7, x + unit * width - 0.8, 41.6 + j * 6.7, 1), shade(colour, -0.14))
            c.fill(rounded(x + 0.5, 36.2 + j * 6.7, x + unit * width - 1.3, 40.4 + j * 6.7, 0.9), colour)
            x += unit * width


def mouse(c: Canvas) -> None:
    c.body(path("M50 14 C72 14 75 32 75 52 C75 76 66 88 50 88 C34 88 25 76 25 52 C25 32 28 14 50 14"))
    c.fill(path("M26 54 Q24 66 29 76 Q33 66 31 50"), c.tone(-0.2))
    c.fill(path("M74 54 Q76 66 71 76 Q67 66 69 50"), c.tone(-0.2))
    c.line([(50, 14.6), (50, 46)], c.tone(-0.2), 0.6)
    c.line(path("M26 44 Q50 52 74 44"), c.tone(-0.2), 0.6)
    c.fill(rounded(47.4, 24, 52.6, 38, 2.6), c.tone(-0.42))
    c.line([(50, 26), (50, 36)], GLOW, 0.8)


def monitor(c: Canvas) -> None:
    c.body(path("M45 66 L55 66 L57 84 L43 84"), shade(STEEL, -0.12))
    c.body(path("M30 84 Q50 80 70 84 L72 87.4 L28 87.4"), shade(STEEL, -0.02))
    c.body(rounded(8, 15, 92, 69, 2.6), c.main)
    _screen(c, rounded(10, 17, 90, 65, 1.2), ((38, 54, 92), (238, 172, 132)))
    for i in range(3):
        c.soften(rounded(16, 24 + i * 5, 40 - i * 6, 26 + i * 5, 1), 0.5)


def powerbank(c: Canvas) -> None:
    c.line(path("M50 14 C50 4 68 4 72 12 Q76 22 70 30"), c.tone(-0.26) if bright(c.main) > 0.4 else c.tone(0.25), 1.8)
    c.body(rounded(29, 16, 71, 88, 8))
    c.outline(rounded(31.4, 18.4, 68.6, 85.6, 6.6), c.tone(0.2), 0.5)
    c.fill(rounded(44, 15, 56, 18, 1), shade(STEEL, -0.2))
    for i in range(4):
        c.fill(ellipse(42 + i * 5.4, 78, 1.1), GLOW if i < 3 else c.tone(-0.26))
    bolt = path("M52 38 L43 54 L49.4 54 L47 66 L57.4 49 L51 49 L54.6 38")
    c.fill(bolt, c.tone(-0.22) if bright(c.main) > 0.4 else c.tone(0.3))


def charger(c: Canvas) -> None:
    for x in (41, 55):
        c.fill(rounded(x, 8, x + 4, 26, 1), shade(STEEL, -0.1))
    c.body(rounded(28, 22, 72, 74, 9))
    c.outline(rounded(30, 24, 70, 72, 7.6), c.tone(0.2), 0.5)
    c.fill(rounded(43, 61, 57, 66, 2.5), c.tone(-0.5))
    c.line(path("M50 66 C50 84 58 92 70 88 Q82 84 88 92"), c.tone(-0.16) if bright(c.main) > 0.5 else c.tone(0.25), 2.2)
    c.body(rounded(45.6, 66, 54.4, 75, 1.6), c.tone(-0.08))


def camera(c: Canvas) -> None:
    metal = c.accent if c.two_tone else c.tone(0.4)
    c.line(path("M16 40 C4 12 28 6 38 14"), shade(INK, 0.2), 1.8)
    c.body(rounded(14, 28, 86, 76, 6), metal)
    c.body(path("M36 28 L41 19 L59 19 L64 28"), metal)
    c.fill(rounded(14.4, 40, 85.6, 68, 0), c.main)
    for j in range(9):
        c.line([(15, 41.8 + j * 3), (85, 41.8 + j * 3)], c.tone(-0.06), 0.3)
    c.body(rounded(20, 23, 30, 28.6, 1.6), shade(metal, -0.16))
    c.body(rounded(68, 24, 76, 28.6, 1.6), (214, 96, 84))
    c.fill(rounded(44, 22, 56, 27, 1), SCREEN)
    c.body(ellipse(50, 54, 20), shade(metal, -0.08))
    c.fill(ellipse(50, 54, 17), shade(INK, 0.06))
    c.fill(ellipse(50, 54, 12), (44, 54, 82))
    c.fill(ellipse(50, 54, 6.6), SCREEN)
    c.fill(ellipse(45, 49, 3), (150, 172, 208))
    c.fill(ellipse(77, 35, 2.4), (250, 240, 206))


def robotvac(c: Canvas) -> None:
    c.fill(turned(path("M76 70 L91 82 L88 85 L73 74"), 0), shade(INK, 0.3))
    c.body(ellipse(50, 50, 38), c.tone(-0.14))
    c.body(ellipse(50, 49, 36))
    c.outline(ellipse(50, 49, 30), c.tone(-0.12), 0.5)
    c.line(ellipse(50, 50, 38, 38, 200, 340), c.tone(-0.36), 1.6)
    c.body(ellipse(50, 40, 11), c.tone(-0.2))
    c.fill(ellipse(50, 39.4, 8.4), c.tone(-0.5) if bright(c.main) > 0.4 else c.tone(0.14))
    c.fill(rounded(45, 62, 55, 65.4, 1.7), GLOW)
    c.fill(ellipse(50, 71, 2.2), c.tone(-0.26))


def bulb(c: Canvas) -> None:
    glass = path("M50 10 C72 10 80 28 74 44 Q66 56 63 66 L37 66 Q34 56 26 44 C20 28 28 10 50 10")
    _screen(c, glass, ((250, 226, 170), (236, 158, 176)))
    c.soften(path("M34 18 Q26 28 31 42 Q34 28 44 15"), 0.5)
    c.body(path("M37 66 L63 66 L60 75 L40 75"), PAPER)
    for i in range(4):
        c.body(rounded(40.6, 75 + i * 3.4, 59.4, 78 + i * 3.4, 1.4), shade(STEEL, -0.08))
    c.fill(path("M44 88.6 L56 88.6 L53 92 L47 92"), shade(INK, 0.2))


def purifier(c: Canvas) -> None:
    c.body(path("M32 20 L68 20 L70 86 Q50 92 30 86"))
    c.body(ellipse(50, 20, 18, 5), c.tone(-0.1))
    c.fill(ellipse(50, 20, 13, 3.2), c.tone(-0.42))
    grille = path("M31 52 L69 52 L70 86 Q50 92 30 86")
    with c.within(grille):
        for j in range(11):
            c.dots([(30 + i * 2.7, 54 + j * 3.1) for i in range(16)], 0.6, c.tone(-0.3))
    c.fill(ellipse(50, 37, 6.4), c.tone(-0.06))
    c.line(ellipse(50, 37, 6.4, 6.4, -210, 30), GLOW, 1.1)
    c.fill(path("M46.6 39 Q47 34 52.6 33.6 Q53 39.6 46.6 39"), GLOW)


def _lies(paint: object) -> bool:
    return paint in (
        watch,
        band,
        earphones_wired,
        keyboard,
        mouse,
        robotvac,
        phone,
        powerbank,
        charger,
        tablet,
        ereader,
    )


PAINTERS = (
    watch, band, headphones, earbuds, earphones_wired, speaker, speaker_shelf, phone, phone_flip, tablet, ereader,
    laptop, keyboard, mouse, monitor, powerbank, charger, camera, robotvac, bulb, purifier,
)  # fmt: skip
KINDS = tuple((paint.__name__.replace("_", "-"), paint, not _lies(paint)) for paint in PAINTERS)
