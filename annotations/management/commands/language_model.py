"""language_model CATALOGUE [--endpoint URL --name MODEL --key-stdin ...] [--forget]"""

import sys
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.language_model import FIELDS, forget_language_model, set_language_model
from annotations.management.base import Failed, JsonCommand
from annotations.queries.language_model import Terms, terms

KINDS: dict[str, type] = {
    "price_in": float, "price_out": float, "shots": int, "at_once": int, "seconds": int, "answer_tokens": int,
}  # fmt: skip
TOLD = {
    "endpoint": "what comes before /chat/completions", "name": "the model, as its server calls it",
    "price_in": "of a million tokens sent", "price_out": "of a million tokens answered",
    "budget": "of a calendar month; “none”: no limit", "shots": "approved products shown as examples",
    "seconds": "that an answer is waited for",
}  # fmt: skip


class Command(JsonCommand):
    help = "Where the catalogue's language model is asked, and on what terms. With options they are changed first."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        for name in FIELDS:
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, dest=name, type=KINDS.get(name, str), help=TOLD.get(name))
        parser.add_argument(
            "--key-stdin", action="store_true", help="read the key from standard input; empty forgets it"
        )
        parser.add_argument("--forget", action="store_true", help="forget address and key")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        if options["forget"]:
            forget_language_model(catalogue=catalogue, user=None)
            return {"catalogue": catalogue.slug, "language_model": None}
        given = {name: options[name] for name in FIELDS if options[name] is not None}
        if "budget" in given:
            given["budget"] = _budget(given["budget"])
        key = sys.stdin.readline().strip() if options["key_stdin"] else None
        if given or key is not None:
            set_language_model(catalogue=catalogue, user=None, key=key, **given)
        found = terms(catalogue)
        return {"catalogue": catalogue.slug, "language_model": _plain(found) if found else None}


def _budget(text: str) -> float | None:
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise Failed(f"--budget takes a number or “none”, not “{text}”", "invalid", field="budget") from None


def _plain(found: Terms) -> dict[str, Any]:
    return {
        **{name: getattr(found.model, name) for name in FIELDS}, "key": found.key, "spent": found.spent,
        "unasked": found.left,
        "agreement": {a.facet.slug: {"accepted": a.accepted, "judged": a.judged} for a in found.agreement},
    }  # fmt: skip
