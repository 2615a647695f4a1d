"""How a training run ends early. No torch, so that whoever supervises one can name them."""


class TrainingError(RuntimeError):
    """Training cannot start or go on; the message says why and what to change."""


class Stopped(Exception):
    """Somebody asked for the end. What had been computed by then is in a checkpoint."""
