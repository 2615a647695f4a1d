"""The job that looks through a catalogue's products for blocked words and personal data."""

from __future__ import annotations

from collections import Counter
from typing import Any

from annotations.actions.claims import Claim
from annotations.bridge.safety import personal
from annotations.models import Product
from annotations.queries import safety as questions
from annotations.tasks.registry import handles

SAMPLES = 50
LOOK = 500


@handles(questions.KIND)
def word_scan(claim: Claim) -> dict[str, Any]:
    """``words``: blocked word to the number of products that have it; ``personal``: kind to number; ``samples`` of both
    as [product, word or kind]."""
    catalogue = claim.catalogue
    words = questions.words_of(catalogue)
    live = Product.objects.filter(catalogue=catalogue, archived_at=None).order_by("pk")
    total, done = live.count(), 0
    by_word: Counter[str] = Counter()
    by_kind: Counter[str] = Counter()
    samples: list[tuple[int, str, str]] = []
    for pk, title, description, attributes in live.values_list("pk", "title", "description", "attributes").iterator(
        chunk_size=LOOK
    ):
        texts = [title, description, *(str(v) for values in attributes.values() for v in values)]
        found = {hit.word for text in texts for hit in words.find(text)}
        kinds = {one.kind for text in texts for one in personal(text)}
        by_word.update(found)
        by_kind.update(kinds)
        if len(samples) < SAMPLES:
            samples += [(pk, "word", word) for word in sorted(found)] + [
                (pk, "personal", kind) for kind in sorted(kinds)
            ]
        done += 1
        if done % LOOK == 0:
            claim.progress(done, total)
    claim.progress(done, total)
    return {
        "products": done,
        "words": by_word.most_common(200),
        "personal": sorted(by_kind.items()),
        "samples": samples[:SAMPLES],
    }
