"""From the click to the report, in a browser; and what suggestions take while a run trains.

    python benchmarks/training_walk.py [--data ../shared/data/oamine_en] [--decisions 1000] [--shots DIR] [--suggest 200]

A throw-away installation: products imported, decided by an oracle until there are so many decisions, web and workers
started as people start them. Then Chromium signs in, opens the training page, takes the quick preset as it stands, presses
the button and waits for the report; pictures of what it saw go to DIR. With --suggest so many single products are asked for, one
at a time, while it trains, and as many in between while its process is halted, by turns of twenty: p50 and p95 of both, in
milliseconds. (The time to the report then holds those turns, too.)
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import signal
import statistics
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import loop
from playwright.sync_api import Page, sync_playwright


def stocked(options: argparse.Namespace) -> tuple[loop.Studio, list[loop.Row], str]:
    studio = loop.Studio()
    with gzip.open(options.data / "products.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    studio.manage("migrate", as_json=False)
    studio.manage("create_catalogue", "loop", "--languages", "en")
    studio.manage("import_products", "loop", options.data / "products.jsonl.gz", "--attributes", "source")
    studio.manage("import_tags", "loop", "--from-attributes")
    lines: list[loop.Row] = []
    for row in rows:
        lines += loop.oracle([row])
        if sum("verdict" in line for line in lines) >= options.decisions:
            break
    print({k: v for k, v in studio.decide(lines).items() if k in ("decisions", "problems")}, flush=True)
    print(studio.manage("train", "loop", "--tier", "instant", "--wait"), flush=True)
    made = studio.manage("create_user", "ada", "--role", "admin", "--catalogue", "loop")
    studio.token = studio.manage("create_token", "ada", "--scopes", "review,export,import,train")["token"]
    return studio, rows[len(rows) // 2 :], made["password"]


def asked(studio: loop.Studio, rows: list[loop.Row], count: int) -> list[float]:
    """Milliseconds of ``count`` questions about one product each."""
    found = []
    for row in rows[:count]:
        body: Any = [{name: row.get(name, "") for name in ("id", "title", "description", "category")}]
        begun = time.perf_counter()
        studio.call("suggest/", body)
        found.append(1000 * (time.perf_counter() - begun))
    return found


class Turns(threading.Thread):
    """Asks by turns while the run's process computes and while it is halted, so that whatever else goes on here is in both."""

    def __init__(self, studio: loop.Studio, rows: list[loop.Row], count: int) -> None:
        super().__init__(daemon=True)
        self.studio, self.rows, self.count = studio, rows, count
        self.during: list[float] = []
        self.halted: list[float] = []

    def run(self) -> None:
        while not (found := list(self.studio.home.glob("jobs/train-*/child.pid"))):
            time.sleep(0.2)
        child = int(found[0].read_text())
        asked(self.studio, self.rows, 20)  # the web processes read the model
        while len(self.halted) < self.count:
            try:
                some = self.rows[len(self.halted) :][:20] or self.rows[:20]
                self.during += asked(self.studio, some, 20)
                os.killpg(child, signal.SIGSTOP)
                self.halted += asked(self.studio, some, 20)
            except ProcessLookupError:
                return
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGCONT)


def told(name: str, ms: list[float]) -> float:
    p95 = statistics.quantiles(ms, n=20)[-1]
    print(f"suggest, {name}: {len(ms)} asked, p50 {statistics.median(ms):.1f} ms, p95 {p95:.1f} ms", flush=True)
    return p95


def shot(page: Page, options: argparse.Namespace, name: str) -> None:
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=options.shots / f"{name}.png", full_page=True)


def walk(studio: loop.Studio, rows: list[loop.Row], password: str, options: argparse.Namespace) -> None:
    root = f"http://127.0.0.1:{studio.port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{root}/login/")
        page.fill("[name=name]", "ada")
        page.fill("[name=password]", password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login/" not in url)
        page.goto(f"{root}/c/loop/training/")
        shot(page, options, "1-before")
        begun = time.monotonic()
        page.click("form[action$='/training/start/'] button.main")
        page.wait_for_selector("#run")
        turns = Turns(studio, rows, options.suggest)
        end, seen = begun + options.most, set()
        while time.monotonic() < end:
            words = page.locator("#run").inner_text()
            if "epoch" in words and options.suggest and turns.ident is None:
                turns.start()
            for place, name in (("starting", "2-begun"), ("epoch 2", "3-training")):
                if place in words and name not in seen:
                    seen.add(name)
                    shot(page, options, name)
            if page.locator("table.report").count():
                break
            page.wait_for_timeout(500)
        seconds = time.monotonic() - begun
        shot(page, options, "4-report")
        print(
            f"from the click to the report: {seconds:.0f} s ({page.locator('#run .state').first.inner_text()})",
            flush=True,
        )
        print(page.locator("#run").inner_text()[:600])
        browser.close()
        if turns.during:
            turns.join(timeout=60)
            share = told("while it trains", turns.during) / told("while it is halted", turns.halted)
            print(f"p95 while it trains is {share:.2f} of p95 while it is halted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=loop.SHARED / "data" / "oamine_en")
    parser.add_argument("--decisions", type=int, default=1000)
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--suggest", type=int, default=0)
    parser.add_argument("--most", type=float, default=1500, help="seconds to wait for the report")
    options = parser.parse_args()
    studio, rows, password = stocked(options)
    try:
        studio.start()
        walk(studio, rows, password, options)
    finally:
        studio.stop()
        shutil.rmtree(studio.home, ignore_errors=True)


if __name__ == "__main__":
    main()
