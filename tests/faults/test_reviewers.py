"""Eight people review over HTTP at once, against a real web server; ``benchmarks/reviewers.py`` does it with fifty."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.reviewers import free_port, play, seed, serve, stop, verdict

from .conftest import environment

PRODUCTS, REVIEWERS = 32, 8


def reviewed(panel: int, *, guarded: bool) -> dict[str, Any]:
    tokens = seed("crowd", PRODUCTS, REVIEWERS, panel)
    port = free_port()
    server = serve(port, environment(), guarded=guarded)
    try:
        crew = play(port, "crowd", tokens)
    finally:
        stop(server)
    assert crew.errors == []
    return verdict("crowd", crew, PRODUCTS, panel)


@pytest.mark.long
@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("panel", [1, 2])
def test_nothing_is_shared_lost_or_doubled(panel: int) -> None:
    found = reviewed(panel, guarded=True)
    assert (found["shared"], found["lost"], found["doubled"], found["refused"]) == (0, 0, 0, 0)
    assert found["done"] == PRODUCTS and found["handed"] == panel * PRODUCTS and found["differences"] == 0


@pytest.mark.long
@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_control_without_the_guard_products_are_shared() -> None:
    found = reviewed(1, guarded=False)
    assert found["shared"] > 0
    assert (found["lost"], found["doubled"], found["differences"]) == (0, 0, 0)  # versions and ids hold even so
