"""propose_tags CATALOGUE"""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.proposals import look
from annotations.management.base import JsonCommand
from annotations.queries.proposals import Proposal, proposals


class Command(JsonCommand):
    help = "What the catalogue proposes for its taxonomy: values, synonyms and words that no tag has yet."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        look(catalogue=catalogue)
        return {"proposals": [_plain(one) for one in proposals(catalogue)]}

    def show(self, answer: dict[str, Any]) -> None:
        for one in answer["proposals"]:
            place = f"{one['facet']}/{one['tag']}" if one["tag"] else one["facet"]
            self.stdout.write(f"{one['kind']:<8} {one['count']:>6} of {one['of']:<6} {one['text']}  {place}".rstrip())


def _plain(one: Proposal) -> dict[str, Any]:
    return {
        "kind": one.kind, "text": one.text, "facet": one.facet.slug if one.facet else "",
        "tag": one.tag.slug if one.tag else "", "count": one.count, "of": one.of,
        "words": [{"text": text, "count": n} for text, n in one.words],
        "products": [{"id": pk, "title": title} for pk, title in one.products],
    }  # fmt: skip
