"""Many reviewers at once, over HTTP on loopback, against a real gunicorn: was a product handed to two people, was a
decision lost or stored twice? And the same with a lease that looks first and takes then, which must be caught.

    python -m benchmarks.reviewers --reviewers 8 50 --products 400            # SQLite, in a home of its own
    DATABASE_URL=postgresql://... python -m benchmarks.reviewers              # a database made for it, and dropped

``--panel 2`` asks two reviewers about every product. Prints one line of JSON for each run.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Crew:
    """What reviewers saw: (product, reviewer) each time something was handed out, ids of decisions acknowledged."""

    handed: list[tuple[str, str]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    answered: list[tuple[str, str]] = field(default_factory=list)
    next_ms: list[float] = field(default_factory=list)
    save_ms: list[float] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def shared(self, panel: int = 1) -> int:
        """Products that more people held than were asked for."""
        holders: dict[str, set[str]] = {}
        for product, reviewer in self.handed:
            holders.setdefault(product, set()).add(reviewer)
        return sum(len(who) > panel for who in holders.values())


def review(host: str, port: int, slug: str, name: str, token: str, crew: Crew, start: threading.Barrier) -> None:
    """Take the next product and decide on it, until there is none. Each decision is sent once or, by chance, twice."""
    rng = random.Random(name)
    line = http.client.HTTPConnection(host, port, timeout=60)

    def ask(method: str, path: str, body: Any = None) -> tuple[int, Any, float]:
        begun = time.perf_counter()
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        line.request(
            method, f"/api/v1/catalogues/{slug}/{path}", json.dumps(body) if body is not None else None, headers
        )
        answer = line.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None, 1000 * (time.perf_counter() - begun)

    start.wait()
    try:
        for _turn in range(100_000):
            status, card, took = ask("GET", "review/next/")
            if status == 204:
                return
            if status != 200:
                crew.errors.append(f"next: {status} {card}")
                return
            crew.next_ms.append(took)
            product = card["product"]["external_id"]
            crew.handed.append((product, name))
            ids = {facet["facet"]: str(uuid.uuid4()) for facet in card["facets"]}
            chosen = [
                {"id": ids[f["facet"]], "facet": f["facet"], "tag": f["tags"][0]["slug"], "verdict": "accept"}
                for f in card["facets"]
            ]
            body = {"product": product, "version": card["version"], "decisions": chosen, "complete": True}
            for _time in range(2 if rng.random() < 0.3 else 1):
                status, said, took = ask("POST", "decisions/", body)
                if status == 200:
                    crew.save_ms.append(took)
                elif status not in (409, 422):
                    crew.errors.append(f"save: {status} {said}")
            if status == 200:
                crew.acknowledged.extend(ids.values())
                crew.answered.append((product, name))
            else:
                crew.refused[status] += 1
    except OSError as error:
        crew.errors.append(repr(error))
    finally:
        line.close()


def play(port: int, slug: str, tokens: dict[str, str], host: str = "127.0.0.1") -> Crew:
    crew, start = Crew(), threading.Barrier(len(tokens))
    people = [
        threading.Thread(target=review, args=(host, port, slug, name, token, crew, start))
        for name, token in tokens.items()
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    return crew


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(port: int, environment: dict[str, str], *, guarded: bool = True, workers: int = 2) -> subprocess.Popen[bytes]:
    """gunicorn as ``make run`` starts it; ``guarded`` False: with the control's lease."""
    app = "tagstudio.wsgi" if guarded else "benchmarks.unguarded:application"
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
         "--workers", str(workers), "--threads", "4", "--log-level", "error"],
        env=environment, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        try:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            line.request("GET", "/login/")
            if line.getresponse().status == 200:
                return process
        except OSError:
            time.sleep(0.2)
    stop(process)
    raise RuntimeError("the web server did not come up")


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def seed(slug: str, products: int, reviewers: int, panel: int) -> dict[str, str]:
    """A catalogue with three facets, that many products and people; returns name to token."""
    from annotations.actions.people import create_token
    from annotations.models import Catalogue, Facet, Membership, Product, QueueItem, Tag, User

    catalogue = Catalogue.objects.create(slug=slug, name=slug, reviewers=panel)
    for place, facet in enumerate(("colour", "material", "pattern")):
        made = Facet.objects.create(catalogue=catalogue, slug=facet, labels={"en": facet}, position=place)
        Tag.objects.bulk_create([Tag(facet=made, slug=f"{facet}-{n}", labels={"en": f"{facet} {n}"}) for n in range(5)])
    Product.objects.bulk_create(
        [Product(catalogue=catalogue, external_id=f"{slug}-{n}", title=f"Coat {n}") for n in range(products)]
    )
    QueueItem.objects.bulk_create(
        [
            QueueItem(product=product, catalogue=catalogue, status="queued", priority=n % 17)
            for n, product in enumerate(Product.objects.filter(catalogue=catalogue).order_by("pk"))
        ]
    )
    tokens = {}
    for n in range(reviewers):
        user = User.objects.create(username=f"{slug}-{n}")
        Membership.objects.create(catalogue=catalogue, user=user, role="reviewer")
        tokens[user.username] = create_token(user=user, scopes=["review"]).secret
    return tokens


def verdict(slug: str, crew: Crew, products: int, panel: int) -> dict[str, Any]:
    """What the database says about what reviewers saw."""
    from annotations.models import Answer, Catalogue, Decision, QueueItem
    from annotations.queries import panels
    from annotations.queries.standing import differences

    catalogue = Catalogue.objects.get(slug=slug)
    own = Decision.objects.filter(catalogue=catalogue, verdict="accept").exclude(voice="agreed")
    stored = Counter(str(pk) for pk in own.values_list("pk", flat=True))
    pairs = Counter(own.values_list("product", "reviewer", "facet"))
    return {
        "handed": len(crew.handed),
        "shared": crew.shared(panel),
        "lost": sum(stored[one] == 0 for one in crew.acknowledged),
        "doubled": sum(n > 1 for n in pairs.values()) + sum(n > 1 for n in Counter(crew.answered).values()),
        "refused": sum(crew.refused.values()),
        "errors": len(crew.errors),
        "done": QueueItem.objects.filter(catalogue=catalogue, status="done").count(),
        "products": products,
        "answers": Answer.objects.filter(catalogue=catalogue).count(),
        "differences": len(differences(catalogue)) + len(panels.differences(catalogue)),
    }


def run(reviewers: int, products: int, panel: int, environment: dict[str, str], *, guarded: bool) -> dict[str, Any]:
    slug = f"r{reviewers}-{'guarded' if guarded else 'control'}-{uuid.uuid4().hex[:6]}"
    tokens = seed(slug, products, reviewers, panel)
    port = free_port()
    server = serve(port, environment, guarded=guarded)
    try:
        begun = time.perf_counter()
        crew = play(port, slug, tokens)
        seconds = time.perf_counter() - begun
    finally:
        stop(server)
    found = verdict(slug, crew, products, panel)
    print(*crew.errors[:3], file=sys.stderr, sep="\n")
    quick = lambda times: [round(statistics.median(times), 1), round(sorted(times)[int(0.95 * len(times))], 1)]  # noqa: E731
    return {
        "database": "postgresql" if "postgresql" in environment.get("DATABASE_URL", "") else "sqlite",
        "reviewers": reviewers, "panel": panel, "guarded": guarded, **found, "seconds": round(seconds, 1),
        "saves_per_second": round(len(crew.answered) / seconds, 1),
        "next_ms_p50_p95": quick(crew.next_ms or [0.0]), "save_ms_p50_p95": quick(crew.save_ms or [0.0]),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviewers", type=int, nargs="+", default=[8, 50])
    parser.add_argument("--products", type=int, default=400)
    parser.add_argument("--panel", type=int, default=1)
    given = parser.parse_args(arguments)
    home = tempfile.mkdtemp(prefix="tagstudio-reviewers-")
    environment = {
        **os.environ, "TAGSTUDIO_HOME": home, "DJANGO_SETTINGS_MODULE": "tagstudio.settings.dev",
        "API_REQUESTS_PER_MINUTE": "1000000",
    }  # fmt: skip
    server = os.environ.get("DATABASE_URL", "")
    name = f"tagstudio_reviewers_{uuid.uuid4().hex[:8]}"
    try:
        if server.startswith("postgres"):
            _postgres(server, f'CREATE DATABASE "{name}"')
            environment["DATABASE_URL"] = server.rsplit("/", 1)[0] + f"/{name}"
        os.environ.update(environment)
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        for reviewers in given.reviewers:
            for guarded in (True, False):
                print(json.dumps(run(reviewers, given.products, given.panel, environment, guarded=guarded)), flush=True)
    finally:
        from django.db import connections

        connections.close_all()
        if server.startswith("postgres"):
            _postgres(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        shutil.rmtree(home, ignore_errors=True)


def _postgres(server: str, statement: str) -> None:
    import psycopg2

    connection = psycopg2.connect(server)
    connection.autocommit = True
    connection.cursor().execute(statement)
    connection.close()


if __name__ == "__main__":
    main()
