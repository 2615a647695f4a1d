"""The review screen under load and in a browser, on a large catalogue.

python benchmarks/review_screen.py [--products 200000] [--reviewers 8] [--seconds 40] [--pause 1.0] [--keep DIR] [--chromium]
DATABASE_URL=postgresql://… python benchmarks/review_screen.py      (an empty database of its own)

Makes a catalogue (5 suggestions a product over 8 facets of 12 tags, with evidence), starts the web server as `make run`
does, and lets reviewers work against it over loopback: each fetches the next product as the page does while five are
held ahead, thinks for ``--pause`` seconds, saves, and so on; now and then one undoes. Printed: server time as the
client sees it, p50 and p95 in milliseconds, and decisions a second; then the same with no pause, which is what the
machine can do. With ``--chromium`` one more reviewer in a real browser: key-down to paint of a chip, and Enter to the
next product painted. The load and the server share the machine.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CHIP = re.compile(r'name="(product|version|complete|shown)" value="(\d+)"')
CHECKED = re.compile(r'name="on" value="(\d+)"[^>]* checked')
WORDS = [
    "coat",
    "shirt",
    "lamp",
    "shoe",
    "table",
    "bag",
    "ring",
    "tent",
    "linen",
    "steel",
    "cotton",
    "garden",
    "night",
    "river",
    "stone",
    "city",
    "soft",
    "warm",
    "light",
    "blue",
]

SPANS = [{"field": "description", "start": 0, "end": 4}]


def build(products: int, reviewers: int) -> None:
    from django.db import transaction

    from annotations.actions.bulk import insert
    from annotations.models import Catalogue, Facet, Membership, Product, QueueItem, Suggestion, Tag, User

    if Catalogue.objects.filter(slug="bench").exists():
        return
    rng = random.Random(5)
    catalogue = Catalogue.objects.create(slug="bench", name="Bench", blind_share=0)
    for n in range(reviewers + 1):
        user = User.objects.create_user(f"r{n}")
        Membership.objects.create(catalogue=catalogue, user=user, role="reviewer")
    tags: list[list[int]] = []
    for n in range(8):
        facet = Facet.objects.create(catalogue=catalogue, slug=f"f{n}", labels={"en": f"Facet {n}"}, position=n)
        tags.append(
            [
                Tag.objects.create(facet=facet, slug=f"t{n}-{k}", labels={"en": f"{WORDS[k]} {n}"}, position=k).pk
                for k in range(12)
            ]
        )
    for start in range(0, products, 5000):
        made = Product.objects.bulk_create(
            Product(
                catalogue=catalogue, external_id=f"B{n:07}", title=" ".join(rng.choices(WORDS, k=7)), category=f"a/b{n % 40}",
                description=" ".join(rng.choices(WORDS, k=60)), attributes={"Brand": [f"Brand {n % 300}"]}, language="en",
            ) for n in range(start, min(start + 5000, products))
        )  # fmt: skip
        with transaction.atomic():
            QueueItem.objects.bulk_create(
                QueueItem(product=p, catalogue=catalogue, status="queued", priority=rng.random()) for p in made
            )
            insert(
                Suggestion,
                [
                    {
                        "product_id": p.pk, "tag_id": rng.choice(tags[f]), "score": (score := rng.random()), "spans": SPANS,
                        "band": "strong" if score > 0.6 else "likely" if score > 0.4 else "unsure",
                    } for p in made for f in rng.sample(range(8), 5)
                ],
            )  # fmt: skip


def cookies(reviewers: int) -> list[str]:
    from django.test import Client

    from annotations.models import User

    found = []
    for n in range(reviewers + 1):
        client = Client()
        client.force_login(User.objects.get(username=f"r{n}"))
        found.append(client.cookies["sessionid"].value)
    return found


class Reviewer(threading.Thread):
    """Works as the page does: five held ahead, one fetched for each that is saved. ``took``: milliseconds by kind."""

    def __init__(self, port: int, session: str, pause: float, end: float) -> None:
        super().__init__(daemon=True)
        self.port, self.session, self.pause, self.end = port, session, pause, end
        self.took: dict[str, list[float]] = {"page": [], "next": [], "save": [], "undo": []}
        self.failed: list[str] = []
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.cookie = f"sessionid={session}"

    def ask(self, kind: str, method: str, path: str, body: str | None = None) -> str:
        headers = {"Cookie": self.cookie, "Accept": "application/json, text/html"}
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": self.token}
        if self.pause > 1:
            self.line.close()  # the server does not keep an idle line for longer; a browser opens a new one, too
        began = time.perf_counter()
        self.line.request(method, f"/c/bench/review/{path}", body=body, headers=headers)
        answer = self.line.getresponse()
        text = answer.read().decode()
        self.took[kind].append(1000 * (time.perf_counter() - began))
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            if cookie.startswith("csrftoken="):
                self.token = cookie.split("=", 1)[1].split(";")[0]
                self.cookie = f"sessionid={self.session}; csrftoken={self.token}"
        if answer.status >= 400:
            self.failed.append(f"{kind} {answer.status} {text[:120]}")
        return text

    def run(self) -> None:
        page = self.ask("page", "GET", "?queue=uncertain")
        held = [page]
        held += self.cards(self.ask("next", "GET", f"next/?count=5&exclude={self.number(page)}"))
        self.took["next"].clear()  # the first fetches five; from then on one at a time
        while time.time() < self.end and held:
            card = held.pop(0)
            time.sleep(self.pause * random.uniform(0.5, 1.5))
            self.ask("save", "POST", "save/", self.form(card))
            if random.random() < 0.03:
                self.ask("undo", "POST", "undo/", "input=key")
            here = ",".join(self.number(c) for c in held)
            held += self.cards(self.ask("next", "GET", f"next/?count=1&exclude={here}"))

    def cards(self, html: str) -> list[str]:
        return ["<form" + part for part in html.split('<form class="stage"')[1:]]

    def number(self, card: str) -> str:
        found = re.search(r'data-product="(\d+)"', card)
        return found[1] if found else "0"

    def form(self, card: str) -> str:
        fields = [
            *CHIP.findall(card),
            *(("on", pk) for pk in CHECKED.findall(card)),
            ("card", str(uuid.uuid4())),
            ("input", "key"),
        ]
        return urlencode(dict.fromkeys(fields) and fields)


def line(name: str, found: list[float]) -> str:
    if len(found) < 2:
        return f"{name:<20} {len(found):>6}"
    cuts = statistics.quantiles(found, n=100)
    return f"{name:<20} {len(found):>6}  p50 {statistics.median(found):7.1f}  p95 {cuts[94]:7.1f}  max {max(found):7.1f} ms"


def load(port: int, sessions: list[str], seconds: float, pause: float, log: Path) -> None:
    before = log.stat().st_size if log.exists() else 0
    end = time.time() + seconds
    crew = [Reviewer(port, session, pause, end) for session in sessions]
    for one in crew:
        one.start()
        time.sleep(pause / len(crew))
    for one in crew:
        one.join(seconds + 60)
    saved = sum(len(one.took["save"]) for one in crew)
    print(f"\n{len(crew)} reviewers, {pause:g} s of thought: {saved} saved, {saved / seconds:.1f} a second")
    for kind in ("page", "next", "save", "undo"):
        print(" ", line(kind, [t for one in crew for t in one.took[kind]]))
    served: dict[str, list[float]] = {}
    for row in log.read_text()[before:].splitlines():
        _method, path, micros = row.split()
        served.setdefault(path.rstrip("/").rsplit("/", 1)[-1], []).append(int(micros) / 1000)
    for kind in ("next", "save"):
        print(" ", line(f"{kind}, in the server", served.get(kind, [])))
    failed = [f for one in crew for f in one.failed]
    print(f"  failed: {len(failed)} {failed[:2]}", flush=True)


def chromium(port: int, session: str) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import CHROMIUM, FLAGS

    url = f"http://127.0.0.1:{port}"
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
        page = context.new_page()
        page.add_init_script("""
            addEventListener("keydown", (event) => {
              const began = event.timeStamp;
              requestAnimationFrame(() => setTimeout(() => performance.measure("key-" + event.key, { start: began, end: performance.now() })));
            }, true);
        """)
        page.goto(f"{url}/c/bench/review/?queue=uncertain")
        page.wait_for_timeout(1500)
        for _ in range(30):
            for key in ("j", "Space", "Space", "Enter"):
                page.keyboard.press(key)
                page.wait_for_timeout(60)
            page.wait_for_timeout(350)
        found = page.evaluate("performance.getEntriesByType('measure').map(e => [e.name, e.duration])")
        for key, name in (("j", "key to paint: j"), (" ", "key to paint: Space"), ("Enter", "Enter to next")):
            print(" ", line(name, [took for n, took in found if n == f"key-{key}"]))
        browser.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--products", type=int, default=200_000)
    options.add_argument("--reviewers", type=int, default=8)
    options.add_argument("--seconds", type=float, default=40)
    options.add_argument("--pause", type=float, default=1.0)
    options.add_argument("--port", type=int, default=8973)
    options.add_argument("--keep", help="a folder for the database, used again the next time")
    options.add_argument("--chromium", action="store_true")
    options.add_argument("--build", action="store_true", help="make the catalogue in --keep and end")
    chosen = options.parse_args()
    home = Path(chosen.keep or tempfile.mkdtemp(prefix="tagstudio-review-"))
    home.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "TAGSTUDIO_HOME": str(home),
        "TAGSTUDIO_ENV": "dev",
        "DJANGO_SETTINGS_MODULE": "tagstudio.settings.dev",
        "ALLOWED_HOSTS": "127.0.0.1",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
    import django

    django.setup()
    from django.db import connection

    began = time.perf_counter()
    build(chosen.products, chosen.reviewers)
    print(f"{connection.vendor}: {chosen.products} products in {time.perf_counter() - began:.0f} s", flush=True)
    if chosen.build:
        return
    sessions = cookies(chosen.reviewers)
    access = home / "access.log"
    access.unlink(missing_ok=True)
    command = [sys.executable, "-m", "gunicorn", "tagstudio.wsgi", "--bind", f"127.0.0.1:{chosen.port}", "--worker-class", "gthread",
               "--workers", "2", "--threads", "4", "--log-level", "warning", "--access-logfile", str(access), "--access-logformat", "%(m)s %(U)s %(D)s", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]  # fmt: skip
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(150):
            try:
                line_ = http.client.HTTPConnection("127.0.0.1", chosen.port, timeout=3)
                line_.request("GET", "/login/")
                line_.getresponse().read()
                break
            except OSError:
                time.sleep(0.2)
        load(chosen.port, sessions[:1], 8, 0.05, access)  # warm, and what one reviewer sees
        load(chosen.port, sessions[: chosen.reviewers], chosen.seconds, chosen.pause, access)
        if chosen.chromium:
            print("\none reviewer in Chromium")
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
            chromium(chosen.port, sessions[chosen.reviewers])
        load(chosen.port, sessions[: chosen.reviewers], chosen.seconds / 2, 0, access)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(15)


if __name__ == "__main__":
    main()
