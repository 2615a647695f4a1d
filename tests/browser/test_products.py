"""Proposed families by keys alone, and choosing products for a bulk action."""

from __future__ import annotations

from typing import Any

import pytest

from annotations.models import BulkRun, FamilyProposal, Product
from tests.browser.conftest import Shop


@pytest.mark.long
def test_families_are_decided_by_one_key_each(shop: Shop, reader: Any) -> None:
    for n in (0, 2):
        members = [shop.products[n].pk, shop.products[n + 1].pk]
        FamilyProposal.objects.create(
            catalogue=shop.catalogue, kind="family", members=members, digest=str(n), similarity=0.9 - n / 10
        )
    ada = reader(shop.people["ada"])
    page = ada.go("/c/autumn/products/families/")
    with page.expect_navigation():
        ada.keys("a")
    with page.expect_navigation():
        ada.keys("x")
    assert list(FamilyProposal.objects.order_by("pk").values_list("state", flat=True)) == ["accepted", "declined"]
    assert Product.objects.filter(family="~SKU-000").count() == 2
    with page.expect_navigation():
        ada.keys("u")
    assert list(FamilyProposal.objects.order_by("pk").values_list("state", flat=True)) == ["accepted", "open"]
    assert ada.complaints == []


@pytest.mark.long
def test_a_page_is_chosen_and_previewed(shop: Shop, reader: Any) -> None:
    ada = reader(shop.people["ada"])
    page = ada.go("/c/autumn/products/?category=Fashion")
    page.check("[data-all]")
    assert page.locator("input[name=pk]:checked").count() == page.locator("input[name=pk]").count() == 6
    page.select_option("select[name=kind]", "flag")
    page.click("text=Next")
    page.fill("input[name=reason]", "odd")
    page.click("text=Preview")
    assert "6" in page.locator("dl.counts").inner_text()
    page.click("text=Do it")
    page.wait_for_url("**/runs/*/")
    assert BulkRun.objects.get().selection == sorted(
        Product.objects.filter(category__startswith="Fashion").values_list("pk", flat=True)
    )
    assert ada.complaints == []
