"""load_sample [CATALOGUE]"""

import time
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.sample import load_sample
from annotations.management.base import JsonCommand


class Command(JsonCommand):
    help = "Load the project's own sample catalogue: products in two languages with pictures, some of them decided on."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue", nargs="?", default="sample", help="its slug; made when it is not there")

    def answer(self, **options: Any) -> dict[str, Any]:
        begun = time.monotonic()
        with self.progress("sample") as draw:
            loaded = load_sample(slug=options["catalogue"], say=lambda step, done, total: draw(done, total or None))
        return {
            "catalogue": loaded.catalogue.slug,
            "products": loaded.products,
            "tags": loaded.tags,
            "decisions": loaded.decisions,
            "problems": loaded.problems,
            "seconds": round(time.monotonic() - begun, 2),
        }
