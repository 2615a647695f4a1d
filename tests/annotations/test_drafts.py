"""Drafts of texts: written by a job, shown outside only once a person approved them, taught to the next training."""

import json
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse

from annotations.actions.drafts import MOST, decide_draft, request_drafts, store_drafts
from annotations.actions.errors import Conflict, Refused
from annotations.actions.jobs import enqueue
from annotations.actions.people import create_token
from annotations.models import AuditEvent, Draft, Job, ModelVersion, TrainingRun
from annotations.queries import drafts as questions
from annotations.tasks.run import run_now
from annotations.templatetags.figures import generated_word
from tests.annotations.conftest import World


@pytest.fixture
def shop(world: World) -> World:
    """With a model that writes titles and keywords, and a later one that does not write."""
    for number, generation in ((1, {"title_bleu": 0.2, "keywords_rouge_1": 0.3, "tags_micro_f1": 0.7}), (2, None)):
        model = ModelVersion.objects.create(catalogue=world.catalogue, number=number, tier="full", path=f"m{number}")
        TrainingRun.objects.create(
            catalogue=world.catalogue, number=number, model_version=model,
            job=enqueue(kind="train", queue="ml", catalogue=world.catalogue),
            report={"generation": generation} if generation else {},
        )  # fmt: skip
    return world


def row(world: World, place: int = 0, **changes: str) -> dict[str, str]:
    said = {"id": world.products[place].external_id, "kind": "title", "language": "en", "text": "Black coat"}
    return {**said, **changes}


def store(world: World, *rows: dict[str, str]) -> int:
    writer = questions.writer(world.catalogue)
    assert writer is not None
    return store_drafts(catalogue=world.catalogue, model=writer.model, rows=rows)


def client(world: World, role: str) -> Client:
    found = Client()
    found.force_login(world.people[role])
    return found


def test_the_model_that_writes_is_found_and_a_discarded_one_is_not(world, shop):
    writer = questions.writer(world.catalogue)
    assert writer.model.number == 1 and writer.kinds == ("title", "keywords")
    ModelVersion.objects.filter(number=1).update(state="discarded")
    assert questions.writer(world.catalogue) is None
    with pytest.raises(Refused, match="learned to write"):
        request_drafts(catalogue=world.catalogue, user=world.people["lead"], products=[1], kinds=["title"])


@pytest.mark.parametrize(
    ("products", "kinds", "code"),
    [([], ["title"], "products"), ([1] * (MOST + 1), ["title"], "products"), ([1], [], "kinds"), ([1], ["selling_points"], "kinds")],
)  # fmt: skip
def test_what_cannot_be_asked_for(shop, products, kinds, code):
    with pytest.raises(Refused) as refusal:
        request_drafts(catalogue=shop.catalogue, user=shop.people["lead"], products=products, kinds=kinds)
    assert refusal.value.code == code and not Job.objects.filter(kind="drafts").exists()


def test_drafts_are_stored_once_in_the_place_of_what_waits(shop):
    rows = [row(shop), row(shop, 1, text=" "), row(shop, 0, kind="keywords"), row(shop, id="gone")]
    assert store(shop, *rows) == 2 and store(shop, *rows) == 2
    assert Draft.objects.count() == 2
    assert store(shop, row(shop, text="Black wool coat")) == 1
    assert set(Draft.objects.values_list("kind", "text")) == {("title", "Black wool coat"), ("keywords", "Black coat")}


def test_what_was_refused_or_approved_does_not_come_back_in_the_same_words(shop):
    reviewer = shop.people["reviewer"]
    store(shop, row(shop), row(shop, 1))
    first, second = questions.waiting(shop.catalogue)
    decide_draft(draft=first, state="refused", user=reviewer)
    decide_draft(draft=second, state="approved", user=reviewer, text="Warm coat")
    assert store(shop, row(shop), row(shop, 1), row(shop, 1, text="Warm coat")) == 0
    assert store(shop, row(shop, 1, text="Another")) == 1
    assert questions.approved([shop.products[1]])[0].said == "Warm coat"


def test_deciding(shop):
    reviewer, lead = shop.people["reviewer"], shop.people["lead"]
    store(shop, row(shop))
    draft = Draft.objects.get()
    assert questions.approved([shop.products[0]]) == []
    decided = decide_draft(draft=draft, state="approved", user=reviewer, text="Black coat\r\nwarm ")
    assert (decided.said, decided.text, decided.user) == ("Black coat\nwarm", "Black coat", reviewer)
    assert decide_draft(draft=draft, state="approved", user=lead, text="Black coat\nwarm").user == reviewer  # once
    with pytest.raises(Conflict):
        decide_draft(draft=draft, state="approved", user=lead, text="Other words")
    store(shop, row(shop, text="Jet coat"))
    newer = Draft.objects.get(state="proposed")
    decide_draft(draft=newer, state="approved", user=lead)
    assert [d.said for d in questions.approved(shop.products)] == ["Jet coat"], "one is approved at a time"
    decide_draft(draft=newer, state="refused", user=lead)
    assert questions.approved(shop.products) == []
    with pytest.raises(Conflict):
        decide_draft(draft=newer, state="approved", user=lead)
    newer.delete()
    with pytest.raises(Conflict, match="anew"):
        decide_draft(draft=Draft(pk=999_999), state="approved", user=lead)
    assert AuditEvent.objects.filter(word="drafts").count() == 3


def test_the_api_shows_what_was_approved_alone(shop):
    token = create_token(user=shop.people["reviewer"], scopes=["review"]).secret
    headers = {"Authorization": f"Token {token}"}
    url = f"/api/v1/catalogues/{shop.catalogue.slug}/products/{shop.products[0].external_id}/"
    store(shop, row(shop))
    assert Client().get(url, headers=headers).json()["written"] == []
    decide_draft(draft=Draft.objects.get(), state="approved", user=shop.people["reviewer"], text="Warm coat")
    (said,) = Client().get(url, headers=headers).json()["written"]
    assert (said["kind"], said["language"], said["text"]) == ("title", "en", "Warm coat") and said["approved_at"]


def test_the_page(shop):
    store(shop, row(shop, text="<b>Coat</b>"), row(shop, 1))
    address = reverse("drafts", args=[shop.catalogue.slug])
    assert client(shop, "viewer").get(address).status_code == 403
    reviewer = client(shop, "reviewer")
    page = reviewer.get(address).content.decode()
    assert "2 drafts wait" in page and "&lt;b&gt;Coat" in page and 'data-key="a"' in page
    assert (
        "Write drafts" not in page
        and reviewer.post(reverse("drafts_write", args=[shop.catalogue.slug])).status_code == 403
    )
    first = questions.waiting(shop.catalogue)[0]
    decide = reverse("draft_decide", args=[shop.catalogue.slug, first.pk])
    assert client(shop, "viewer").post(decide, {"state": "approved"}).status_code == 403
    assert reviewer.post(decide, {"state": "approved", "text": "Coat", "at": "0"}).url == f"{address}?at=0"
    first.refresh_from_db()
    assert (first.state, first.said) == ("approved", "Coat")
    past = reviewer.get(f"{address}?decided=1").content.decode()
    assert "1 decided" in past and "Take back" in past
    assert reviewer.post(decide, {"state": "refused"}).url == f"{address}?decided=1"
    assert not questions.approved(shop.products)
    elsewhere = reverse("draft_decide", args=[shop.catalogue.slug, 999_999])
    assert reviewer.post(elsewhere, {"state": "approved"}).status_code == 404


def test_a_job_writes_for_the_chosen_products(shop, monkeypatch, tmp_path, settings):
    """The child is played: what it reads is what the job wrote, and what it writes is stored."""
    settings.JOBS_ROOT = tmp_path
    shop.decide(shop.products[0], black="add")
    seen = {}

    def child(claim, command, directory):
        lines = (directory / "examples.jsonl").read_text().splitlines()
        seen.update(
            command=command,
            config=json.loads((directory / "config.json").read_text()),
            rows=list(map(json.loads, lines)),
        )
        written = [{"id": r["id"], "kind": "title", "language": "en", "text": f"Draft {r['id']}"} for r in seen["rows"]]
        (directory / "drafts.jsonl").write_text("\n".join(map(json.dumps, written)))
        return SimpleNamespace()

    monkeypatch.setattr("annotations.tasks.drafts.start_child", child)
    monkeypatch.setattr("annotations.tasks.drafts.follow", lambda *a: {})
    monkeypatch.setattr("annotations.bridge.drafts.shelf.at_hand", lambda path, sha256: tmp_path / path)
    web = client(shop, "lead")
    web.post(reverse("drafts_write", args=[shop.catalogue.slug]), {"kind": ["title"], "product": shop.products[0].pk})
    job = Job.objects.get(kind="drafts")
    assert job.params["products"] == [shop.products[0].pk]
    run_now(job)
    job.refresh_from_db()
    assert job.state == "done" and job.result == {"products": 1, "drafts": 1}
    assert seen["command"] == "generate" and seen["config"] == {"bundle": str(tmp_path / "m1"), "kinds": ["title"]}
    assert seen["rows"][0]["labels"] == {"colour": ["black"]}
    assert Draft.objects.get().text == f"Draft {shop.products[0].external_id}"
    assert not (tmp_path / f"drafts-{job.pk}").exists()


def test_training_learns_from_approved_texts(shop, tmp_path):
    from annotations import bridge

    shop.decide(shop.products[0], black="add")
    store(shop, row(shop))
    decide_draft(draft=Draft.objects.get(), state="approved", user=shop.people["lead"], text="Warm coat")
    bridge.write_job_directory(shop.catalogue, tmp_path, {})
    lines = [json.loads(line) for line in (tmp_path / "examples.jsonl").read_text().splitlines()]
    assert [line.get("written") for line in lines] == [{"title": "Warm coat"}]


def test_measures_have_words():
    assert generated_word("selling_points_rouge_l") == "selling points: ROUGE-L"
    assert generated_word("tags_micro_f1") == "tags: F1" and generated_word("other") == "other"
