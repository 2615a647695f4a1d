"""tidy_models CATALOGUE [--dry-run]: let the files of old full models, runs and searches go."""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions import retention
from annotations.management.base import JsonCommand
from annotations.queries.retention import will_go


class Command(JsonCommand):
    help = (
        "Discard full models beyond the number that the catalogue keeps, never the one in use or the one before, and the "
        "folders of runs and searches beyond it. Reports stay."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        if options["dry_run"]:
            folders = [folder.name for folder in retention.folders_to_go(catalogue)]
            names = [model.name for model in will_go(catalogue)]
            return {"kept": catalogue.models_kept, "would_go": names, "folders": folders}
        gone = retention.tidy(catalogue=catalogue)
        folders = retention.tidy_folders(catalogue=catalogue)
        return {"kept": catalogue.models_kept, "gone": gone, "folders": folders}
