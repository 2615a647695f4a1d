"""Broken files through the real import: each is refused or done, every problem has its place, and no page answers 500.

python benchmarks/broken_files.py [--count 2000] [--start 0] [--web 20] [--child 20]

Files are made of good ones by number (tests/mutator.py); `--start` goes on where an earlier run stopped. All of them go
through the import itself into one SQLite catalogue, read in this process so that no exception hides in a child; one in
`--child` also through the child that reads them in earnest, and one in `--web` through the pages: sent, looked at,
tried, taken in by a job. Prints what came of them, and every broken promise with the number that makes it again.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SECONDS_FOR_ONE = 60


def too_long(*_: Any) -> None:
    raise TimeoutError("no end in a minute")


def pages(client: Any, slug: str, broken: Any) -> str:
    """Through the pages, as a person with a browser; the job's state at the end. Raises AssertionError for a 500."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from annotations.models import ImportBatch
    from annotations.tasks.run import run_now

    def said(answer: Any) -> Any:
        assert answer.status_code < 500, (answer.status_code, answer.content[:300])
        return answer

    sent = SimpleUploadedFile(broken.name, broken.content)
    answer = said(client.post(f"/c/{slug}/imports/receive/", {"kind": "products", "table": sent}))
    if answer.status_code != 302:
        return "not taken"
    here = answer["Location"]
    said(client.get(here))
    batch = ImportBatch.objects.order_by("-pk")[0]
    for do in ("try", "start"):
        said(client.post(f"{here}go/", {"do": do}))
        batch.refresh_from_db()
        if batch.job is not None and batch.job.live:
            job = run_now(batch.job)
            assert not job.live, "the job goes on for ever"
            assert "unforeseen" not in job.error.lower() and "sandbox" not in job.error, job.error
        said(client.get(here))
    said(client.get(f"{here}problems.csv"))
    batch.refresh_from_db()
    return f"job {batch.job.state}" if batch.job else "no job"


def run(numbers: range, *, web: int, child: int) -> int:
    import django

    django.setup()
    from django.db import connection
    from django.test import Client

    from annotations.actions.catalogues import create_catalogue
    from annotations.actions.people import create_user
    from tests.broken_files import take_in
    from tests.mutator import broken

    catalogue = create_catalogue(slug="broken")
    user = create_user(username="lead", password="a long enough phrase", catalogue=catalogue, role="lead")
    client = Client(raise_request_exception=False)
    client.force_login(user)
    signal.signal(signal.SIGALRM, too_long)
    came, failed = Counter[str](), 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        for number in numbers:
            file = broken(number)
            signal.alarm(SECONDS_FOR_ONE)
            try:
                came[take_in(catalogue, file, Path(place), child=number % child == 0)] += 1
                if number % web == 0:
                    came[f"pages: {pages(client, 'broken', file)}"] += 1
            except Exception:
                failed += 1
                print(f"{number} {file.name} {' '.join(file.damage)}\n{traceback.format_exc(limit=-4)}", flush=True)
                connection.close()
            finally:
                signal.alarm(0)
            if (number + 1) % 250 == 0:
                print(f"{number + 1}: {time.monotonic() - begun:.0f} s, {failed} failed", flush=True)
    for what, count in came.most_common():
        print(f"{count:>6} {what}")
    print(f"{len(numbers)} files, {failed} broken promises, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--web", type=int, default=20)
    parser.add_argument("--child", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tagstudio-broken-") as home:
        os.environ |= {"TAGSTUDIO_HOME": home, "DJANGO_SETTINGS_MODULE": "tagstudio.settings.dev",
                       "ALLOWED_HOSTS": "testserver", "LOG_LEVEL": "CRITICAL"}  # fmt: skip
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
        return run(range(args.start, args.start + args.count), web=args.web, child=args.child)


if __name__ == "__main__":
    sys.exit(main())
