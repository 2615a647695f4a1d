"""Where each address of the API leads. What is not here is a problem+json 404 for those who hold a token, else a 401."""

from django.urls import path, re_path, register_converter
from django.urls.converters import PathConverter, StringConverter

from annotations.api import (
    bulk,
    catalogues,
    changes,
    conflicts,
    docs,
    exports,
    facets,
    imports,
    jobs,
    language_model,
    products,
    review,
    searches,
    suggest,
    tags,
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
    path(CATALOGUE + "imports/", imports.Imports.as_view(), name="imports"),
    path(CATALOGUE + "imports/<int:id>/", imports.OneImport.as_view(), name="import"),
    path(CATALOGUE + "imports/<int:id>/preview/", imports.PreviewImport.as_view(), name="import_preview"),
    path(CATALOGUE + "imports/<int:id>/try/", imports.TryIt.as_view(), name="import_try"),
    path(CATALOGUE + "imports/<int:id>/start/", imports.StartIt.as_view(), name="import_start"),
    path(CATALOGUE + "imports/<int:id>/cancel/", imports.CancelImport.as_view(), name="import_cancel"),
    path(CATALOGUE + "imports/<int:id>/problems/", imports.ImportProblems.as_view(), name="import_problems"),
    path(CATALOGUE + "imports/<int:id>/problems.csv", imports.ProblemsFile.as_view(), name="import_problems_file"),
    path(CATALOGUE + "sources/", imports.Sources.as_view(), name="sources"),
    path(CATALOGUE + "sources/<int:id>/", imports.OneSource.as_view(), name="source"),
    path(CATALOGUE + "bulk/", bulk.BulkRuns.as_view(), name="bulk_runs"),
    path(CATALOGUE + "bulk/preview/", bulk.ForeseeBulk.as_view(), name="bulk_preview"),
    path(CATALOGUE + "bulk/<int:id>/", bulk.OneBulkRun.as_view(), name="bulk_run"),
    path(CATALOGUE + "bulk/<int:id>/cancel/", bulk.CancelBulkRun.as_view(), name="bulk_cancel"),
    path(CATALOGUE + "bulk/<int:id>/undo/", bulk.UndoBulkRun.as_view(), name="bulk_undo"),
    path(CATALOGUE + "facets/", facets.Facets.as_view(), name="facets"),
    path(CATALOGUE + "facets/<name:facet>/", facets.OneFacet.as_view(), name="facet"),
    path(CATALOGUE + "facets/<name:facet>/retire/", facets.RetireFacet.as_view(), name="facet_retire"),
    path(CATALOGUE + "facets/<name:facet>/restore/", facets.RestoreFacet.as_view(), name="facet_restore"),
    path(CATALOGUE + "tags/", tags.Tags.as_view(), name="tags"),
    path(CATALOGUE + "tags/find/", tags.FindTags.as_view(), name="tags_find"),
    path(CATALOGUE + "taxonomy/revisions/", taxonomy.Revisions.as_view(), name="revisions"),
    path(CATALOGUE + "taxonomy/revisions/<int:number>/undo/", taxonomy.UndoRevision.as_view(), name="revision_undo"),
    path(TAG, tags.OneTag.as_view(), name="tag"),
    path(TAG + "rename/", tags.RenameTag.as_view(), name="tag_rename"),
    path(TAG + "move/", tags.MoveTag.as_view(), name="tag_move"),
    path(TAG + "merge/", tags.MergeTag.as_view(), name="tag_merge"),
    path(TAG + "split/", tags.SplitTag.as_view(), name="tag_split"),
    path(TAG + "retire/", tags.RetireTag.as_view(), name="tag_retire"),
    path(TAG + "restore/", tags.RestoreTag.as_view(), name="tag_restore"),
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
    path(CATALOGUE + "training-runs/<int:id>/pause/", training.PauseRun.as_view(), name="run_pause"),
    path(CATALOGUE + "training-runs/<int:id>/resume/", training.ResumeRun.as_view(), name="run_resume"),
    path(CATALOGUE + "plan-searches/", searches.Searches.as_view(), name="plan_searches"),
    path(CATALOGUE + "plan-searches/fields/", searches.SearchFields.as_view(), name="plan_search_fields"),
    path(CATALOGUE + "plan-searches/<int:id>/", searches.OneSearch.as_view(), name="plan_search"),
    path(CATALOGUE + "plan-searches/<int:id>/<slug:act>/", searches.ActOnSearch.as_view(), name="plan_search_act"),
    path(CATALOGUE + "plan-presets/", searches.Presets.as_view(), name="plan_presets"),
    path(CATALOGUE + "models/", training.Models.as_view(), name="models"),
    path(CATALOGUE + "models/<int:id>/promote/", training.Promote.as_view(), name="model_promote"),
    path(CATALOGUE + "models/<int:id>/rollback/", training.Rollback.as_view(), name="model_rollback"),
    path(CATALOGUE + "models/rollback/", training.RollbackPresent.as_view(), name="models_rollback"),
    path(CATALOGUE + "language-model/", language_model.TheModel.as_view(), name="language_model"),
    path(CATALOGUE + "language-model/runs/", language_model.Runs.as_view(), name="language_model_runs"),
    path("jobs/<uuid:id>/", jobs.OneJob.as_view(), name="job"),
    re_path(r"^.*", Nothing.as_view(), name="nothing"),
]
