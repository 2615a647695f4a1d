"""Bytes to rows and problems; rows to bytes.

In:   :func:`read_products` and :func:`preview` (any table), :func:`read_tags` (tag lists), ``pictures`` (zip or folder).
Out:  ``WRITERS`` by format name.

No ORM, no settings, nothing of Django: limits come in as a frozen dataclass, errors go out as values.
"""
