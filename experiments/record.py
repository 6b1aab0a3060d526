"""What the experiments share: running one stage, and keeping its figures and maps."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tqdm.auto import tqdm

from experiments.illustrations import ILLUSTRATIONS
from wsss_lib.core import Method
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.engine import Stage, run
from wsss_lib.evaluate import Evaluation, Protocol, choose_threshold
from wsss_lib.gallery import common_ids, image_ious, ranked, write_gallery
from wsss_lib.results import write_result

WEIGHTS = ("cam",)
"""Systems whose trained weights are stored: notebooks ask them instead of training them."""


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


def shared(
    work: Callable[..., None], todo: Mapping[str, tuple[Any, ...]], jobs: int
) -> Iterator[str]:
    """Let processes share work; yields the name of each piece as soon as it is done.

    Args:
        work: does one piece, and writes what it finds.
        todo: by name, what ``work`` is called with.
        jobs: how many processes.

    Raises:
        RuntimeError: pieces failed; all others were done before.
    """
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        at_work = {pool.submit(work, *given): name for name, given in todo.items()}
        failed = []
        for future in tqdm(as_completed(at_work), desc="measured", total=len(at_work)):
            name = at_work[future]
            if error := future.exception():
                failed.append(f"{name}: {error!r}")
                tqdm.write(failed[-1])
            else:
                yield name
    if failed:
        raise RuntimeError("; ".join(failed))


def maps_path(out: Path, name: str) -> Path:
    """Where the maps of a result in ``out`` lie: beside it, in a folder of all maps."""
    return out.parent / "maps" / out.name / f"{name}.npz"


def keep_weights(out: Path, name: str, method: Method) -> None:
    """Store what a method has learned, in half precision, in a folder of all weights.

    Args:
        out: folder of the results.
        name: of the result.
        method: trained.
    """
    learned = {
        key: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for key, value in method.state_dict().items()
    }
    path = out.parent / "weights" / out.name / f"{name}.safetensors"
    with written_whole(path) as partial:
        save_file(learned, partial)


def keep_maps(
    out: Path,
    name: str,
    method: Method,
    scores: Any,
    dataset: SegmentationFolder,
    view: WeakView,
    found: Evaluation,
    floor: tuple[Any, float] | None = None,
    **about: Any,
) -> None:
    """Store the maps of a run beside its figures, and the weights of ``WEIGHTS``.

    What a system shows beside its scores is kept for the images of its largest, median and
    smallest gain over the floor, among those that all systems store; for a floor itself, for all.

    Args:
        out: folder of the results.
        name: of the result.
        method: trained.
        scores: its answers.
        dataset: the split that they are scored on.
        view: what it saw.
        found: its figures.
        floor: scores and threshold of what it must beat.
        about: world and seed.
    """
    extras = {}
    chosen = common_ids(dataset)
    if name in ILLUSTRATIONS:
        if floor is not None:
            own = image_ious(scores, dataset, found.threshold)
            least = image_ious(floor[0], dataset, floor[1])
            gains = {id: own[id] - least[id] for id in chosen}
            chosen = tuple(ranked(gains).values())
        places = {id: place for place, id in enumerate(view.ids)}
        method.cpu().eval()
        with torch.no_grad():  # what inference mode makes could never be climbed by AdvCAM
            for id in chosen:
                extras[id] = ILLUSTRATIONS[name](method, view[places[id]])
    figures = {"system": name, "miou": round(found.miou, 5), **about}
    if name in WEIGHTS:
        keep_weights(out, name, method)
    write_gallery(maps_path(out, name), scores, dataset, found.threshold, figures, extras)
