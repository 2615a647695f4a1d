"""Every route x method x person, and what every answer carries.

A route that is not in the table below fails the first test: say there who may come in, then it is tested. The table is
written by hand on purpose; it repeats what the code says so that the two can disagree.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from annotations.actions.catalogues import create_catalogue
from annotations.actions.exports import write_export
from annotations.actions.people import create_token
from annotations.actions.searches import start_search
from annotations.actions.training import request_training
from annotations.models import (
    ApiToken,
    AssignmentRule,
    Boilerplate,
    BulkRun,
    Comment,
    DeclinedProposal,
    Draft,
    DriftAlert,
    ExportBatch,
    FamilyProposal,
    ImportBatch,
    ImportSource,
    Job,
    LanguageModel,
    Mention,
    ModelVersion,
    Picture,
    SavedFilter,
    SecondStep,
    TagRequest,
    TaxonomyRevision,
    User,
)
from tests.annotations.conftest import World, build_world

pytestmark = pytest.mark.anywhere

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ROLES = ("viewer", "reviewer", "lead", "admin")
LET_IN = {200, 201, 202, 204, 206, 302, 304, 400, 409, 415, 422, 429}


@dataclass(frozen=True)
class Open:
    """For everybody, signed in or not. ``also`` are answers that are right here besides."""

    methods: str
    args: tuple[Any, ...] = ()
    also: frozenset[int] = frozenset()


class Word(str):
    """An argument that names no row of a catalogue, as a file format does."""

    __slots__ = ()


@dataclass(frozen=True)
class Page:
    """``needs``: method to the least role; "any": whoever is signed in. ``ask``: a query that the page wants."""

    needs: dict[str, str]
    args: tuple[Any, ...] = ("shop",)
    ask: str = ""
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Api:
    """``needs``: method to (scopes, of which one is asked for; "": any token) and the least role."""

    needs: dict[str, tuple[str, str]]
    args: tuple[Any, ...] = ("shop",)


EXPORT = uuid.UUID("11111111-1111-4111-8111-111111111111")
JOB = uuid.UUID("22222222-2222-4222-8222-222222222222")
SHA = "a" * 64
TAG = ("shop", "colour", "black")

ROUTES: dict[str, Open | Page | Api] = {
    # pages for everybody
    "healthz": Open("GET HEAD", also=frozenset({503})),
    "metrics": Open("GET HEAD"),  # from this machine alone; tested with the health page
    "set_language": Open("POST"),
    "login": Open("GET HEAD POST"),
    "login_code": Open("GET HEAD POST"),  # to the first step for whoever has not taken it
    "login_once": Open("GET HEAD POST", ("nonsense",), also=frozenset({410})),
    "company_login": Open("GET", also=frozenset({404})),  # no issuer is named here: tests/annotations/test_company.py
    "company_back": Open("GET", also=frozenset({404})),
    "logout": Open("POST"),
    # one's own
    "home": Page({"GET": "any"}, ()),
    "password": Page({"GET": "any", "POST": "any"}, ()),
    "second_step": Page({"GET": "any", "POST": "any"}, ()),
    "tokens": Page({"GET": "any", "POST": "any"}, ()),
    "revoke_token": Page({"POST": "own token"}, ("@token",)),
    "catalogue_new": Page({"GET": "admin", "POST": "admin"}, ()),
    # catalogues
    "catalogue_settings": Page({"GET": "admin", "POST": "admin"}),
    "add_member": Page({"POST": "admin"}),
    "change_member": Page({"POST": "admin"}, ("shop", "@viewer")),
    "remove_member": Page({"POST": "admin"}, ("shop", "@viewer")),
    "reset_second_step": Page({"POST": "admin"}, ("shop", "@lead")),
    "exports": Page({"GET": "viewer", "POST": "viewer"}),
    "export_download": Page({"GET": "viewer"}, ("shop", EXPORT)),
    "picture": Page({"GET": "viewer"}, ("full", "@product", SHA)),
    # products, imports, taxonomy
    "products": Page({"GET": "viewer"}),
    "product": Page({"GET": "viewer"}, ("shop", "@product")),
    "filter_keep": Page({"POST": "viewer"}),
    "filter_drop": Page({"POST": "viewer"}, ("shop", "@filter")),
    "bulk": Page({"POST": "lead"}),
    "cleaning": Page({"GET": "viewer", "POST": "admin"}),
    "shared_text": Page({"POST": "lead"}, ("shop", "@shared")),
    "drafts": Page({"GET": "reviewer"}),
    "drafts_write": Page({"POST": "lead"}),
    "draft_decide": Page({"POST": "reviewer"}, ("shop", "@draft"), body={"state": "refused"}),
    "families": Page({"GET": "viewer"}),
    "families_look": Page({"POST": "lead"}),
    "family_decide": Page({"POST": "lead"}, ("shop", "@proposal"), body={"verdict": "decline"}),
    "bulk_runs": Page({"GET": "lead"}),
    "bulk_run": Page({"GET": "lead"}, ("shop", "@run")),
    "bulk_undo": Page({"POST": "lead"}, ("shop", "@run")),
    "imports": Page({"GET": "viewer"}),
    "import_receive": Page({"POST": "lead"}),
    "import": Page({"GET": "viewer"}, ("shop", "@import")),
    "import_go": Page({"POST": "lead"}, ("shop", "@import")),
    "import_discard": Page({"POST": "lead"}, ("shop", "@import")),
    "import_problems": Page({"GET": "viewer"}, ("shop", "@import")),
    "import_to_mend": Page({"GET": "viewer"}, ("shop", "@import")),
    "starter": Page({"GET": "lead"}),
    "starter_receive": Page({"POST": "lead"}),
    "starter_one": Page({"GET": "lead"}, ("shop", "@starter")),
    "starter_go": Page({"POST": "lead"}, ("shop", "@starter")),
    "starter_discard": Page({"POST": "lead"}, ("shop", "@starter")),
    "import_source_forget": Page({"POST": "lead"}, ("shop", "@source")),
    "taxonomy": Page({"GET": "viewer"}),
    "taxonomy_history": Page({"GET": "viewer"}),
    "taxonomy_undo": Page({"POST": "lead"}, ("shop", 900)),
    "taxonomy_go_on": Page({"POST": "lead"}, ("shop", 900)),
    "tag_reshape": Page({"GET": "lead"}, ("shop", "@tag")),
    "tag_split": Page({"POST": "lead"}, ("shop", "@tag")),
    "taxonomy_rules": Page({"GET": "viewer"}),
    "taxonomy_proposals": Page({"GET": "lead"}),
    "taxonomy_proposals_look": Page({"POST": "lead"}),
    "taxonomy_declined": Page({"GET": "lead"}),
    "taxonomy_declined_back": Page({"POST": "lead"}, ("shop", "@declined")),
    "taxonomy_proposal": Page({"POST": "lead"}, body={"verdict": "decline", "kind": "words", "text": "anorak"}),
    "taxonomy_skos": Page({"GET": "viewer"}, ("shop", Word("turtle"))),
    "taxonomy_relations": Page({"GET": "lead"}),
    "taxonomy_relations_look": Page({"POST": "lead"}),
    "taxonomy_relation": Page({"POST": "lead"}),
    "words": Page({"GET": "lead"}),
    "words_add": Page({"POST": "lead"}),
    "words_remove": Page({"POST": "lead"}),
    "words_starter": Page({"POST": "lead"}),
    "words_scan": Page({"POST": "lead"}),
    "language_model": Page({"GET": "lead"}),
    "language_model_set": Page({"POST": "admin"}),
    "language_model_forget": Page({"POST": "admin"}),
    "language_model_ask": Page({"POST": "lead"}),
    "taxonomy_from_attributes": Page({"POST": "lead"}),
    "facet_add": Page({"POST": "lead"}),
    "facet": Page({"GET": "viewer"}, ("shop", "@facet")),
    "facet_edit": Page({"POST": "lead"}, ("shop", "@facet")),
    "facet_retire": Page({"POST": "lead"}, ("shop", "@facet")),
    "facet_move": Page({"POST": "lead"}, ("shop", "@facet")),
    "tag_do": Page({"POST": "lead"}, ("shop", "@tag"), body={"label": "Jet"}),
    "tag_add": Page({"POST": "lead"}, ("shop", "@facet")),
    "tag": Page({"GET": "viewer"}, ("shop", "@tag")),
    "tag_edit": Page({"POST": "lead"}, ("shop", "@tag")),
    "tag_retire": Page({"POST": "lead"}, ("shop", "@tag")),
    "tag_merge": Page({"POST": "lead"}, ("shop", "@tag")),
    "tag_request": Page({"POST": "lead"}, ("shop", "@request")),
    # jobs, and training
    "job": Page({"GET": "viewer"}, (JOB,)),
    "job_cancel": Page({"POST": "lead"}, (JOB,)),  # or whoever asked for it
    "learning": Page({"GET": "viewer"}),
    "learning_measure": Page({"POST": "lead"}),
    "learning_doubts": Page({"POST": "lead"}),
    "learning_look_again": Page({"POST": "lead"}, ("shop", "@product")),
    "training": Page({"GET": "viewer"}),
    "training_start": Page({"POST": "admin"}),
    "training_plan": Page({"POST": "admin"}),
    "training_plan_read": Page({"POST": "admin"}),
    "training_gate": Page({"POST": "admin"}),
    "training_schedule": Page({"POST": "admin"}),
    "model": Page({"GET": "viewer", "POST": "lead"}, ("shop", 1)),
    "model_download": Page({"GET": "admin"}, ("shop", 1)),
    "alerts": Page({"GET": "admin", "POST": "admin"}),
    "drift_look": Page({"POST": "lead"}),
    "alert_seen": Page({"POST": "lead"}, ("shop", "@alert")),
    "models_keep": Page({"POST": "admin"}),
    "model_upload": Page({"POST": "admin"}),
    "training_run": Page({"GET": "viewer"}, ("shop", 1)),
    "training_flips": Page({"GET": "viewer"}, ("shop", 1)),
    "training_judge": Page({"GET": "reviewer", "POST": "reviewer"}, ("shop", 1)),
    "training_live": Page({"GET": "viewer"}, ("shop", 1)),
    "plan_searches": Page({"GET": "viewer"}),
    "plan_search_start": Page({"POST": "admin"}),
    "plan_search": Page({"GET": "viewer"}, ("shop", 1)),
    "plan_search_act": Page({"POST": "admin"}, ("shop", 1, "cancel")),
    "plan_search_keep": Page({"POST": "admin"}, ("shop", 1, 1)),
    "training_cancel": Page({"POST": "admin"}, ("shop", 1)),
    "training_pause": Page({"POST": "admin"}, ("shop", 1)),
    "training_resume": Page({"POST": "admin"}, ("shop", 1)),
    "model_rollback": Page({"POST": "admin"}),
    "model_promote": Page({"POST": "admin"}, ("shop", 1)),
    "model_discard": Page({"POST": "admin"}, ("shop", 1)),
    # the team
    "team": Page({"GET": "lead"}),
    "conflicts": Page({"GET": "lead"}),
    "conflict_settle": Page({"POST": "lead"}, ("shop", "@product")),
    "conflict_again": Page({"POST": "lead"}, ("shop", "@product")),
    "assignment": Page({"GET": "lead", "POST": "lead"}),
    "assignment_add": Page({"POST": "lead"}),
    "assignment_remove": Page({"POST": "lead"}, ("shop", "@rule")),
    "gold": Page({"POST": "lead"}, ("shop", "@product")),
    # review
    "review": Page({"GET": "reviewer"}),
    "review_next": Page({"GET": "reviewer"}),
    "review_card": Page({"GET": "reviewer"}, ask="?product=@product"),
    "review_tags": Page({"GET": "reviewer"}, ask="?facet=@facet&q=b"),
    "review_save": Page({"POST": "reviewer"}, body={"product": "@product"}),
    "review_skip": Page({"POST": "reviewer"}, body={"product": "@product"}),
    "review_flag": Page({"POST": "reviewer"}, body={"product": "@product"}),
    "review_undo": Page({"POST": "reviewer"}),
    "review_redo": Page({"POST": "reviewer"}),
    "review_renew": Page({"POST": "reviewer"}),
    "review_request": Page({"POST": "reviewer"}, body={"product": "@product", "facet": "@facet", "text": "mauve"}),
    "review_unflag": Page({"POST": "lead"}, body={"product": "@product"}),
    "review_comment": Page({"POST": "reviewer"}, body={"product": "@product", "comment": "look"}),
    "review_family": Page({"POST": "reviewer"}, body={"product": "@product", "card": str(EXPORT)}),
    "review_family_save": Page({"POST": "reviewer"}, body={"product": "@product", "card": str(EXPORT)}),
    "fix_list": Page({"GET": "viewer"}),
    "mention": Page({"POST": "viewer"}, ("@mention",)),
    "keys": Page({"GET": "any", "POST": "any"}, ()),
    "grid": Page({"GET": "reviewer"}),
    "grid_tiles": Page({"GET": "reviewer"}, ask="?facet=colour&tag=black"),
    "grid_save": Page({"POST": "reviewer"}, body={"facet": "colour", "tile": "@product"}),
    # the API
    "api:schema": Open("GET HEAD"),
    "api:docs": Open("GET HEAD"),
    "api:nothing": Open("", ("nonsense",)),
    "api:catalogues": Api({"GET": ("", "any"), "POST": ("import", "admin")}, ()),
    "api:catalogue": Api({"GET": ("", "viewer"), "PATCH": ("import", "admin")}),
    "api:products": Api({"GET": ("", "viewer")}),
    "api:products_bulk": Api({"POST": ("import", "lead")}),
    "api:product": Api({"GET": ("", "viewer"), "PATCH": ("import", "lead")}, ("shop", "P-0")),
    "api:imports": Api({"GET": ("", "viewer"), "POST": ("import", "lead")}),
    "api:import": Api(
        {"GET": ("", "viewer"), "PATCH": ("import", "lead"), "DELETE": ("import", "lead")}, ("shop", "@import")
    ),
    "api:import_preview": Api({"GET": ("import", "lead")}, ("shop", "@import")),
    "api:import_try": Api({"POST": ("import", "lead")}, ("shop", "@import")),
    "api:import_start": Api({"POST": ("import", "lead")}, ("shop", "@import")),
    "api:import_cancel": Api({"POST": ("import", "lead")}, ("shop", "@import")),
    "api:import_problems": Api({"GET": ("", "viewer")}, ("shop", "@import")),
    "api:import_problems_file": Api({"GET": ("", "viewer")}, ("shop", "@import")),
    "api:sources": Api({"GET": ("", "viewer")}),
    "api:source": Api({"DELETE": ("import", "lead")}, ("shop", "@source")),
    "api:bulk_runs": Api({"GET": ("import", "lead"), "POST": ("import", "lead")}),
    "api:bulk_preview": Api({"POST": ("import", "lead")}),
    "api:bulk_run": Api({"GET": ("import", "lead")}, ("shop", "@run")),
    "api:bulk_cancel": Api({"POST": ("import", "lead")}, ("shop", "@run")),
    "api:bulk_undo": Api({"POST": ("import", "lead")}, ("shop", "@run")),
    "api:facets": Api({"GET": ("", "viewer"), "POST": ("import", "lead")}),
    "api:facet": Api({"GET": ("", "viewer"), "PATCH": ("import", "lead")}, ("shop", "colour")),
    "api:facet_retire": Api({"POST": ("import", "lead")}, ("shop", "colour")),
    "api:facet_restore": Api({"POST": ("import", "lead")}, ("shop", "colour")),
    "api:tags": Api({"GET": ("", "viewer"), "POST": ("import", "lead")}),
    "api:tag": Api({"GET": ("", "viewer"), "PATCH": ("import", "lead")}, TAG),
    "api:tag_rename": Api({"POST": ("import", "lead")}, TAG),
    "api:tag_move": Api({"POST": ("import", "lead")}, TAG),
    "api:tag_merge": Api({"POST": ("import", "lead")}, TAG),
    "api:tag_retire": Api({"POST": ("import", "lead")}, TAG),
    "api:tag_restore": Api({"POST": ("import", "lead")}, TAG),
    "api:tag_split": Api({"POST": ("import", "lead")}, TAG),
    "api:tags_find": Api({"GET": ("", "viewer")}),
    "api:revisions": Api({"GET": ("", "viewer")}),
    "api:revision_undo": Api({"POST": ("import", "lead")}, ("shop", 900)),
    "api:review_next": Api({"GET": ("review", "reviewer")}),
    "api:decisions": Api({"POST": ("review", "reviewer")}),
    "api:decisions_undo": Api({"POST": ("review", "reviewer")}),
    "api:decisions_redo": Api({"POST": ("review", "reviewer")}),
    "api:conflicts": Api({"GET": ("review", "lead")}),
    "api:conflicts_settle": Api({"POST": ("review", "lead")}),
    "api:conflicts_again": Api({"POST": ("review", "lead")}),
    "api:changes": Api({"GET": ("export", "viewer")}),
    "api:exports": Api({"POST": ("export", "viewer")}),
    "api:export": Api({"GET": ("export", "viewer")}, ("shop", EXPORT)),
    "api:export_download": Api({"GET": ("export", "viewer")}, ("shop", EXPORT)),
    "api:runs": Api({"GET": ("", "viewer"), "POST": ("train", "admin")}),
    "api:run": Api({"GET": ("", "viewer")}, ("shop", 1)),
    "api:run_cancel": Api({"POST": ("train", "admin")}, ("shop", 1)),
    "api:plan_searches": Api({"GET": ("", "viewer"), "POST": ("train", "admin")}),
    "api:plan_search": Api({"GET": ("", "viewer")}, ("shop", 1)),
    "api:plan_search_fields": Api({"GET": ("", "viewer")}),
    "api:plan_search_act": Api({"POST": ("train", "admin")}, ("shop", 1, "cancel")),
    "api:plan_presets": Api({"GET": ("", "viewer"), "POST": ("train", "admin")}),
    "api:run_pause": Api({"POST": ("train", "admin")}, ("shop", 1)),
    "api:run_resume": Api({"POST": ("train", "admin")}, ("shop", 1)),
    "api:models": Api({"GET": ("", "viewer")}),
    "api:model_promote": Api({"POST": ("train", "admin")}, ("shop", 1)),
    "api:model_rollback": Api({"POST": ("train", "admin")}, ("shop", 1)),
    "api:models_rollback": Api({"POST": ("train", "admin")}),
    "api:language_model": Api({"GET": ("", "lead"), "PATCH": ("train", "admin"), "DELETE": ("train", "admin")}),
    "api:language_model_runs": Api({"GET": ("", "lead"), "POST": ("train", "lead")}),
    "api:suggest": Api({"POST": ("review import", "reviewer")}),
    "api:job": Api({"GET": ("", "viewer")}, (JOB,)),
}


def patterns(resolver: URLResolver | None = None, space: str = "") -> list[str]:
    """The name of every route there is."""
    found = []
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            found += patterns(entry, f"{entry.namespace}:" if entry.namespace else space)
        else:
            assert isinstance(entry, URLPattern)
            assert entry.name, f"{entry.pattern} has no name, so no row can say who may come in"
            found.append(space + entry.name)
    return found


def test_every_route_has_a_row():
    there = patterns()
    assert len(there) == len(set(there)), "two routes of one name"
    assert sorted(set(there) - set(ROUTES)) == [], "new routes: say in ROUTES who may come in"
    assert sorted(set(ROUTES) - set(there)) == [], "rows without a route"


# -- the house with somebody in each role ------------------------------------------------------------------------
@dataclass
class House:
    world: World
    clients: dict[str, Client]
    secrets: dict[str, str]
    tokens: dict[str, ApiToken]
    ids: dict[str, int]
    mentions: dict[str, int]

    def address(self, name: str, row: Open | Page | Api, who: str) -> str:
        if name == "api:nothing":
            return "/api/v1/nonsense"
        return reverse(name, args=[self.known(arg, who) for arg in row.args]) + self.known(getattr(row, "ask", ""), who)

    def known(self, text: Any, who: str) -> Any:
        """``@product`` and the like as primary keys; ``@token``, ``@filter`` and ``@mention`` are one's own."""
        if not isinstance(text, str) or "@" not in text:
            return text
        own = {
            "token": self.tokens.get(who, self.tokens["admin"]).pk,
            "filter": self.ids.get(f"filter of {who}", self.ids["filter of admin"]),
            "mention": self.mentions.get(who, 0),
        }
        for name, pk in {**self.ids, **own}.items():
            text = text.replace(f"@{name}", str(pk))
        return text


@pytest.fixture
def house(db, settings, tmp_path):
    """Few tests with a loop each rather than one per route, since the house takes longer to build than to walk."""
    settings.EXPORTS_ROOT, settings.MEDIA_ROOT, settings.MODELS_ROOT = tmp_path / "exports", tmp_path, tmp_path
    return build_house(tmp_path)


def build_house(folder: Path) -> House:
    world = build_world()
    world.people["stranger"] = User.objects.create_user(username="stranger", password="a long enough phrase")
    (folder / "a.png").write_bytes(b"png")
    Picture.objects.create(sha256=SHA, file="a.png", thumbnail="a.png", width=1, height=1)
    world.products[0].pictures = [SHA]
    world.products[0].save()
    world.decide(world.products[0], black="accept")
    batch = ExportBatch.objects.create(pk=EXPORT, catalogue=world.catalogue, format="jsonl", as_of=1)
    write_export(batch=batch, progress=lambda done, total: None)
    request_training(catalogue=world.catalogue, user=None)
    start_search(catalogue=world.catalogue, user=None, plan={}, rules={"space": {"epochs": [2, 3]}, "method": "grid"})
    Job.objects.create(pk=JOB, kind="export", queue="io", catalogue=world.catalogue)
    LanguageModel.objects.create(catalogue=world.catalogue, endpoint="http://127.0.0.1:1/v1", name="tiny")
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "bundle.json").write_text("{}")
    ModelVersion.objects.create(catalogue=world.catalogue, number=1, tier="full", path="model")
    clients, secrets, tokens = {"anonymous": Client()}, {"anonymous": "", "wrong": "ts_wrong"}, {}
    for who in ("stranger", *ROLES):
        clients[who] = Client()
        clients[who].force_login(world.people[who])
        made = create_token(user=world.people[who], scopes=ApiToken.SCOPES)
        secrets[who], tokens[who] = made.secret, made.token
    for scope in ApiToken.SCOPES:
        secrets[f"admin:{scope}"] = create_token(user=world.people["admin"], scopes=[scope]).secret
    for client in clients.values():
        client.raise_request_exception = False
    TaxonomyRevision.objects.create(catalogue=world.catalogue, number=900, word="tag edited", user=world.people["lead"])
    upload = ImportBatch.objects.create(catalogue=world.catalogue, file_name="x.csv")
    request = TagRequest.objects.create(facet=world.facets["colour"], text="mauve", user=world.people["reviewer"])
    ids = {
        "product": world.products[0].pk, "viewer": world.people["viewer"].pk, "lead": world.people["lead"].pk, "facet": world.facets["colour"].pk,
        "tag": world.tags["black"].pk, "import": upload.pk, "request": request.pk,
        "draft": Draft.objects.create(
            catalogue=world.catalogue, product=world.products[0], kind="title", language="en", text="x"
        ).pk,
        "declined": DeclinedProposal.objects.create(catalogue=world.catalogue, digest="x", text="x").pk,
        "starter": ImportBatch.objects.create(catalogue=world.catalogue, file_name="x.json", kind="starter", dry_run=True).pk,
        "shared": Boilerplate.objects.create(catalogue=world.catalogue, text="x", digest="x").pk,
        "proposal": FamilyProposal.objects.create(catalogue=world.catalogue, kind="family", digest="x", similarity=1).pk,
        "source": ImportSource.objects.create(catalogue=world.catalogue, name="x").pk,
        "rule": AssignmentRule.objects.create(catalogue=world.catalogue, reviewer=world.people["second"]).pk,
        "alert": DriftAlert.objects.create(catalogue=world.catalogue, kind="words", now=1.0, p=0.01, families=20).pk,
        "run": BulkRun.objects.create(catalogue=world.catalogue, user=world.people["lead"], kind="flag").pk,
    }  # fmt: skip
    for who in ROLES:
        view = SavedFilter.objects.create(
            catalogue=world.catalogue, user=world.people[who], name="x", query={"search": "x"}
        )
        ids[f"filter of {who}"] = view.pk
    SecondStep.objects.create(user=world.people["lead"], sealed_secret="x")
    comment = Comment.objects.create(catalogue=world.catalogue, product=world.products[0], user=world.people["lead"])
    mentions = {who: Mention.objects.create(comment=comment, user=world.people[who]).pk for who in ("stranger", *ROLES)}
    return House(world, clients, secrets, tokens, ids, mentions)


def ask(client: Client, method: str, where: str, body: Any = None, secret: str | None = None) -> Any:
    """One request whose traces are wiped, so that each meets the same house."""
    headers = {"Authorization": f"Token {secret}"} if secret else {}
    content = {"content_type": "application/json"} if secret is not None else {}
    data = (body if body is not None else {}) if method in ("POST", "PUT", "PATCH") else None
    if secret is None and method in ("PUT", "PATCH"):
        data = None
    with transaction.atomic():
        answer = client.generic(method, where, headers=headers) if data is None else getattr(client, method.lower())(
            where, data, headers=headers, **content
        )  # fmt: skip
        if hasattr(answer, "streaming_content"):
            answer.body = b"".join(answer.streaming_content)
        else:
            answer.body = answer.content
        transaction.set_rollback(True)
    return answer


def every_answer(answer: Any, what: str) -> None:
    """Promises that no answer is excused from."""
    assert answer.status_code < 500 or answer.status_code == 503, what
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy, what
    assert "unsafe" not in policy, what
    assert answer["X-Content-Type-Options"] == "nosniff", what
    assert answer["X-Frame-Options"] == "DENY", what
    assert answer["Referrer-Policy"] == "same-origin", what
    assert answer["X-Request-ID"], what
    if answer.get("Content-Type", "").startswith("text/html"):
        assert inline(answer.body.decode()) == [], what


class _Inline(HTMLParser):
    """Collects what a content security policy without 'unsafe-inline' would block, and what comes from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        data = given.get("type") == "application/json"  # no browser runs it
        if tag == "style" or (tag == "script" and "src" not in given and not data):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on", "hx-vars")):
                self.found.append(f"<{tag} {name}=...>")
            if (value or "").strip().lower().startswith("javascript:"):
                self.found.append(f"<{tag} {name}=javascript:>")
            outside = (value or "").lower().startswith(("http:", "https:", "//"))
            if outside and (name == "src" or (tag == "link" and name == "href")):
                self.found.append(f"<{tag} {name}={value}>")


def inline(html: str) -> list[str]:
    parser = _Inline()
    parser.feed(html)
    return parser.found


def test_the_control_inline_things_are_found():
    bad = '<p style="color:red" onclick=x()><script>1</script><style></style><a href="javascript:x()"><script src="//cdn/x">'
    assert len(inline(bad)) == 6
    assert inline('<script type="application/json">{}</script>') == []
    assert inline('<script src="/static/x.js"></script><a href="https://example.org" class="on">') == []


def enough(role: str, least: str) -> bool:
    return least == "any" or (role in ROLES and least in ROLES and ROLES.index(role) >= ROLES.index(least))


def is_login(answer: Any) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith("/login/")


PAGES = {name: row for name, row in ROUTES.items() if isinstance(row, Page)}
APIS = {name: row for name, row in ROUTES.items() if isinstance(row, Api)}
PARTS = 2  # for two cores
SAMPLE = ("anonymous", "viewer", "admin")  # of those who try methods that a route does not have
OPEN = {name: row for name, row in ROUTES.items() if isinstance(row, Open)}


def tries(row: Page | Api, people: Iterable[str]) -> list[tuple[str, str]]:
    there = {*row.needs, *(["HEAD"] if "GET" in row.needs else [])}
    return [(who, method) for who in people for method in METHODS if method in there or who in SAMPLE]


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_open_routes(house, part):
    for name in list(OPEN)[part::PARTS]:
        walk_open_routes(house, name)


def walk_open_routes(house, name):
    row = OPEN[name]
    for who, client in house.clients.items():
        for method in METHODS:
            answer = ask(client, method, house.address(name, row, who))
            what = f"{method} {name} as {who}: {answer.status_code}"
            every_answer(answer, what)
            if name == "api:nothing":
                assert answer.status_code == 401, what
            elif method in row.methods.split():
                assert answer.status_code in LET_IN | row.also, what
            else:
                assert answer.status_code == 405, what


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_pages(house, part):
    for name in list(PAGES)[part::PARTS]:
        walk_pages(house, name)


def walk_pages(house, name):
    row = PAGES[name]
    for who, method in tries(row, house.clients):
        client = house.clients[who]
        body = {key: house.known(value, who) for key, value in row.body.items()}
        answer = ask(client, method, house.address(name, row, who), body)
        what = f"{method} {name} as {who}: {answer.status_code} {answer.body[:200]!r}"
        every_answer(answer, what)
        least = row.needs.get("GET" if method == "HEAD" else method)
        if who == "anonymous":
            assert is_login(answer) or answer.status_code in (401, 405), what
            assert least is None or answer.status_code != 405, what
        elif least is None:
            assert answer.status_code in (403, 404, 405), what
            assert who != "admin" or answer.status_code == 405, what
        elif least == "own token" or enough(who, least):
            assert answer.status_code in LET_IN and not is_login(answer), what
        elif who == "stranger":
            assert answer.status_code == (403 if row.args == () else 404), what
        else:
            assert answer.status_code == 403, what


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_api(house, part):
    for name in list(APIS)[part::PARTS]:
        walk_api(house, name)


def walk_api(house, name):
    row = APIS[name]
    for who, method in tries(row, house.secrets):
        person, _colon, only = who.partition(":")
        secret = house.secrets[who]
        answer = ask(Client(raise_request_exception=False), method, house.address(name, row, who), secret=secret)
        what = f"{method} {name} as {who}: {answer.status_code} {answer.body[:200]!r}"
        every_answer(answer, what)
        if answer.status_code >= 400:
            assert method == "HEAD" or answer["Content-Type"] == "application/problem+json", what
        scopes, least = row.needs.get("GET" if method == "HEAD" else method, (None, ""))
        if method == "OPTIONS":
            assert answer.status_code in (401, 405), what
        elif person in ("anonymous", "wrong"):
            assert answer.status_code == 401, what
        elif scopes is None:
            assert answer.status_code == 405, what
        elif only and scopes and only not in scopes.split():
            assert answer.status_code == 403, what
        elif enough(person, least):
            assert answer.status_code in LET_IN, what
        elif person == "stranger":
            assert answer.status_code == (403 if row.args == () else 404), what
        else:
            assert answer.status_code == 403, what


def test_forms_need_their_token(house):
    """Another site's form has the visitor's cookie and not the token: 403 before anything happens."""
    client = Client(enforce_csrf_checks=True)
    client.cookies = house.clients["admin"].cookies
    for name in (name for name, row in PAGES.items() if "POST" in row.needs):
        assert client.post(house.address(name, PAGES[name], "admin"), {}).status_code == 403, name


@pytest.mark.long
def test_another_catalogue_is_nowhere(house):
    """An admin of one catalogue asks for another's things under both names: 404, as if there were nothing."""
    other = User.objects.create_user(username="other", password="a long enough phrase")
    create_catalogue(slug="other", user=other)
    secret = create_token(user=other, scopes=ApiToken.SCOPES).secret
    client = Client(raise_request_exception=False)
    client.force_login(other)
    for name, row in {**PAGES, **APIS}.items():
        if "shop" not in row.args:
            continue
        given = secret if isinstance(row, Api) else None
        for method in row.needs:
            where = house.address(name, row, "admin")
            assert ask(client, method, where, secret=given).status_code == 404, (method, where)
            mine = where.replace("/shop/", "/other/")
            if any(not isinstance(arg, Word) for arg in row.args[1:]):  # something of the first below the second's name
                answer = ask(client, method, mine, secret=given)
                assert answer.status_code in (404, 422), (method, mine, answer.status_code)
