"""The verbs of facets and of tags under one name, for the doors."""

from annotations.actions.facets import add_facet, edit_facet, move_facet, restore_facet, retire_facet
from annotations.actions.tags import (
    add_tag,
    edit_tag,
    indent_tag,
    move_tag,
    outdent_tag,
    rename_tag,
    restore_tag,
    retire_tag,
    step_tag,
)

__all__ = [
    "add_facet", "add_tag", "edit_facet", "edit_tag", "indent_tag", "move_facet", "move_tag", "outdent_tag", "rename_tag",
    "restore_facet", "restore_tag", "retire_facet", "retire_tag", "step_tag",
]  # fmt: skip
