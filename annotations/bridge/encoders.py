"""The encoders under a catalogue's instant head: its own lexical one, and the best sentence encoder there is."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Sequence

from django.conf import settings
from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.bridge.rows import Examples, encoders_root, models_root
from annotations.models import Catalogue, ModelVersion
from annotations.queries import examples as questions
from ml.encoders import packaged
from ml.encoders.base import Encoder, EncoderError, load_encoder
from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, family_hash
from ml.serving.full import FullModel

log = logging.getLogger(__name__)

REFIT_SHARE = 0.1  # of the products, before the lexical encoder is fitted anew

Say = Callable[[str], None]


def sentence_encoder_ready(catalogue: Catalogue) -> bool:
    """False while the packaged encoder still has to be exported, which takes a while, once."""
    exported = packaged.exported_folder(encoders_root()).is_dir()
    wanted = settings.PACKAGED_ENCODER and packaged.is_installed()
    return catalogue.encoder is not None or exported or not wanted


def lexical_encoder(catalogue: Catalogue, examples: Examples, say: Say) -> LexicalEncoder:
    """The catalogue's own lexical encoder; fitted anew once a tenth of the products came or went."""
    pointer = models_root() / catalogue.slug / "lexical.json"
    products = questions.live_products(catalogue).count()
    try:
        known = json.loads(pointer.read_text(encoding="utf-8"))
        if abs(products - known["products"]) <= products * REFIT_SHARE:
            return LexicalEncoder.load(encoders_root() / known["hash"])
    except (OSError, ValueError, KeyError):
        pass  # none yet, or its files are gone: fit one
    if not products:
        raise Refused(_("There are no products yet: import some first."), "no_products")
    say(str(_("Reading %(count)d products")) % {"count": products})
    encoder = LexicalEncoder.fit(examples.all(questions.facts(catalogue)))
    if not (encoders_root() / encoder.hash).is_dir():
        encoder.save(encoders_root() / encoder.hash)
    pointer.parent.mkdir(parents=True, exist_ok=True)
    fresh = pointer.with_suffix(f".{secrets.token_hex(4)}")
    fresh.write_text(json.dumps({"hash": encoder.hash, "products": products}), encoding="utf-8")
    fresh.rename(pointer)
    return encoder


def sentence_encoders(catalogue: Catalogue, say: Say) -> list[Encoder]:
    """The promoted encoder, else the packaged one where it is installed and wanted (PACKAGED_ENCODER), else none."""
    try:
        if catalogue.encoder is not None:
            return [load_encoder(models_root() / catalogue.encoder.path / "encoder")]
        if settings.PACKAGED_ENCODER and packaged.is_installed():
            say(str(_("Preparing the sentence encoder (once)")))
            return [packaged.load_packaged(encoders_root())]
    except EncoderError as error:
        log.warning("no sentence encoder: %s", error)
    return []


def unseen_families(encoder: ModelVersion | None, decided: Sequence[Example]) -> set[str] | None:
    """Families that the promoted encoder was not fine-tuned on; None where it was fine-tuned on none."""
    if encoder is None:
        return None
    seen = FullModel.load(models_root() / encoder.path, verify=False).families
    return {e.family for e in decided if family_hash(e.family) not in seen}
