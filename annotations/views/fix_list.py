"""The list for suppliers: where a reviewer found the source data wrong, on a page and as a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import cast

from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotations.formats.write_csv import safe_cell
from annotations.models import Catalogue, Role
from annotations.queries.fix_list import fixes_of, told
from annotations.views.doors import MemberRequest, catalogue_page

PAGE = 50
COLUMNS = ("supplier", "product_id", "title", "facet", "rejected_tag", "source_says", "decided_by", "decided_at")


@require_safe
@catalogue_page(Role.VIEWER)
def fix_list(request: MemberRequest) -> HttpResponse:
    if request.GET.get("format") == "csv":
        answer = StreamingHttpResponse(_lines(request.catalogue), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="fix-list-{request.catalogue.slug}.csv"'
        return cast(HttpResponse, answer)
    rows = fixes_of(request.catalogue)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    fixes = list(told(rows.filter(pk__in=[row.pk for row in page])))
    return render(request, "products/fix_list.html", {"tab": "products", "page": page, "fixes": fixes})


def _lines(catalogue: Catalogue) -> Iterator[str]:
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer)
    table.writerow(COLUMNS)
    for fix in told(fixes_of(catalogue)):
        cells = (
            fix.supplier, fix.product.external_id, fix.product.title, fix.facet, fix.tag, fix.says, fix.by,
            fix.at.isoformat(),
        )  # fmt: skip
        table.writerow([safe_cell(cell) for cell in cells])
        if buffer.tell() > 1 << 15:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
