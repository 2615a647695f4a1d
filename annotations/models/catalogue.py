"""Catalogues, who works in them, their products, and the files they came from."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Concat, Left, Lower
from django.utils.translation import gettext_lazy as _


def default_languages() -> list[str]:
    return ["en"]


def steps_off_at_first() -> list[str]:
    """Cleaning steps that are taken only where somebody asks for them (``formats.cleaning.OFF_AT_FIRST``)."""
    return ["value-entities"]


class Catalogue(models.Model):
    """A set of products that one team tags with one taxonomy.

    ``seq`` is the last sequence number given out. It is raised as the last thing a transaction does before its
    decisions go in, so the row's lock makes sequence order commit order and no reader of the feed can miss a change.
    """

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    languages = models.JSONField(default=default_languages, help_text=_("language codes, the first is the default"))
    seq = models.BigIntegerField(default=0, editable=False)
    taxonomy_revision = models.PositiveIntegerField(default=0, editable=False)
    blind_share = models.FloatField(
        default=0.05,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_("share of products served with nothing checked, for honest measurement"),
    )
    lease_minutes = models.PositiveSmallIntegerField(default=10)
    cleaning_off = models.JSONField(
        default=steps_off_at_first, blank=True, help_text=_("cleaning steps that are switched off")
    )
    reviewers = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(9)],
        help_text=_("how many people decide on a product, each without seeing the others"),
    )
    reviewers_by_queue = models.JSONField(
        default=dict, blank=True, help_text="queue (blind, flagged, second-opinion) to its own number of reviewers"
    )
    gold_share = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(0.5)],
        help_text=_("share of products served whose answer is known, to measure the reviewers"),
    )
    gold_threshold = models.FloatField(
        default=0.8,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_("a reviewer with fewer right answers to gold products than this is shown to the leads"),
    )
    absent_hours = models.PositiveSmallIntegerField(
        default=72, help_text=_("after so long without a decision what is assigned to somebody is open to all")
    )
    encoder = models.ForeignKey(
        "annotations.ModelVersion",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("the promoted full model, under the instant head; none: the packaged encoders"),
    )
    serving = models.ForeignKey(
        "annotations.ModelVersion",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("the instant model that suggests now"),
    )
    gate = models.JSONField(
        default=dict, blank=True, help_text="what a candidate must show to be promoted; empty: queries.gate.Gate's own"
    )
    alerts = models.JSONField(
        default=dict, blank=True, help_text="who is told of drift: emails [..], webhook (an address), secret (it signs)"
    )
    models_kept = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("newest full models whose files are kept besides the one in use and the one before"),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(blind_share__gte=0, blind_share__lte=1), name="blind_share_in_0_1"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def language(self) -> str:
        return self.languages[0] if self.languages else "en"


class Role(models.TextChoices):
    """What a member may do; each role may do all that the ones before it may."""

    VIEWER = "viewer", _("viewer")
    REVIEWER = "reviewer", _("reviewer")
    LEAD = "lead", _("lead")
    ADMIN = "admin", _("admin")

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Membership(models.Model):
    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    filters = models.JSONField(default=dict, blank=True, help_text="the queue that was reviewed last, to begin there")
    from_groups = models.BooleanField(default=False, help_text="given by the identity provider's groups, not by hand")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "user"], name="one_role_per_member")]

    def __str__(self) -> str:
        return f"{self.user} {self.role}"


class Picture(models.Model):
    """A picture as we re-encoded it, named by the sha256 of its bytes; shared by every product that shows it."""

    sha256 = models.CharField(max_length=64, unique=True)
    file = models.CharField(max_length=120, help_text="path below MEDIA_ROOT, made from the sha256")
    thumbnail = models.CharField(max_length=120, blank=True)
    source_sha256 = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="of the bytes as they came, so that they are decoded once"
    )
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.sha256[:12]


class SetAside(models.TextChoices):
    """Why a product is set aside. The first four are checks of an import, ``KEPT`` is a person's no to them."""

    BLANK = "blank", _("nothing in the row")
    PLACEHOLDER = "placeholder", _("placeholder text")
    HEADER = "header", _("a header row")
    SHEET_ERROR = "sheet_error", _("a spreadsheet's error value")
    DUPLICATE = "duplicate", _("a duplicate")
    BY_HAND = "by_hand", _("archived by hand")
    KEPT = "kept", _("kept by hand")


SET_ASIDE_BY_CHECK = (SetAside.BLANK, SetAside.PLACEHOLDER, SetAside.HEADER, SetAside.SHEET_ERROR)
SET_ASIDE_BY_PERSON = (SetAside.DUPLICATE, SetAside.BY_HAND)


class Product(models.Model):
    """Something that is sold. ``external_id`` is the shop's own id and stays the same over imports.

    ``family`` joins the variants of one article. ``supplier`` is the brand or vendor that the row names.
    ``set_aside`` says why an archived product is none of the catalogue's (a junk row, a duplicate), or that a person
    wants it kept whatever a check says. ``attributes`` are the source's claims (facet name to values), kept
    as they came; ``extra`` are the columns that no mapping claimed. ``source_hash`` knows the source's cells again
    before they are cleaned (empty: never), ``row_hash`` tells an unchanged row once it is, ``text_hash`` names the text
    a model reads; ``revision`` counts the changes of the row.
    """

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="products")
    external_id = models.CharField(max_length=200)
    family = models.CharField(max_length=200, blank=True)
    title = models.TextField(blank=True)
    description = models.TextField(blank=True)
    category = models.CharField(max_length=500, blank=True, help_text="a path joined by /")
    language = models.CharField(max_length=16, blank=True)
    supplier = models.CharField(max_length=200, blank=True)
    words = models.GeneratedField(
        expression=Lower(Concat(Left("title", 300), models.Value("\n"), "external_id")),
        output_field=models.CharField(max_length=501),
        db_persist=True,
        help_text="what a search looks in; its index is read from end to end instead of the wide rows",
    )
    set_aside = models.CharField(max_length=12, blank=True, choices=SetAside)
    attributes = models.JSONField(default=dict)
    extra = models.JSONField(default=dict)
    pictures = models.JSONField(default=list, help_text="sha256 of each picture, in order")
    row_hash = models.CharField(max_length=64, blank=True)
    text_hash = models.CharField(max_length=64, blank=True)
    source_hash = models.CharField(max_length=32, blank=True)
    revision = models.PositiveIntegerField(default=1)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "external_id"], name="one_product_per_external_id")]
        indexes = [
            models.Index(fields=["catalogue", "family"]),
            models.Index(fields=["catalogue", "category"]),
            models.Index(fields=["catalogue", "supplier"], name="products_of_supplier"),
            models.Index(fields=["catalogue", "language"], name="products_of_language"),
            models.Index(fields=["catalogue", "words"], name="products_by_words"),
            models.Index(fields=["catalogue"], condition=models.Q(description=""), name="products_without_text"),
            models.Index(fields=["catalogue"], condition=~models.Q(set_aside=""), name="products_set_aside"),
            # few: counted off the whole, so that nobody counts 200,000 live ones one by one
            models.Index(fields=["catalogue"], condition=models.Q(archived_at__isnull=False), name="archived_products"),
        ]

    def __str__(self) -> str:
        return self.external_id


def import_kinds() -> list[tuple[str, object]]:
    return [("products", _("products")), ("tags", _("facets and tags")), ("starter", _("starter taxonomy"))]


def attribute_uses() -> list[tuple[str, object]]:
    return [("source", _("source facts")), ("suggestions", _("suggestions")), ("approved", _("approved tags"))]


class ImportBatch(models.Model):
    """One file (or one push) that was read. Counts are written as the import goes on.

    ``report`` is what a dry run says beside its counts: some of the products that would change, and per facet the
    values that the taxonomy lacks (``actions.import_report``). ``mends`` is the file whose rows this one has mended.
    """

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="import_batches")
    job = models.OneToOneField("annotations.Job", models.SET_NULL, null=True, blank=True, related_name="import_batch")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    kind = models.CharField(max_length=10, default="products", choices=import_kinds)
    file_name = models.CharField(max_length=255)
    stored_file = models.CharField(max_length=255, blank=True, help_text="path below TAGSTUDIO_HOME/uploads")
    pictures_file = models.CharField(max_length=255, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    mapping = models.JSONField(default=dict)
    attributes_as = models.CharField(
        max_length=12,
        default="source",
        choices=attribute_uses,
    )
    source = models.ForeignKey(
        "annotations.ImportSource", models.SET_NULL, null=True, blank=True, related_name="batches"
    )
    mends = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="mended_by")
    report = models.JSONField(default=dict)
    archive_missing = models.BooleanField(default=False)
    dry_run = models.BooleanField(default=False)
    position = models.PositiveIntegerField(
        default=0, help_text="rows and problems of the file that are settled; where an interrupted import goes on"
    )
    rows = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    archived = models.PositiveIntegerField(default=0)
    set_aside = models.PositiveIntegerField(default=0, help_text="rows that a check took for junk")
    problem_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.file_name


class ImportProblem(models.Model):
    """A row or cell that could not be taken as it was: where it is, how it begins, and what to do."""

    batch = models.ForeignKey(ImportBatch, models.CASCADE, related_name="problems")
    file = models.CharField(max_length=255)
    line = models.PositiveIntegerField(default=0, help_text="line of the file, from 1; 0: the file as a whole")
    column = models.CharField(max_length=200, blank=True)
    value = models.CharField(max_length=100, blank=True, help_text="how the offending value begins")
    code = models.CharField(max_length=40)
    message = models.TextField()
    params = models.JSONField(default=dict, help_text="what fills the sentence of this code in another language")
    cells = models.JSONField(
        default=list, help_text="the row by header (of some shops several), to be mended and sent again"
    )
    severity = models.CharField(max_length=8, default="error", choices=[("error", "error"), ("warning", "warning")])

    class Meta:
        indexes = [models.Index(fields=["batch", "line"])]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.code}"
