"""A live server, a real browser, and a small catalogue with suggestions and evidence in two languages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from annotations.models import Band, Catalogue, Facet, Membership, Product, QueueItem, Role, Suggestion, Tag, User

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]

FACETS: dict[str, tuple[dict[str, str], str, dict[str, dict[str, str]]]] = {
    "colour": ({"en": "Colour", "zh-hans": "颜色"}, "single", {
        "black": {"en": "Black", "zh-hans": "黑色"}, "white": {"en": "White", "zh-hans": "白色"},
        "red": {"en": "Red", "zh-hans": "红色"}, "grey": {"en": "Grey", "zh-hans": "灰色"}}),
    "function": ({"en": "Function", "zh-hans": "功能"}, "multi", {
        "health": {"en": "Health monitoring", "zh-hans": "健康监测"}, "sleep": {"en": "Sleep tracking", "zh-hans": "睡眠监测"},
        "waterproof": {"en": "Waterproof", "zh-hans": "防水"}, "smart": {"en": "Smart", "zh-hans": "智能"}}),
    "material": ({"en": "Material", "zh-hans": "材质"}, "multi", {
        "cotton": {"en": "Cotton", "zh-hans": "棉"}, "wool": {"en": "Wool", "zh-hans": "羊毛"},
        "leather": {"en": "Leather", "zh-hans": "皮革"}, "steel": {"en": "Stainless steel", "zh-hans": "不锈钢"}}),
    "occasion": ({"en": "Occasion", "zh-hans": "场合"}, "multi", {
        "sport": {"en": "Sport", "zh-hans": "运动"}, "business": {"en": "Business", "zh-hans": "商务"},
        "leisure": {"en": "Leisure", "zh-hans": "休闲"}}),
}  # fmt: skip

# title, description, category, language, attributes, {tag: (score, band, words that speak for it)}
PRODUCTS: list[tuple[str, str, str, str, dict[str, list[str]], dict[str, tuple[float, str, tuple[str, ...]]]]] = [
    ("智能手表 ⌚ 高端材质 多种表带", "这款智能手表采用高端材质，拥有3种材质、4种表带颜色，具有心率监测、血氧检测、睡眠监测等功能，适合运动、商务、休闲等多种场合使用。",
     "电子/穿戴设备/智能手表", "zh", {"颜色": ["黑色"], "防水": ["5ATM"]},
     {"black": (0.93, Band.STRONG, ()), "grey": (0.31, Band.UNSURE, ()), "health": (0.97, Band.STRONG, ("心率监测", "血氧检测")),
      "sleep": (0.95, Band.STRONG, ("睡眠监测",)), "smart": (0.81, Band.STRONG, ("智能",)), "waterproof": (0.28, Band.UNSURE, ()),
      "steel": (0.33, Band.UNSURE, ("高端材质",)), "sport": (0.96, Band.STRONG, ("运动",)), "business": (0.9, Band.STRONG, ("商务",)), "leisure": (0.88, Band.STRONG, ("休闲",))}),
    ("Black wool coat", "A warm coat in pure wool with leather trim, for the office and for weekends.", "Fashion/Coats", "en", {"Brand": ["Northfold"]},
     {"black": (0.98, Band.STRONG, ("Black",)), "wool": (0.96, Band.STRONG, ("wool coat", "pure wool")), "leather": (0.55, Band.LIKELY, ("leather trim",)),
      "business": (0.62, Band.LIKELY, ("office",)), "leisure": (0.35, Band.UNSURE, ("weekends",))}),
    ("Trail runner 🏃 waterproof", "Grey trail shoe. Waterproof upper, cotton laces.", "Fashion/Shoes", "en", {},
     {"grey": (0.91, Band.STRONG, ("Grey",)), "waterproof": (0.94, Band.STRONG, ("waterproof", "Waterproof upper")), "cotton": (0.3, Band.UNSURE, ("cotton laces",)), "sport": (0.87, Band.STRONG, ("runner",))}),
    ("Crew tee", "", "Fashion/Shirts", "en", {}, {"cotton": (0.5, Band.UNSURE, ()), "white": (0.4, Band.UNSURE, ())}),
    ("男士真皮休闲运动鞋", "头层牛皮，适合休闲与运动。", "服饰/鞋", "zh", {}, {"leather": (0.92, Band.STRONG, ("真皮", "头层牛皮")), "leisure": (0.9, Band.STRONG, ("休闲",)), "sport": (0.89, Band.STRONG, ("运动",))}),
    ("Stainless steel bottle", "Keeps cold for a day. <b>Not</b> a tag & not script.", "Home/Kitchen", "en", {}, {"steel": (0.97, Band.STRONG, ("Stainless steel",))}),
    ("Red cotton hoodie", "Soft red cotton.", "Fashion/Hoodies", "en", {}, {"red": (0.97, Band.STRONG, ("Red",)), "cotton": (0.98, Band.STRONG, ("cotton",)), "leisure": (0.6, Band.LIKELY, ())}),
    ("Leather belt", "Black leather belt for business.", "Fashion/Belts", "en", {}, {"leather": (0.97, Band.STRONG, ("Leather",)), "black": (0.8, Band.LIKELY, ("Black leather",)), "business": (0.85, Band.STRONG, ("business",))}),
    ("Sleep band", "Tracks sleep and heart rate.", "Electronics/Wearables", "en", {}, {"sleep": (0.9, Band.STRONG, ("Tracks sleep",)), "health": (0.84, Band.STRONG, ("heart rate",)), "smart": (0.45, Band.UNSURE, ())}),
    ("White sneaker", "White leather sneaker.", "Fashion/Shoes", "en", {}, {"white": (0.95, Band.STRONG, ("White",)), "leather": (0.91, Band.STRONG, ("leather",)), "sport": (0.5, Band.UNSURE, ())}),
]  # fmt: skip


@dataclass
class Shop:
    """``products`` in the order in which they are asked for; ``tags`` and ``facets`` by slug; ``people`` by name."""

    catalogue: Catalogue
    people: dict[str, User] = field(default_factory=dict)
    facets: dict[str, Facet] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    products: list[Product] = field(default_factory=list)

    def standing(self, product: Product) -> dict[str, str]:
        return dict(product.standing_tags.values_list("tag__slug", "state"))


def spans_of(product: Product, words: tuple[str, ...]) -> list[dict[str, Any]]:
    found = []
    for text in words:
        for name in ("title", "description"):
            if (start := getattr(product, name).find(text)) >= 0:
                found.append({"field": name, "start": start, "end": start + len(text)})
                break
    return found


def build_shop() -> Shop:
    catalogue = Catalogue.objects.create(
        slug="autumn", name="Autumn catalogue", languages=["en", "zh-hans"], blind_share=0
    )
    shop = Shop(catalogue)
    for name, role in {"ada": Role.ADMIN, "lin": Role.REVIEWER, "vic": Role.VIEWER}.items():
        shop.people[name] = User.objects.create_user(name, password="a long enough phrase")
        Membership.objects.create(catalogue=catalogue, user=shop.people[name], role=role)
    for position, (slug, (labels, kind, values)) in enumerate(FACETS.items()):
        facet = Facet.objects.create(catalogue=catalogue, slug=slug, labels=labels, kind=kind, position=position)
        shop.facets[slug] = facet
        for place, (tag, names) in enumerate(values.items()):
            shop.tags[tag] = Tag.objects.create(
                facet=facet, slug=tag, labels=names, position=place,
                synonyms={"en": ["gray"]} if tag == "grey" else {},
                definitions={"en": f"{names['en']}, as seen on the product"},
            )  # fmt: skip
    for n, (title, description, category, language, attributes, claims) in enumerate(PRODUCTS):
        product = Product.objects.create(
            catalogue=catalogue, external_id=f"SKU-{n:03}", title=title, description=description, category=category,
            language=language, attributes=attributes,
        )  # fmt: skip
        QueueItem.objects.create(product=product, catalogue=catalogue, status="queued", priority=-float(n))
        for tag, (score, band, words) in claims.items():
            Suggestion.objects.create(
                product=product, tag=shop.tags[tag], score=score, band=band, spans=spans_of(product, words)
            )
        shop.products.append(product)
    return shop


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    return build_shop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright runs a loop in the test's own thread
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Reader:
    """A person at a browser of their own. ``complaints`` are console errors, exceptions and CSP violations."""

    def __init__(self, browser: Any, url: str, user: User, **options: Any) -> None:
        from django.test import Client

        client = Client()
        client.force_login(user)
        self.url = url
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        self.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}])
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def go(self, path: str) -> Any:
        self.page.goto(self.url + path)
        return self.page

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def reader(browser: Any, live_server: Any) -> Iterator[Any]:
    readers: list[Reader] = []

    def make(user: User, **options: Any) -> Reader:
        readers.append(Reader(browser, live_server.url, user, **options))
        return readers[-1]

    yield make
    for one in readers:
        one.context.close()
