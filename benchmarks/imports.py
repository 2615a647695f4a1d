"""Importing many products: rows a second, memory, and what other people's pages feel of it.

python benchmarks/imports.py [--rows 100000] [--parts files,pages] [--seconds 40]
DATABASE_URL=postgresql://… python benchmarks/imports.py            (an empty database of its own)

files: `import_products` of a CSV and of a JSONL file with the same products (see generated.py), each into a catalogue
       of its own, then once more unchanged. Rows a second by the command's own clock (from opening the file to the last
       commit); seconds of processor of the command and of the child that reads; the most memory each of them had
       resident, in the first and in the last third of the time (memory that grows shows there).
pages: a real web server and a real worker. Pages of a catalogue that holds the products (list, one product, review
       screen, next card with its lease) are asked for one after another, for `--seconds` each time: idle, while an
       import job of the CSV runs for another catalogue, and idle again. p50 and p95 in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.generated import write  # noqa: E402

MEGABYTE = 1024**2
PASSWORD = "a long enough phrase"


def manage(*words: object, text: str | None = None) -> Any:
    command = [sys.executable, "manage.py", *map(str, words), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, input=text)
    if done.returncode:
        sys.exit(f"{' '.join(command[1:4])}: {done.stdout[-500:]}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


class Watched:
    """Memory and processor time of a process and of its children, looked at twenty times a second."""

    def __init__(self, pid: int) -> None:
        self.root = psutil.Process(pid)
        self.samples: list[tuple[float, float]] = []
        self.seconds = {"parent": 0.0, "child": 0.0}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._done.wait(0.05):
            try:
                here = self.root.memory_info().rss
                self.seconds["parent"] = sum(self.root.cpu_times()[:2])
                there = 0
                for child in self.root.children(recursive=True):
                    there += child.memory_info().rss
                    self.seconds["child"] = max(self.seconds["child"], sum(child.cpu_times()[:2]))
                self.samples.append((here / MEGABYTE, there / MEGABYTE))
            except psutil.Error:
                continue

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def most(self, of: Callable[[tuple[float, float]], float]) -> tuple[float, float]:
        third = max(1, len(self.samples) // 3)
        return max(map(of, self.samples[:third]), default=0.0), max(map(of, self.samples[-third:]), default=0.0)


def one_file(catalogue: str, file: Path) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "import_products", catalogue, str(file), "--json"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    watched = Watched(process.pid)
    out, _err = process.communicate()
    watched.stop()
    answer = json.loads(out)
    if process.returncode:
        sys.exit(str(answer))
    both = watched.most(lambda s: s[0] + s[1])
    counted = ", ".join(
        f"{answer[name]} {name}" for name in ("created", "updated", "unchanged", "problems") if answer[name]
    )
    print(
        f"{file.suffix[1:]:>6} {counted:>20} {answer['seconds']:>7.1f} s {answer['rows'] / answer['seconds']:>8.0f} rows/s   "
        f"processor {watched.seconds['parent']:>5.1f} + {watched.seconds['child']:>5.1f} s   "
        f"memory {both[0]:>4.0f} MB in the first third, {both[1]:>4.0f} MB in the last",
        flush=True,
    )
    return dict(answer)


def files(table: Path, lines: Path) -> None:
    for file in (table, lines):
        manage("create_catalogue", f"from-{file.suffix[1:]}")
        first = one_file(f"from-{file.suffix[1:]}", file)
        again = one_file(f"from-{file.suffix[1:]}", file)
        assert (again["created"], again["updated"]) == (0, 0), again
        assert again["unchanged"] == first["created"], (first, again)


class Site:
    """The web server and a worker, and a lead and a reviewer at their pages."""

    def __init__(self, home: Path) -> None:
        from tagstudio import services

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.root = f"http://127.0.0.1:{port}"
        log = (home / "processes.log").open("wb")
        self.processes = [
            subprocess.Popen(service.command, cwd=ROOT, stdout=log, stderr=log)
            for service in (services.web(port), services.worker("io"))
        ]

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)


def pages(home: Path, table: Path, rows: int, seconds: float) -> None:
    import django

    django.setup()
    from django.core.files.base import File

    from annotations.actions import uploads
    from annotations.models import Catalogue, Job, Product, User
    from tests.stories.reader import Reader

    shop = "from-csv"
    if not Catalogue.objects.filter(slug=shop).exists():
        manage("create_catalogue", shop)
        one_file(shop, table)
    manage("create_user", "lead", "--password-stdin", "--role", "lead", "--catalogue", shop, text=PASSWORD + "\n")
    user = User.objects.get(username="lead")
    site = Site(home)
    try:
        reader = signed_in(lambda: Reader(site.root).sign_in("lead", PASSWORD))
        ids = list(Product.objects.filter(catalogue__slug=shop).values_list("pk", flat=True)[: rows // 2 : 97])
        asked = {
            "list": lambda n: f"/c/{shop}/products/?page={n % 20 + 1}",
            "product": lambda n: f"/c/{shop}/products/{ids[n % len(ids)]}/",
            "review": lambda n: f"/c/{shop}/review/?product={ids[n % len(ids)]}",
            "next": lambda n: f"/c/{shop}/review/next/?count=1&n={n}",
        }
        measure(reader, asked, 5, lambda: False)  # warm
        idle = measure(reader, asked, seconds, lambda: False)
        other = Catalogue.objects.create(slug=f"other-{time.time_ns()}", name="Other")
        with table.open("rb") as stream:
            batch = uploads.receive(catalogue=other, user=user, kind="products", table=File(stream, table.name))
        job = uploads.start(batch=batch, user=user, dry_run=False)
        while Job.objects.get(pk=job.pk).done_count == 0:
            time.sleep(0.1)
        begun = time.monotonic()
        during = measure(reader, asked, 10 * seconds, lambda: not Job.objects.get(pk=job.pk).live)
        took = time.monotonic() - begun
        ended = Job.objects.get(pk=job.pk)
        rate = ended.result.get("rows", 0) / (ended.finished_at - ended.started_at).total_seconds()
        after = measure(reader, asked, seconds, lambda: False)
    finally:
        site.stop()
    print(
        f"\npages of a catalogue of {rows} products, ms; the job took in {rate:.0f} rows/s while they were asked for ({took:.0f} s)"
    )
    print(
        f"{'page':>10} {'idle p50':>9} {'p95':>7} {'during p50':>11} {'p95':>7} {'idle again p95':>15} {'p95 ratio':>10}"
    )
    for name in asked:
        calm = idle[name] + after[name]
        print(
            f"{name:>10} {p(idle[name], 50):>9.0f} {p(idle[name], 95):>7.0f} {p(during[name], 50):>11.0f} "
            f"{p(during[name], 95):>7.0f} {p(after[name], 95):>15.0f} {p(during[name], 95) / p(calm, 95):>10.2f}"
            f"   ({len(during[name])} requests during)"
        )


def signed_in(attempt: Callable[[], Any]) -> Any:
    for _ in range(150):
        try:
            return attempt()
        except OSError:
            time.sleep(0.2)
    sys.exit("the web server is not up after half a minute")


def measure(
    reader: Any, asked: dict[str, Callable[[int], str]], seconds: float, over: Callable[[], bool]
) -> dict[str, list[float]]:
    """Milliseconds of each page, asked for in turn with a short pause between, as a person would."""
    found: dict[str, list[float]] = {name: [] for name in asked}
    end = time.monotonic() + seconds
    n = 0
    while time.monotonic() < end and not (n % 10 == 0 and over()):
        for name, path in asked.items():
            begun = time.perf_counter()
            page = reader.get(path(n))
            found[name].append(1000 * (time.perf_counter() - begun))
            assert page.status == 200, (page.status, page.url, page.text[:300])
            time.sleep(0.02)
        n += 1
    return found


def p(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--parts", default="files,pages")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "tagstudio-generated")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tagstudio-imports-") as place:
        home = Path(place)
        os.environ |= {
            "TAGSTUDIO_HOME": place,
            "DJANGO_SETTINGS_MODULE": "tagstudio.settings.dev",
            "ALLOWED_HOSTS": "127.0.0.1",
        }
        table, lines = write(args.data, args.rows)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
        load = os.getloadavg()[0]
        print(f"{args.rows} rows, {table.stat().st_size / 1e6:.0f} MB as CSV, {lines.stat().st_size / 1e6:.0f} MB as JSONL; "
              f"{os.cpu_count()} processors, load {load:.1f} before", flush=True)  # fmt: skip
        if "files" in args.parts:
            files(table, lines)
        if "pages" in args.parts:
            pages(home, table, args.rows, args.seconds)


if __name__ == "__main__":
    main()
