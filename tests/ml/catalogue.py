"""A small catalogue in English and Chinese with two facets, written for tests: what is true of it is known exactly."""

from __future__ import annotations

from itertools import product

from ml.examples import Example, Span
from ml.schema import FacetSpec, Schema, TagSpec

COLOURS = {"red": ("Red", "红色"), "navy": ("Navy blue", "藏青色"), "olive": ("Olive", "橄榄绿")}
USES = {
    "sport": (("running shoe", "gym shorts", "jogging cap"), ("跑步鞋", "健身短裤", "慢跑帽")),
    "office": (("oxford shirt", "leather briefcase", "wool blazer"), ("牛津衬衫", "真皮公文包", "羊毛西装")),
}


def schema() -> Schema:
    """colour: one of three, named in the text. use: sport or office, never named, only to be learned."""
    colours = tuple(TagSpec(slug, {"en": en, "zh-hans": zh}) for slug, (en, zh) in COLOURS.items())
    uses = (TagSpec("sport", {"en": "Athletics", "zh-hans": "运动"}), TagSpec("office", {"en": "Workplace"}))
    return Schema((FacetSpec("colour", colours, {"en": "Colour"}, single=True), FacetSpec("use", uses, {"en": "Use"})))


def products(sizes: tuple[str, ...] = ("S", "M")) -> list[Example]:
    """Every colour of every thing in every size and both languages; variants of one thing are a family."""
    out = []
    for (colour, names), (use, things), language in product(COLOURS.items(), USES.items(), (0, 1)):
        for number, thing in enumerate(things[language]):
            for size in sizes:
                title = f"{names[0]} {thing}, size {size}" if language == 0 else f"{names[1]}{thing} {size}码"
                out.append(
                    Example(
                        id=f"{colour}-{use}-{language}-{number}-{size}",
                        texts={"title": title},
                        language=("en", "zh-hans")[language],
                        group=f"{use}-{language}-{number}",
                        labels={"colour": frozenset({colour}), "use": frozenset({use})},
                        complete=frozenset({"colour", "use"}),
                    )
                )
    return out


def bare(example: Example) -> Example:
    """The product as the model meets it: nothing decided."""
    return Example(example.id, example.texts, example.category, example.language, example.group)


def smart_watch() -> tuple[Schema, Example]:
    """A watch whose Chinese text names its functions and occasions."""

    def tag(slug: str, label: str, *synonyms: str) -> TagSpec:
        return TagSpec(slug, {"zh-hans": label}, synonyms)

    facets = (
        FacetSpec(
            "function",
            (tag("health", "健康监测", "心率监测", "血氧检测"), tag("sleep", "睡眠监测"), tag("smart", "智能"), tag("dry", "防水")),
        ),
        FacetSpec("occasion", (tag("sport", "运动"), tag("business", "商务"), tag("leisure", "休闲"), tag("wedding", "婚礼"))),
        FacetSpec("material", (tag("leather", "皮革", "真皮"), tag("premium", "高端材质"), tag("steel", "不锈钢"))),
    )  # fmt: skip
    description = (
        "这款智能手表采用高端材质，拥有3种材质、4种表带颜色、5种表盘设计，"
        "具有心率监测、血氧检测、睡眠监测等功能，适合运动、商务、休闲等多种场合使用。"
    )
    return Schema(facets), Example("watch", {"title": "智能手表 高端材质 多种表带", "description": description})


def text_of(example: Example, span: Span) -> str:
    return example.texts[span.field][span.start : span.end]
