"""A small catalogue with people in it, built from the models, and short ways to decide on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from annotations.actions.decide import Card, Choice, Circumstances, Saved, save_card
from annotations.models import Catalogue, Facet, Membership, Product, QueueItem, Role, Tag, User


@dataclass
class World:
    """``tags`` by slug; ``products`` in order; ``people`` by role."""

    catalogue: Catalogue
    people: dict[str, User]
    facets: dict[str, Facet]
    tags: dict[str, Tag]
    products: list[Product] = field(default_factory=list)

    def by(self, role: str = "reviewer", **more: Any) -> Circumstances:
        return Circumstances(self.people[role], role, **more)

    def version(self, product: Product) -> int:
        return QueueItem.objects.get(product=product).version

    def item(self, product: Product) -> QueueItem:
        return QueueItem.objects.get(product=product)

    def decide(self, product: Product, *, complete: str = "", role: str = "reviewer", **verdicts: str) -> Saved:
        """``decide(p, black="accept", red="reject", complete="colour")``"""
        card = Card(
            product,
            tuple(Choice(self.tags[tag], verdict) for tag, verdict in verdicts.items()),
            tuple(self.facets[slug] for slug in complete.split()),
        )
        return save_card(card=card, version=self.version(product), by=self.by(role))

    def standing(self, product: Product) -> dict[str, str]:
        return dict(product.standing_tags.values_list("tag__slug", "state"))


def _person(name: str, password: str) -> User:
    return User.objects.filter(username=name).first() or User.objects.create_user(username=name, password=password)


def build_world(products: int = 4, slug: str = "shop") -> World:
    # the gate stands open: most tests promote models that nobody compared (test_gate.py shuts it)
    catalogue = Catalogue.objects.create(slug=slug, name="Shop", languages=["en", "zh-hans"], gate={"on": False})
    people = {}
    for role in Role.values:
        people[role] = _person(role, password="a long enough phrase")
        Membership.objects.create(catalogue=catalogue, user=people[role], role=role)
    people["second"] = _person("second", password="a long enough phrase")
    Membership.objects.create(catalogue=catalogue, user=people["second"], role=Role.REVIEWER)
    facets, tags = {}, {}
    plan = {
        "colour": (Facet.Kind.SINGLE, {"black": "黑色", "red": "红色", "white": "白色"}),
        "material": (Facet.Kind.MULTI, {"cotton": "棉", "wool": "羊毛", "leather": "皮革"}),
    }
    for position, (slug, (kind, values)) in enumerate(plan.items()):
        facet = Facet.objects.create(
            catalogue=catalogue, slug=slug, labels={"en": slug.title()}, kind=kind, position=position,
            variant_axis=slug == "colour",
        )  # fmt: skip
        facets[slug] = facet
        for place, (tag, chinese) in enumerate(values.items()):
            tags[tag] = Tag.objects.create(
                facet=facet, slug=tag, labels={"en": tag.title(), "zh-hans": chinese}, position=place
            )
    world = World(catalogue, people, facets, tags)
    for n in range(products):
        product = Product.objects.create(
            catalogue=catalogue, external_id=f"P-{n}", title=f"Black wool coat {n}", description="Warm and soft.",
            category="Fashion/Coats", language="en", family=f"F{n // 2}",
        )  # fmt: skip
        QueueItem.objects.create(product=product, catalogue=catalogue, status=QueueItem.Status.QUEUED, priority=-n)
        world.products.append(product)
    return world


@pytest.fixture
def world(db: None) -> World:
    return build_world()
