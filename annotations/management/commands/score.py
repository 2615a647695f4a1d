"""score CATALOGUE [--all]: store the serving model's suggestions."""

import time
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions import learning
from annotations.management.base import JsonCommand
from annotations.management.commands.train import finished


class Command(JsonCommand):
    help = "Store suggestions for what waits in the queue, or with --all for every product."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("--all", action="store_true", help="products that are done as well")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        begun = time.monotonic()
        job = learning.request_score(catalogue=catalogue, everything=options["all"])
        with self.progress("score") as draw:
            result = finished(job, draw).result
        return {
            "products": result["products"],
            "suggestions": result["suggestions"],
            "seconds": round(time.monotonic() - begun, 2),
        }
