"""Having drafts written, and deciding on them: approve, edit and approve, refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs
from annotations.actions.errors import Conflict, Refused
from annotations.models import Catalogue, Draft, Event, Job, ModelVersion, Product, User
from annotations.queries import drafts as questions

MOST = 2000
"""Products of one job: about as many as somebody reads in some days."""
LONGEST = 5000


def request_drafts(*, catalogue: Catalogue, user: User, products: Sequence[int], kinds: Sequence[str]) -> Job:
    """A job that writes ``kinds`` of texts for these products (primary keys).

    Refused where no model of the catalogue writes such texts, or where nothing or too much was chosen.
    """
    writer = questions.writer(catalogue)
    if writer is None:
        raise Refused(_("No model here has learned to write. Train one with “generation” in its plan."), "no_writer")
    if not kinds or set(kinds) - set(writer.kinds):
        raise Refused(_("Choose what is to be written."), "kinds")
    if not products:
        raise Refused(_("Choose at least one product."), "products")
    if len(products) > MOST:
        raise Refused(_("Drafts are written for at most %(most)d products at a time.") % {"most": MOST}, "products")
    with transaction.atomic():
        job = jobs.enqueue(
            kind=questions.KIND, queue="ml", catalogue=catalogue, user=user,
            params={"products": list(products), "kinds": list(kinds), "model": writer.model.pk},
        )  # fmt: skip
        data = {"what": "asked for", "products": len(products), "kinds": list(kinds)}
        audit.record(word=Event.DRAFTS, catalogue=catalogue, user=user, target=str(writer.model), data=data)
    return job


def store_drafts(
    *, catalogue: Catalogue, model: ModelVersion, rows: Iterable[dict[str, Any]],
    fence: Callable[[], object] = lambda: None,
) -> int:  # fmt: skip
    """Keep what was written (``id``, ``kind``, ``language``, ``text``); returns how many wait now for a person.

    In the place of what waited there. Left out are what a person refused in the same words, and what stands approved in
    the same words. Stored twice, it is stored once.
    """
    rows = [row for row in rows if str(row["text"]).strip()]
    ids = dict(
        Product.objects.filter(
            catalogue=catalogue, archived_at=None, external_id__in={row["id"] for row in rows}
        ).values_list("external_id", "pk")
    )
    with transaction.atomic():
        fence()
        there = Draft.objects.filter(product__in=ids.values())
        known = {
            (d.product_id, d.kind, d.language, s) for d in there if d.state != "proposed" for s in (d.text, d.said)
        }
        fresh = {
            (d.product_id, d.kind, d.language): d
            for row in rows if row["id"] in ids and (d := _draft(catalogue, model, ids[row["id"]], row))
            and (d.product_id, d.kind, d.language, d.text) not in known
        }  # fmt: skip
        for old in there.filter(state=Draft.State.PROPOSED):
            if (old.product_id, old.kind, old.language) in fresh:
                old.delete()
        Draft.objects.bulk_create(fresh.values())
    return len(fresh)


def _draft(catalogue: Catalogue, model: ModelVersion, product: int, row: dict[str, Any]) -> Draft:
    return Draft(
        catalogue=catalogue, product_id=product, kind=row["kind"], language=str(row["language"])[:16], model=model,
        text=str(row["text"]).strip()[:LONGEST],
    )  # fmt: skip


def decide_draft(*, draft: Draft, state: str, user: User, text: str = "") -> Draft:
    """Approve it, with ``text`` in its place where the person changed it, or refuse it.

    An approved one may be refused later; a text approved before gives way to one approved now. Deciding the same twice
    is deciding once. Conflict where somebody else decided otherwise meanwhile, or it was written anew.
    """
    text = text.replace("\r\n", "\n").strip()
    if state not in (Draft.State.APPROVED, Draft.State.REFUSED):
        raise Refused(_("Approve it or refuse it."), "state")
    if len(text) > LONGEST:
        raise Refused(_("A text has at most %(most)d characters.") % {"most": LONGEST}, "text")
    with transaction.atomic():
        now = Draft.objects.select_for_update().select_related("product", "catalogue").filter(pk=draft.pk).first()
        if now is None:
            raise Conflict(_("This draft was written anew meanwhile."), "changed")
        edited = text if state == Draft.State.APPROVED and text != now.text else ""
        if now.state == state and now.edited == edited:
            return now
        if now.state == Draft.State.REFUSED or (now.state == Draft.State.APPROVED and state == Draft.State.APPROVED):
            raise Conflict(_("Somebody else decided on this draft meanwhile."), "changed")
        if state == Draft.State.APPROVED:
            same = Draft.objects.filter(product=now.product, kind=now.kind, language=now.language)
            same.filter(state=Draft.State.APPROVED).update(state=Draft.State.REFUSED, decided_at=timezone.now())
        now.state, now.edited, now.user, now.decided_at = state, edited, user, timezone.now()
        now.save(update_fields=["state", "edited", "user", "decided_at"])
        data = {"what": state, "kind": now.kind, "language": now.language, "edited": bool(edited)}
        audit.record(
            word=Event.DRAFTS, catalogue=now.catalogue, user=user, target=now.product.external_id[:200], data=data
        )
    return now
