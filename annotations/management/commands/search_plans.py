"""search_plans CATALOGUE [--vary FIELD[=VALUES]]... [--plan FILE] [--wait], search_plans CATALOGUE --fields"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotations.actions.searches import start_search
from annotations.forms.search import METHODS, TICKED, read_values
from annotations.management.base import JsonCommand
from annotations.management.commands.train import ended, plan_of
from annotations.queries.searches import search_numbered, search_row


class Command(JsonCommand):
    help = (
        "Try plans that differ in some fields, each as a job, and say which did best. --vary FIELD tries what is usual, "
        "--vary FIELD=0.1..0.5 a range, --vary FIELD=8,16 values; without it what the page has ticked is varied. --fields "
        "says what may be varied and what is usual. With --wait trials are done here unless a worker is quicker."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("--vary", metavar="FIELD[=VALUES]", action="append", default=[])
        parser.add_argument("--plan", metavar="FILE", help="a JSON file with the plan that is varied (default: quick)")
        parser.add_argument("--method", choices=[word for word, _name in METHODS], default=METHODS[0][0])
        parser.add_argument("--trials", type=int, default=20, help="at most")
        parser.add_argument("--folds", type=int, default=3, help="each trial is trained once for each")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--keep-all", action="store_true", help="stop no trial that is clearly worse than others")
        parser.add_argument("--wait", action="store_true", help="answer when it has ended")
        parser.add_argument("--fields", action="store_true", help="say what may be varied, and end")

    def answer(self, **options: Any) -> dict[str, Any]:
        from annotations import bridge

        catalogue = self.catalogue(options["catalogue"])
        if options["fields"]:
            return {
                "fields": [
                    {"name": f.name, "usual": f.usual, "never": f.never, "why": f.why} for f in bridge.search_fields()
                ]
            }
        rules = {name: options[name] for name in ("method", "trials", "folds", "seed")}
        rules |= {"prune": not options["keep_all"], "space": dict(map(_said, options["vary"] or TICKED))}
        search = start_search(catalogue=catalogue, user=None, plan=plan_of(options["plan"]), rules=rules)
        if options["wait"]:
            with self.progress("search") as draw:
                waiting = search_row(search).trials
                for number, row in enumerate(waiting):
                    draw(number, len(waiting))
                    ended(row.trial.job)
        found = search_numbered(catalogue, search.number)
        assert found is not None
        ended_so_far = search_row(found)
        best = ended_so_far.best
        return {
            "search": search.number,
            "trials": [
                {"number": t.trial.number, "state": t.state, "score": t.score, "changes": t.trial.changes} for t in ended_so_far.trials
            ],
            "best": best and {"trial": best.trial.number, "score": best.score, "changes": best.trial.changes},
        }  # fmt: skip

    def show(self, answer: dict[str, Any]) -> None:
        if "fields" in answer:
            from annotations import bridge

            for field in bridge.search_fields():
                self.stdout.write(f"{field.name:<26}  {field.written or f'({field.why})'}")
            return
        for trial in answer["trials"]:
            score = "–" if trial["score"] is None else f"{trial['score']:.4f}"
            changes = " ".join(f"{name}={value}" for name, value in (trial["changes"] or {}).items())
            self.stdout.write(f"{trial['number']:>4}  {trial['state']:<9}  {score:>6}  {changes}".rstrip())
        best = answer["best"]
        self.stdout.write(f"search {answer['search']}" + (f": trial {best['trial']} is best" if best else ""))


def _said(word: str) -> tuple[str, Any]:
    """``dropout`` or ``dropout=0..0.3`` as a line of a search's space. Raises CommandError."""
    name, equals, text = word.partition("=")
    if equals and not text.strip():
        raise CommandError(f"--vary {word}: say values, or leave the “=” out for what is usual")
    return name.strip(), read_values(name.strip(), text) if equals else "usual"
