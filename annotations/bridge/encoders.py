"""The encoders under a catalogue's instant head: its own lexical one, and the best sentence encoder there is.

Reading a whole catalogue with a new encoder takes minutes, and a decision must not wait for it: a refit takes what is
there (:func:`encoders_at_hand`), and a job of its own (:func:`prepare`) fills the cache for what should be.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.bridge import shelf
from annotations.bridge.rows import Examples, embedding_cache, encoders_root, models_root, schema_of
from annotations.models import Catalogue, ModelVersion
from annotations.queries import examples as questions
from ml.encoders import packaged
from ml.encoders.base import Encoder, EncoderError, load_encoder
from ml.encoders.lexical import LexicalEncoder
from ml.encoders.onnx import OnnxEncoder
from ml.examples import Example, family_hash
from ml.instant.pool import Pool
from ml.serving import int8
from ml.serving.full import FullModel

log = logging.getLogger(__name__)

REFIT_SHARE = 0.1  # of the products, before the lexical encoder is fitted anew
SOON = 500  # texts that a refit itself has read by a sentence encoder: some five seconds
SMALL = 2000  # products that a refit itself reads with a new lexical encoder: a second
ENOUGH = 0.9  # share of the products that an encoder has read from which it is used, the rest to follow
AT_ONCE = 1000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AtHand:
    """What a refit uses. ``promoted``: whose encoder that is; ``more``: reading is left to do in the background."""

    encoders: list[Encoder]
    promoted: ModelVersion | None
    more: bool


@lru_cache(maxsize=8)
def _loaded(directory: Path) -> Encoder:
    """Directories of encoders are never written twice, so one is read once by a process."""
    return load_encoder(directory)


def encoders_at_hand(catalogue: Catalogue, examples: Examples, pool: Pool, say: Say) -> AtHand:
    """The lexical encoder, and the sentence encoder once it has read most products; until then the one before."""
    lexical, stale = lexical_at_hand(catalogue, examples, say)
    sentence, late = _sentence_at_hand(catalogue)
    promoted = catalogue.encoder
    if sentence is not None and pool.missing(sentence) > max(SOON, (1 - ENOUGH) * len(pool)):
        late = True
        sentence, promoted = _sentence_before(catalogue, sentence)
    return AtHand([lexical, *([sentence] if sentence else [])], promoted if sentence else None, late or stale)


def lexical_at_hand(catalogue: Catalogue, examples: Examples, say: Say) -> tuple[LexicalEncoder, bool]:
    """The catalogue's own encoder, and whether another should be fitted in the background."""
    known, stale = _known_lexical(catalogue)
    if known is None or (stale and questions.live_products(catalogue).count() <= SMALL):
        return lexical_encoder(catalogue, examples, say), False
    return known, stale


def _sentence_at_hand(catalogue: Catalogue) -> tuple[Encoder | None, bool]:
    """The sentence encoder that should be used, and whether one has still to be prepared."""
    if catalogue.encoder is None and settings.PACKAGED_ENCODER and packaged.is_installed():
        exported = packaged.exported_folder(encoders_root())
        return (_loaded(exported), False) if exported.is_dir() else (None, True)
    found = sentence_encoders(catalogue, lambda step: None)
    return (found[0] if found else None), False


def _sentence_before(catalogue: Catalogue, wanted: Encoder) -> tuple[Encoder | None, ModelVersion | None]:
    """The sentence encoder under the head that serves now, and the full model that it came from."""
    serving = ModelVersion.objects.select_related("encoder").filter(pk=catalogue.serving_id or 0).first()
    for name in serving.card.get("encoders", [])[1:] if serving else []:
        try:
            if name != wanted.hash:
                return _loaded(encoders_root() / name), serving.encoder if serving else None
        except EncoderError as error:
            log.warning("the sentence encoder before is gone: %s", error)
    return None, None


def _pointer(catalogue: Catalogue) -> Path:
    return models_root() / catalogue.slug / "lexical.json"


def _known_lexical(catalogue: Catalogue) -> tuple[LexicalEncoder | None, bool]:
    """The catalogue's own encoder, and whether a tenth of the products came or went since it was fitted."""
    try:
        known = json.loads(_pointer(catalogue).read_text(encoding="utf-8"))
        encoder = _loaded(encoders_root() / known["hash"])
        assert isinstance(encoder, LexicalEncoder)
        products = questions.live_products(catalogue).count()
        return encoder, abs(products - known["products"]) > products * REFIT_SHARE
    except (OSError, ValueError, KeyError, AssertionError):
        return None, True  # none yet, or its files are gone


def lexical_encoder(catalogue: Catalogue, examples: Examples, say: Say) -> LexicalEncoder:
    """The catalogue's own lexical encoder; fitted anew once a tenth of the products came or went."""
    known, stale = _known_lexical(catalogue)
    if known is not None and not stale:
        return known
    encoder, products = _fit_lexical(catalogue, examples, say)
    _point_to(catalogue, encoder, products)
    return encoder


def _fit_lexical(catalogue: Catalogue, examples: Examples, say: Say) -> tuple[LexicalEncoder, int]:
    products = questions.live_products(catalogue).count()
    if not products:
        raise Refused(_("There are no products yet: import some first."), "no_products")
    say(str(_("Reading %(count)d products")) % {"count": products})
    encoder = LexicalEncoder.fit(examples.all(questions.bare_facts(catalogue)))
    if not (encoders_root() / encoder.hash).is_dir():
        encoder.save(encoders_root() / encoder.hash)
    return encoder, products


def _point_to(catalogue: Catalogue, encoder: LexicalEncoder, products: int) -> None:
    pointer = _pointer(catalogue)
    pointer.parent.mkdir(parents=True, exist_ok=True)
    fresh = pointer.with_suffix(f".{secrets.token_hex(4)}")
    fresh.write_text(json.dumps({"hash": encoder.hash, "products": products}), encoding="utf-8")
    fresh.rename(pointer)


def sentence_encoders(catalogue: Catalogue, say: Say) -> list[Encoder]:
    """The promoted encoder, else the packaged one where it is installed and wanted (PACKAGED_ENCODER), else none."""
    try:
        if catalogue.encoder is not None:
            return [_loaded(shelf.at_hand(catalogue.encoder.path, catalogue.encoder.sha256) / "encoder")]
        if settings.PACKAGED_ENCODER and packaged.is_installed():
            say(str(_("Preparing the sentence encoder (once)")))
            return [_loaded(packaged.export(encoders_root()))]
    except EncoderError as error:
        log.warning("no sentence encoder: %s", error)
    return []


def prepare(catalogue: Catalogue, say: Say, advance: Callable[[int, int], None]) -> int:
    """Have every product read by the encoders that should be used, so that the next refit finds all vectors there.

    ``advance(done, total)`` is told after each step; what it raises ends the work, and what was read stays. Returns
    how many texts were read. A lexical encoder that is fitted anew takes its place only when it has read everything.
    """
    examples = Examples(schema_of(catalogue))
    lexical, stale = _known_lexical(catalogue)
    products = questions.live_products(catalogue).count()
    if lexical is None or stale:
        lexical, products = _fit_lexical(catalogue, examples, say)
    encoders = [lexical, *sentence_encoders(catalogue, say)]
    say(str(_("Reading %(count)d products")) % {"count": products})
    cache, read, done = embedding_cache(), 0, 0
    for chunk in _chunks(examples.of(row) for row in questions.bare_facts(catalogue)):
        for encoder in encoders:
            read += cache.fill(encoder, chunk)
        done += len(chunk)
        advance(done, products)
    _point_to(catalogue, lexical, products)
    for encoder in encoders:
        if isinstance(encoder, OnnxEncoder) and not int8.twin_folder(encoders_root(), encoder).is_dir():
            say(str(_("Making the form that answers quickly")))
            encoders_root().mkdir(parents=True, exist_ok=True)
            int8.make_twin(encoder.directory, int8.twin_folder(encoders_root(), encoder))
    return read


def _chunks(examples: Iterator[Example]) -> Iterator[list[Example]]:
    while chunk := list(islice(examples, AT_ONCE)):
        yield chunk


@lru_cache(maxsize=8)
def _families(path: Path) -> frozenset[str]:
    return FullModel.load(path, verify=False).families


def unseen_families(encoder: ModelVersion | None, families: Sequence[str]) -> set[str] | None:
    """Of these, the ones that the promoted encoder was not fine-tuned on; None where it was fine-tuned on none."""
    if encoder is None:
        return None
    seen = _families(shelf.at_hand(encoder.path, encoder.sha256))
    return {family for family in families if family_hash(family) not in seen}
