"""Where each page leads. One section per noun; every page of a catalogue lives below ``c/<slug>/``.

The header's tabs are the routes named ``review``, ``products``, ``taxonomy``, ``training`` and ``exports``, each with
``slug`` alone; a tab whose route is not here is not shown.
"""

from django.urls import URLPattern, URLResolver, path

from annotations.views import (
    accounts,
    bulk,
    catalogues,
    comments,
    exports,
    family,
    fix_list,
    grid,
    home,
    imports,
    jobs,
    keys,
    media,
    models,
    products,
    review,
    review_tags,
    taxonomy,
    taxonomy_rules,
    training,
)

urlpatterns: list[URLPattern | URLResolver] = [
    # home and the reader's own settings
    path("", home.home, name="home"),
    path("language/", home.set_language, name="set_language"),
    # one's account
    path("login/", accounts.login, name="login"),
    path("logout/", accounts.logout, name="logout"),
    path("password/", accounts.password, name="password"),
    path("tokens/", accounts.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke/", accounts.revoke_token, name="revoke_token"),
    # catalogues and members
    path("catalogues/new/", catalogues.new, name="catalogue_new"),
    path("c/<slug:slug>/settings/", catalogues.settings, name="catalogue_settings"),
    path("c/<slug:slug>/members/", catalogues.add_member, name="add_member"),
    path("c/<slug:slug>/members/<int:pk>/", catalogues.change_member, name="change_member"),
    path("c/<slug:slug>/members/<int:pk>/remove/", catalogues.remove_member, name="remove_member"),
    # products
    path("c/<slug:slug>/products/", products.products, name="products"),
    path("c/<slug:slug>/products/<int:pk>/", products.product, name="product"),
    path("c/<slug:slug>/products/bulk/", bulk.ask, name="bulk"),
    path("c/<slug:slug>/products/bulk/runs/", bulk.runs, name="bulk_runs"),
    path("c/<slug:slug>/products/bulk/runs/<int:pk>/", bulk.one, name="bulk_run"),
    path("c/<slug:slug>/products/bulk/runs/<int:pk>/undo/", bulk.undo, name="bulk_undo"),
    path("c/<slug:slug>/products/filters/", products.keep_filter, name="filter_keep"),
    path("c/<slug:slug>/products/filters/<int:pk>/drop/", products.drop_filter, name="filter_drop"),
    # imports
    path("c/<slug:slug>/imports/", imports.imports, name="imports"),
    path("c/<slug:slug>/imports/receive/", imports.receive, name="import_receive"),
    path("c/<slug:slug>/imports/<int:pk>/", imports.one, name="import"),
    path("c/<slug:slug>/imports/<int:pk>/go/", imports.go, name="import_go"),
    path("c/<slug:slug>/imports/<int:pk>/discard/", imports.discard, name="import_discard"),
    path("c/<slug:slug>/imports/<int:pk>/problems.csv", imports.problems, name="import_problems"),
    # taxonomy
    path("c/<slug:slug>/taxonomy/", taxonomy.taxonomy_page, name="taxonomy"),
    path("c/<slug:slug>/taxonomy/rules/", taxonomy_rules.broken_rules, name="taxonomy_rules"),
    path("c/<slug:slug>/taxonomy/from-attributes/", taxonomy.from_attributes, name="taxonomy_from_attributes"),
    path("c/<slug:slug>/taxonomy/facets/add/", taxonomy.add_facet, name="facet_add"),
    path("c/<slug:slug>/taxonomy/facets/<int:pk>/", taxonomy.facet, name="facet"),
    path("c/<slug:slug>/taxonomy/facets/<int:pk>/edit/", taxonomy.edit_facet, name="facet_edit"),
    path("c/<slug:slug>/taxonomy/facets/<int:pk>/retire/", taxonomy.retire_facet, name="facet_retire"),
    path("c/<slug:slug>/taxonomy/facets/<int:pk>/tags/", taxonomy.add_tag, name="tag_add"),
    path("c/<slug:slug>/taxonomy/tags/<int:pk>/", taxonomy.tag, name="tag"),
    path("c/<slug:slug>/taxonomy/tags/<int:pk>/edit/", taxonomy.edit_tag, name="tag_edit"),
    path("c/<slug:slug>/taxonomy/tags/<int:pk>/retire/", taxonomy.retire_tag, name="tag_retire"),
    path("c/<slug:slug>/taxonomy/tags/<int:pk>/merge/", taxonomy.merge_tag, name="tag_merge"),
    path("c/<slug:slug>/taxonomy/requests/<int:pk>/", taxonomy.answer_request, name="tag_request"),
    # exports
    path("c/<slug:slug>/exports/", exports.exports, name="exports"),
    path("c/<slug:slug>/exports/<uuid:pk>/", exports.download, name="export_download"),
    # jobs
    path("jobs/<uuid:pk>/", jobs.job, name="job"),
    path("jobs/<uuid:pk>/cancel/", jobs.cancel, name="job_cancel"),
    # pictures
    path("media/<str:size>/<int:product>/<str:sha256>", media.picture, name="picture"),
    # review
    path("c/<slug:slug>/review/", review.review, name="review"),
    path("c/<slug:slug>/review/next/", review.next_cards, name="review_next"),
    path("c/<slug:slug>/review/card/", review.one_card, name="review_card"),
    path("c/<slug:slug>/review/tags/", review_tags.tags, name="review_tags"),
    path("c/<slug:slug>/review/save/", review.save, name="review_save"),
    path("c/<slug:slug>/review/skip/", review.skip, name="review_skip"),
    path("c/<slug:slug>/review/flag/", review.flag, name="review_flag"),
    path("c/<slug:slug>/review/undo/", review.undo, name="review_undo"),
    path("c/<slug:slug>/review/redo/", review.redo, name="review_redo"),
    path("c/<slug:slug>/review/renew/", review.renew, name="review_renew"),
    path("c/<slug:slug>/review/request/", review_tags.request_tag, name="review_request"),
    path("c/<slug:slug>/review/unflag/", review.unflag, name="review_unflag"),
    path("c/<slug:slug>/review/comment/", comments.comment, name="review_comment"),
    path("c/<slug:slug>/review/family/", family.family, name="review_family"),
    path("c/<slug:slug>/review/family/save/", family.family_save, name="review_family_save"),
    path("c/<slug:slug>/fix-list/", fix_list.fix_list, name="fix_list"),
    path("mentions/<int:pk>/", comments.mention, name="mention"),
    path("keys/", keys.keys, name="keys"),
    path("c/<slug:slug>/grid/", grid.grid, name="grid"),
    path("c/<slug:slug>/grid/tiles/", grid.tiles, name="grid_tiles"),
    path("c/<slug:slug>/grid/save/", grid.save, name="grid_save"),
    # training
    path("c/<slug:slug>/training/", training.training, name="training"),
    path("c/<slug:slug>/training/start/", training.start, name="training_start"),
    path("c/<slug:slug>/training/<int:number>/", training.training, name="training_run"),
    path("c/<slug:slug>/training/<int:number>/live/", training.live, name="training_live"),
    path("c/<slug:slug>/training/<int:number>/cancel/", training.cancel, name="training_cancel"),
    path("c/<slug:slug>/training/schedule/", training.set_schedule, name="training_schedule"),
    path("c/<slug:slug>/training/gate/", training.set_gate, name="training_gate"),
    path("c/<slug:slug>/models/upload/", models.upload, name="model_upload"),
    path("c/<slug:slug>/models/<int:number>/", models.model, name="model"),
    path("c/<slug:slug>/models/<int:number>/download/", models.download, name="model_download"),
    path("c/<slug:slug>/models/rollback/", training.rollback, name="model_rollback"),
    path("c/<slug:slug>/models/<int:number>/promote/", training.promote, name="model_promote"),
    path("c/<slug:slug>/models/<int:number>/discard/", training.discard, name="model_discard"),
]
