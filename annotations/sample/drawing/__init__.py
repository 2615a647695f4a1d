"""The sample catalogue's pictures, drawn: ``draw`` makes one, from the line that describes it in ``pictures.jsonl``."""

from annotations.sample.drawing.draw import COLOURS, draw, kinds

__all__ = ["COLOURS", "draw", "kinds"]
