"""Where each address of the API leads. What is not here is a problem+json 404 for those who hold a token, else a 401."""

from django.urls import path, re_path, register_converter
from django.urls.converters import PathConverter, StringConverter

from annotations.api import (
    catalogues,
    changes,
    conflicts,
    docs,
    exports,
    jobs,
    products,
    review,
    suggest,
    taxonomy,
    training,
)
from annotations.api.base import Nothing


class IdConverter(PathConverter):
    """An id of the shop's own: anything, slashes too, but no control characters, which no database should be asked for."""

    regex = r"[^\x00-\x1f\x7f]+"


class NameConverter(StringConverter):
    """A slug in any script."""

    regex = r"[^/\x00-\x1f\x7f]+"


register_converter(IdConverter, "shop_id")
register_converter(NameConverter, "name")

app_name = "api"
CATALOGUE = "catalogues/<slug:slug>/"
TAG = CATALOGUE + "tags/<name:facet>/<name:tag>/"
urlpatterns = [
    path("schema/", docs.Schema.as_view(), name="schema"),
    path("docs/", docs.docs, name="docs"),
    path("catalogues/", catalogues.Catalogues.as_view(), name="catalogues"),
    path(CATALOGUE, catalogues.OneCatalogue.as_view(), name="catalogue"),
    path(CATALOGUE + "products/", products.Products.as_view(), name="products"),
    path(CATALOGUE + "products/bulk/", products.Bulk.as_view(), name="products_bulk"),
    path(CATALOGUE + "products/<shop_id:external_id>/", products.OneProduct.as_view(), name="product"),
    path(CATALOGUE + "facets/", taxonomy.Facets.as_view(), name="facets"),
    path(CATALOGUE + "facets/<name:facet>/", taxonomy.OneFacet.as_view(), name="facet"),
    path(CATALOGUE + "facets/<name:facet>/retire/", taxonomy.RetireFacet.as_view(), name="facet_retire"),
    path(CATALOGUE + "tags/", taxonomy.Tags.as_view(), name="tags"),
    path(CATALOGUE + "tags/find/", taxonomy.FindTags.as_view(), name="tags_find"),
    path(CATALOGUE + "taxonomy/revisions/", taxonomy.Revisions.as_view(), name="revisions"),
    path(CATALOGUE + "taxonomy/revisions/<int:number>/undo/", taxonomy.UndoRevision.as_view(), name="revision_undo"),
    path(TAG, taxonomy.OneTag.as_view(), name="tag"),
    path(TAG + "rename/", taxonomy.RenameTag.as_view(), name="tag_rename"),
    path(TAG + "move/", taxonomy.MoveTag.as_view(), name="tag_move"),
    path(TAG + "merge/", taxonomy.MergeTag.as_view(), name="tag_merge"),
    path(TAG + "split/", taxonomy.SplitTag.as_view(), name="tag_split"),
    path(TAG + "retire/", taxonomy.RetireTag.as_view(), name="tag_retire"),
    path(CATALOGUE + "review/next/", review.Next.as_view(), name="review_next"),
    path(CATALOGUE + "decisions/", review.Decisions.as_view(), name="decisions"),
    path(CATALOGUE + "decisions/undo/", review.Undo.as_view(), name="decisions_undo"),
    path(CATALOGUE + "decisions/redo/", review.Redo.as_view(), name="decisions_redo"),
    path(CATALOGUE + "conflicts/", conflicts.Conflicts.as_view(), name="conflicts"),
    path(CATALOGUE + "conflicts/settle/", conflicts.Settle.as_view(), name="conflicts_settle"),
    path(CATALOGUE + "conflicts/again/", conflicts.AskAgain.as_view(), name="conflicts_again"),
    path(CATALOGUE + "changes/", changes.Changes.as_view(), name="changes"),
    path(CATALOGUE + "exports/", exports.Exports.as_view(), name="exports"),
    path(CATALOGUE + "exports/<uuid:id>/", exports.OneExport.as_view(), name="export"),
    path(CATALOGUE + "exports/<uuid:id>/download/", exports.Download.as_view(), name="export_download"),
    path(CATALOGUE + "suggest/", suggest.Suggest.as_view(), name="suggest"),
    path(CATALOGUE + "training-runs/", training.TrainingRuns.as_view(), name="runs"),
    path(CATALOGUE + "training-runs/<int:id>/", training.OneRun.as_view(), name="run"),
    path(CATALOGUE + "training-runs/<int:id>/cancel/", training.CancelRun.as_view(), name="run_cancel"),
    path(CATALOGUE + "models/", training.Models.as_view(), name="models"),
    path(CATALOGUE + "models/<int:id>/promote/", training.Promote.as_view(), name="model_promote"),
    path(CATALOGUE + "models/<int:id>/rollback/", training.Rollback.as_view(), name="model_rollback"),
    path(CATALOGUE + "models/rollback/", training.RollbackPresent.as_view(), name="models_rollback"),
    path("jobs/<uuid:id>/", jobs.OneJob.as_view(), name="job"),
    re_path(r"^.*", Nothing.as_view(), name="nothing"),
]
