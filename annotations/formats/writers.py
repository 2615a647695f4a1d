"""The formats that approved tags go out in, by the name that commands and pages use."""

from __future__ import annotations

from annotations.formats.exporting import Writer
from annotations.formats.write_csv import write_csv_long, write_csv_wide
from annotations.formats.write_datasets import write_datasets
from annotations.formats.write_jsonl import write_jsonl
from annotations.formats.write_shops import write_google, write_labelstudio, write_shopify
from annotations.formats.write_tables import write_parquet, write_xlsx

WRITERS: dict[str, Writer] = {
    "jsonl": write_jsonl,
    "csv-wide": write_csv_wide,
    "csv-long": write_csv_long,
    "xlsx": write_xlsx,
    "parquet": write_parquet,
    "shopify": write_shopify,
    "google": write_google,
    "labelstudio": write_labelstudio,
    "huggingface": write_datasets,
}

SUFFIXES: dict[str, str] = {
    "jsonl": ".jsonl",
    "csv-wide": ".csv",
    "csv-long": ".csv",
    "xlsx": ".xlsx",
    "parquet": ".parquet",
    "shopify": ".csv",
    "google": ".tsv",
    "labelstudio": ".json",
    "huggingface": ".zip",
}
