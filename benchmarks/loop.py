"""The whole loop on a real catalogue, from outside: commands, HTTP, and the database file read-only.

python benchmarks/loop.py [--data ../shared/data/magento_luma_en]     (after make setup; about two minutes)

Prints micro-F1 of ``suggest`` on products nobody decided on, after 0, 25, 50, 100 and 150 decided products, beside a
plain TF-IDF + one-vs-rest logistic regression (scikit-learn) given the same products and the threshold that is best
for it on the very products it is measured on; then the seconds from the POST of a decision to another order of the
queue; then whether the feed, replayed here, gives what was decided.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MultiLabelBinarizer

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TAGSTUDIO_SHARED", ROOT.parent / "shared"))
STEPS = (0, 25, 50, 100, 150)
Row = dict[str, Any]
Facts = dict[str, set[tuple[str, str]]]


class Studio:
    """A throw-away TAGSTUDIO_HOME, driven by its commands and its API."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="tagstudio-loop-"))
        kept = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "CELERY_BROKER_URL")}
        self.env = {**kept, "TAGSTUDIO_HOME": str(self.home), "ALLOWED_HOSTS": "127.0.0.1"}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.token = ""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def manage(self, *args: object, text: str | None = None, as_json: bool = True) -> Any:
        command = [sys.executable, "manage.py", *map(str, args), *(["--json"] if as_json else [])]
        done = subprocess.run(command, cwd=ROOT, env=self.env, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command[1:4])}: exit {done.returncode}\n{done.stdout[-500:]}\n{done.stderr[-2000:]}")
        return json.loads(done.stdout) if as_json else done.stdout

    def decide(self, lines: Iterable[Row]) -> Row:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        answer: Row = self.manage("decide", "loop", "-", text=text)
        return answer

    def start(self) -> None:
        """The web server and a worker for the ml queue, as `make run` starts them."""
        python = Path(sys.executable)
        log = (self.home / "processes.log").open("wb")
        for command in (
            [python.parent / "gunicorn", "tagstudio.wsgi", "-b", f"127.0.0.1:{self.port}", "-w", "2", "--threads", "4"],
            [python, "manage.py", "worker", "--queues", "io"],
            [python, "manage.py", "worker", "--queues", "ml"],
        ):
            self.processes.append(
                subprocess.Popen(
                    [str(c) for c in command], cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
                )
            )
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            time.sleep(0.2)
        sys.exit(f"not up after a minute; see {self.home}/processes.log")

    def call(self, path: str, body: Row | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/catalogues/loop/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            raw = answer.read()
        return json.loads(raw) if raw else None

    def order(self) -> list[tuple[int, ...]]:
        """The queue as it stands, read from the database file."""
        with sqlite3.connect(f"file:{self.home}/tagstudio.sqlite3?mode=ro", uri=True, timeout=20) as database:
            return database.execute(
                "select product_id from annotations_queueitem where status='queued' order by priority desc, id limit 50"
            ).fetchall()

    def stop(self) -> None:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            process.wait(20)


def norm(text: object) -> str:
    return "".join(c for c in str(text).lower() if c.isalnum())


def gold(rows: Iterable[Row]) -> Facts:
    return {str(r["id"]): {(norm(f), norm(v)) for f, vs in r["attributes"].items() for v in vs} for r in rows}


def micro_f1(predicted: Facts, right: Facts) -> float:
    hits = sum(len(predicted.get(i, set()) & tags) for i, tags in right.items())
    return 200 * hits / max(1, sum(len(predicted.get(i, ())) for i in right) + sum(map(len, right.values())))


def ours(studio: Studio, rest: list[Row]) -> tuple[float, float]:
    """(micro-F1, seconds of the instant training) on products whose attributes are not shown."""
    trained = studio.manage("train", "loop", "--tier", "instant", "--wait")
    bare = [{k: v for k, v in row.items() if k not in ("attributes", "spans", "absent")} for row in rest]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in bare)
    out = studio.manage("suggest", "loop", "-", text=text, as_json=False)
    predicted = {
        str(line["id"]): {
            (norm(facet), norm(s["label"]))
            for facet, found in line["suggestions"].items()
            for s in found
            if s["band"] != "unsure"
        }
        for line in map(json.loads, out.splitlines())
    }
    return micro_f1(predicted, gold(rest)), trained["seconds"]


def theirs(train: list[Row], rest: list[Row]) -> float:
    """TF-IDF over words and characters, one logistic regression per tag, the best threshold in hindsight."""
    if not train:
        return 0.0
    text = lambda rows: [f"{r['category']} {r['title']} {r['description']}" for r in rows]  # noqa: E731
    labels = MultiLabelBinarizer()
    y = labels.fit_transform([sorted(gold([row])[str(row["id"])]) for row in train])
    features = make_union(
        TfidfVectorizer(sublinear_tf=True), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    )
    model = make_pipeline(features, OneVsRestClassifier(LogisticRegression(C=10, max_iter=1000), n_jobs=1))
    model.fit(text(train), y)
    scores, right = model.predict_proba(text(rest)), gold(rest)
    best = 0.0
    for threshold in np.linspace(0.05, 0.95, 19):
        predicted = {
            str(row["id"]): {labels.classes_[i] for i in np.flatnonzero(line >= threshold)}
            for row, line in zip(rest, scores, strict=True)
        }
        best = max(best, micro_f1(predicted, right))  # type: ignore[arg-type]
    return best


def oracle(rows: Iterable[Row]) -> list[Row]:
    lines: list[Row] = []
    for row in rows:
        lines += [
            {"product": row["id"], "facet": f, "tag": v, "verdict": "accept", "reviewer": "oracle"}
            for f, values in row["attributes"].items()
            for v in values
        ]
        lines.append({"product": row["id"], "complete": True, "reviewer": "oracle"})
    return lines


def learning_curve(studio: Studio, train: list[Row], rest: list[Row], steps: list[int]) -> None:
    print(f"\nmicro-F1 on {len(rest)} products of other families, their attributes not shown")
    print(f"{'decided':>8} {'suggest':>8} {'TF-IDF + OvR':>13} {'ratio':>6} {'refit s':>8}")
    done = 0
    for step in steps:
        if step > done:
            studio.decide(oracle(train[done:step]))
            done = step
        mine, seconds = ours(studio, rest)
        plain = theirs(train[:done], rest)
        ratio = f"{mine / plain:6.2f}" if plain else "     -"
        print(f"{done:>8} {mine:>8.1f} {plain:>13.1f} {ratio} {seconds:>8.2f}", flush=True)


def decision_to_order(studio: Studio, times: int = 7) -> None:
    """POST one card after another; after each, wait for the queue's order to differ from what it was."""
    waits = []
    for _ in range(times):
        card = studio.call("review/next/")
        if card is None:
            break
        before = studio.order()
        choices = [
            {
                "id": str(uuid.uuid4()),
                "facet": row["facet"]["slug"] if isinstance(row["facet"], dict) else row["facet"],
                "tag": s["tag"]["slug"] if isinstance(s["tag"], dict) else s["tag"],
                "verdict": "reject" if s["band"] == "unsure" else "accept",
            }
            for row in card["facets"]
            for s in row["suggestions"]
        ]
        product = card["product"]
        key = product.get("external_id", product.get("id")) if isinstance(product, dict) else product
        start = time.perf_counter()
        studio.call("decisions/", {"product": key, "version": card["version"], "decisions": choices, "complete": True})
        posted = studio.order()
        while time.perf_counter() - start < 30:
            now = studio.order()
            # the decided product leaves the queue at once; what counts is the order of those that stay
            if [p for p in now if p in before] != [p for p in before if p in now] or set(now) - set(posted):
                break
            time.sleep(0.02)
        waits.append(time.perf_counter() - start)
    print(f"\ndecision to new order: median {statistics.median(waits):.2f} s, worst {max(waits):.2f} s of {len(waits)}")


def replay(studio: Studio) -> None:
    standing: dict[tuple[str, str, str], str] = {}
    seen: list[int] = []
    after = 0
    while True:
        page = studio.call(f"changes/?after={after}&limit=500")
        for change in page["changes"]:
            standing[change["product"], change["facet"], change["tag"]] = change["state"]
            seen.append(change["seq"])
        if not page["changes"]:
            break
        after = page["next"]
    approved = {key for key, state in standing.items() if state == "approved"}
    out = studio.home / "out.jsonl"
    studio.manage("export_tags", "loop", "--format", "csv-long", "--out", out)
    lines = out.read_text(encoding="utf-8-sig").splitlines()
    exported = sum(",approved," in line for line in lines)
    print(f"\nfeed: {len(seen)} changes, in order and none twice: {seen == sorted(set(seen))}")
    print(f"replayed: {len(approved)} approved tags; the export has {exported}")
    check = studio.manage("rebuild_standing_tags", "--check")
    print(f"rebuild_standing_tags --check: {check['differences']} differences")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, default=SHARED / "data" / "magento_luma_en")
    options.add_argument("--steps", type=int, nargs="+", default=list(STEPS), help="decided products to stop at")
    chosen = options.parse_args()
    data, steps = chosen.data, chosen.steps
    with gzip.open(data / "products.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    first = lambda r: int(hashlib.sha256(str(r.get("group") or r["title"]).encode()).hexdigest(), 16) % 100 < 70  # noqa: E731
    train, rest = [r for r in rows if first(r)][: max(steps)], [r for r in rows if not first(r)]
    studio = Studio()
    studio.manage("migrate", as_json=False)
    studio.manage("create_catalogue", "loop", "--languages", "en")
    images = ["--images", data / "images.zip"] if (data / "images.zip").exists() else []
    done = studio.manage("import_products", "loop", data / "products.jsonl.gz", "--attributes", "source", *images)
    print({k: done[k] for k in ("rows", "created", "problems", "seconds")})
    print(studio.manage("import_tags", "loop", "--from-attributes"))
    learning_curve(studio, train, rest, steps)
    studio.manage("create_user", "reviewer", "--role", "admin", "--catalogue", "loop")
    studio.token = studio.manage("create_token", "reviewer", "--scopes", "review,export")["token"]
    try:
        studio.start()
        studio.manage("score", "loop", "--all")
        decision_to_order(studio)
        replay(studio)
    finally:
        studio.stop()


if __name__ == "__main__":
    main()
