"""Triggers that make history append-only, on SQLite and PostgreSQL. What is decided is taken back by a new row.

One column may change: a decision's ``model_version_id`` becomes NULL when an old model's row is removed.
"""

from django.db import migrations

TABLES = {"annotations_decision": True, "annotations_change": False, "annotations_auditevent": False}


def sqlite(table, forgets_model):
    columns = "" if not forgets_model else " OF id, catalogue_id, product_id, facet_id, tag_id, verdict, undoes_id, reason, reviewer_id, role, taxonomy_revision, score_shown, evidence_shown, source, blind, shown_at, decided_at, input, batch, product_version, seq"
    yield (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE{columns} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
    yield (
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def postgresql(table, forgets_model):
    yield (
        "CREATE OR REPLACE FUNCTION annotations_append_only() RETURNS trigger AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$ LANGUAGE plpgsql"
    )
    when = ""
    if forgets_model:
        when = "WHEN (to_jsonb(OLD) - 'model_version_id' IS DISTINCT FROM to_jsonb(NEW) - 'model_version_id') "
    yield (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW {when}"
        "EXECUTE FUNCTION annotations_append_only()"
    )
    yield (
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW "
        "EXECUTE FUNCTION annotations_append_only()"
    )
    yield (
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
        "EXECUTE FUNCTION annotations_append_only()"
    )


def install(apps, schema_editor):
    make = {"sqlite": sqlite, "postgresql": postgresql}[schema_editor.connection.vendor]
    for table, forgets_model in TABLES.items():
        for statement in make(table, forgets_model):
            schema_editor.execute(statement, params=None)


def remove(apps, schema_editor):
    on = "" if schema_editor.connection.vendor == "sqlite" else " ON {table}"
    for table in TABLES:
        for verb in ("update", "delete", "truncate"):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}{on.format(table=table)}")


class Migration(migrations.Migration):
    dependencies = [("annotations", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
