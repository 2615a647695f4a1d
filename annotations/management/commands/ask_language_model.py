"""ask_language_model CATALOGUE [--products N] [--wait]"""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.language_model import request_asking
from annotations.management.base import JsonCommand
from annotations.management.commands.train import finished

PRODUCTS = 100


class Command(JsonCommand):
    help = "Ask the language model about products that wait, the head of the queue first; it may cost money."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("--products", type=int, default=PRODUCTS, metavar="N", help="%(default)s if not said")
        parser.add_argument("--wait", action="store_true", help="answer when it has ended")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        job = request_asking(catalogue=catalogue, user=None, products=options["products"])
        if not options["wait"]:
            return {"job": str(job.pk), "state": job.state}
        with self.progress("ask") as draw:
            return dict(finished(job, draw).result)
