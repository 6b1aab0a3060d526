"""Training, answering and chaining: the only loops of the library."""

from wsss_lib.engine.chain import Stage, run
from wsss_lib.engine.inference import answer, infer, same_size_batches
from wsss_lib.engine.optimise import make_optimizer, schedule, seed_everything
from wsss_lib.engine.training import Fitted, fit

__all__ = [
    "Fitted", "Stage", "answer", "fit", "infer", "make_optimizer", "run", "same_size_batches",
    "schedule", "seed_everything",
]  # fmt: skip
