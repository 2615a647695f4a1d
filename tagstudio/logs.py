"""Log lines for people (dev) and for machines (prod: one JSON object a line), with secrets masked in both."""

from __future__ import annotations

import json
import logging
import re

SECRET = re.compile(
    r"(?i)(authorization|token|password|secret|cookie)(['\"]?\s*[:=]\s*['\"]?(?:token\s+)?)[^\s'\",;&]+"
)
ADDRESS = re.compile(r"://[^/\s:@]+:[^/\s@]+@")


def mask(text: str) -> str:
    """Masked before anything is cut, so that half a secret never stays."""
    return ADDRESS.sub("://…@", SECRET.sub(r"\1\2…", text))


class LineFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname).1s %(name)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": mask(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = mask(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)
