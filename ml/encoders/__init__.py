"""Encoders turn products into vectors. ``base`` says what one is; ``lexical`` and ``onnx`` need no torch."""
