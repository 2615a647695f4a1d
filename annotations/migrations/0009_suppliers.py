"""Products that are there already get the supplier that their row names."""

from django.db import migrations

from annotations.formats.checks import supplier_of

AT_ONCE = 500


def fill(apps, schema_editor):
    products = apps.get_model("annotations", "Product").objects.only("pk", "attributes", "extra", "supplier")
    last = 0
    while rows := list(products.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        last = rows[-1].pk
        named = []
        for row in rows:
            row.supplier = supplier_of(row.attributes, row.extra)
            if row.supplier:
                named.append(row)
        products.bulk_update(named, ["supplier"])


class Migration(migrations.Migration):
    dependencies = [("annotations", "0008_upkeep")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
