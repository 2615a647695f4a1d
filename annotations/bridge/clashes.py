"""Text and picture of a product compared by the promoted model: what each alone says of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from annotations.actions.suggestions import tag_ids
from annotations.bridge import shelf
from annotations.bridge.encoders import sentence_encoders
from annotations.bridge.rows import Examples, embedding_cache
from annotations.models import Catalogue
from annotations.queries import examples as questions
from annotations.queries.clashes import LEAST, revisions_of
from ml.bundle import BundleError
from ml.encoders.base import Encoder
from ml.serving import sides
from ml.serving.full import FullModel

log = logging.getLogger(__name__)


@lru_cache(maxsize=2)
def _loaded(bundle: Path) -> FullModel:
    """Bundles are never written twice."""
    return FullModel.load(bundle, verify=False)


def _encoder(catalogue: Catalogue) -> Encoder | None:
    """The promoted model's, which the process holds anyway, where it reads text and pictures."""
    if catalogue.encoder is None:
        return None
    try:
        found = sentence_encoders(catalogue, lambda step: None)
    except (BundleError, OSError) as error:
        log.warning("%s compares no texts and pictures: %s", catalogue.encoder.name, error)
        return None
    return found[0] if found and sides.reads_both(found[0]) else None


def reads_both(catalogue: Catalogue) -> bool:
    """Whether the promoted model reads text and pictures."""
    return _encoder(catalogue) is not None


def clashes(catalogue: Catalogue, products: Sequence[int]) -> list[tuple[int, int, dict[str, Any]]]:
    """For each of these that there is: primary key, revision, and its clashing facets as ``Clash.facets`` has them.

    Facets and tags that are retired, or have a blocked word, are left out.
    """
    encoder, promoted = _encoder(catalogue), catalogue.encoder
    if encoder is None or promoted is None:
        return []
    model = _loaded(shelf.at_hand(promoted.path, promoted.sha256))
    model.encoder = encoder  # one session for all
    ids = tag_ids(catalogue)
    revisions = revisions_of(products)
    rows = list(questions.bare_facts(catalogue, products))
    examples = Examples(model.schema)
    found = sides.apart(model, [examples.of(row) for row in rows], least=LEAST, cache=embedding_cache())
    said = []
    for row, facets in zip(rows, found, strict=True):
        kept = {
            one.facet: {
                "gap": round(one.gap, 4),
                **{
                    side: [ids[one.facet, tag], round(p, 4)]
                    for side, (tag, p) in (("text", one.text), ("picture", one.picture))
                },
            }
            for one in facets
            if (one.facet, one.text[0]) in ids and (one.facet, one.picture[0]) in ids
        }
        said.append((row.pk, revisions[row.pk], kept))
    return said
