"""The word lists of ``ml.safety`` for those who may not import it."""

from __future__ import annotations

from ml.safety.personal import find as personal
from ml.safety.starter import ALLOWED, STARTER
from ml.safety.words import Hit, WordList, name_of

__all__ = ["ALLOWED", "STARTER", "Hit", "WordList", "name_of", "personal"]
