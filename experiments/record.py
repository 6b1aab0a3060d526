"""What the experiments share: running one stage, and keeping its figures."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from wsss_lib.core import Method
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.engine import Stage, run
from wsss_lib.evaluate import Evaluation, Protocol, choose_threshold
from wsss_lib.results import write_result


class Record:
    """Figures by name, one entry per seed."""

    def __init__(self) -> None:
        self.runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.curves: dict[str, list[np.ndarray]] = defaultdict(list)

    def note(self, name: str, stage: Stage, evaluation: Evaluation, **more: float) -> None:
        """Keep the figures of a stage; ``more`` holds the seeds and what else was measured."""
        cost = {"seconds": stage.seconds, "peak_memory_mb": stage.peak_memory_mb}
        self.runs[name].append({**more, **evaluation.figures(), **cost})
        self.curves[name].append(evaluation.curve)

    @classmethod
    def joined(cls, parts: Iterable[Self]) -> Self:
        """The figures of several records, in their order."""
        whole = cls()
        for part in parts:
            for name in part.runs:
                whole.runs[name] += part.runs[name]
                whole.curves[name] += part.curves[name]
        return whole

    def gains(self, name: str, over: str) -> dict[str, float]:
        """Paired difference in mean IoU of two names, run by run."""
        pairs = zip(self.runs[name], self.runs[over], strict=True)
        gains = np.array([run["miou"] - base["miou"] for run, base in pairs])
        return {
            "mean": float(gains.mean()),
            "sd": float(gains.std(ddof=1)) if len(gains) > 1 else 0.0,
            "smallest": float(gains.min()),
            "n": len(gains),
        }

    def write(self, out: Path, name: str, protocol: Protocol, **extra: Any) -> None:
        """Store the figures of a name."""
        path = out / f"{name}.json"
        write_result(path, name, protocol, self.runs[name], self.curves[name], **extra)


@dataclass(frozen=True)
class Bench:
    """Where stages are run one at a time.

    Attributes:
        view: what they may see.
        held_out: where each threshold is chosen; None if there is none to choose.
        folder: checkpoints and scores.
        seed: of their training.
    """

    view: WeakView
    held_out: SegmentationFolder | None
    folder: Path
    seed: int

    def run(self, method: Method, scores: Any = None) -> Stage:
        """One stage, on the scores of another if there are any."""
        held_out = self.held_out
        return run(
            [method],
            self.view if scores is None else self.view.with_scores(scores),
            folder=self.folder,
            seed=self.seed,
            calibrate=(lambda found: choose_threshold(found, held_out))
            if held_out is not None
            else None,
        )[0]
