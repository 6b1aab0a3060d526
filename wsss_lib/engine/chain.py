"""The only way in which stages chain."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss_lib.core import InputError, Method, Recipe
from wsss_lib.data.atomic import is_first_process, written_whole
from wsss_lib.data.store import ScoreStore
from wsss_lib.data.view import WeakView
from wsss_lib.engine.fingerprint import describe, fingerprint, what_is_seen
from wsss_lib.engine.inference import infer
from wsss_lib.engine.processes import accelerator_for, made_once, share_of
from wsss_lib.engine.training import Fitted, fit


@dataclass(frozen=True)
class Stage:
    """A finished stage of ``run``.

    Attributes:
        method: the trained method.
        scores: what it said of each image.
        threshold: where ``calibrate`` puts the border between background and classes.
        fitted: how its training went.
        seconds: training and prediction together, runs before a resume included.
        peak_memory_mb: the most memory that training took, runs before a resume included.
        folder: where checkpoint and scores lie.
    """

    method: Method
    scores: ScoreStore
    threshold: float | None
    fitted: Fitted
    seconds: float
    peak_memory_mb: float
    folder: Path


def run(
    stages: Sequence[Method],
    view: WeakView,
    *,
    folder: Path | str,
    seed: int = 0,
    calibrate: Callable[[ScoreStore], float] | None = None,
    workers: int = 0,
    cpu: bool = False,
) -> list[Stage]:
    """Fit a stage, keep its scores, hand them to the next.

    Each stage has a folder of its own, named after everything that decides its result: the
    method's class, settings and initial weights, its recipe, the seed, the content of all files
    that the view shows (``wsss_lib.data.files.checksums`` says what is guaranteed) and the stages
    before it. Running again after an interruption goes on where it stopped; running with other
    settings or data starts elsewhere. A method's code is not looked at: after editing it, name
    another folder. Of two processes that want the same stage, one waits for the other.

    Args:
        stages: methods in order; the first needs no scores unless the view has some.
        view: what they may see.
        folder: where checkpoints and scores go.
        seed: passed to ``fit``.
        calibrate: scores -> threshold; its choice is kept with each stage and becomes the
            threshold of a following method that has none.
        workers: processes that read images.
        cpu: stay on the CPU even where a GPU is present.

    Returns:
        One entry per stage.

    Raises:
        InputError: before anything is trained, labels that cannot be used, a method for another
            number of classes, or one that needs a threshold which nobody chooses; then whatever
            ``fit`` and ``infer`` refuse.
    """
    accelerator = accelerator_for(Recipe(), cpu)
    view.check()
    for number, method in enumerate(stages):
        _check_method(method, view, chosen=number == 0 or calibrate is not None)
        if method.recipe.steps:  # who cannot be trained says so before hours are spent on others
            share_of(method, method.recipe, accelerator)
    results: list[Stage] = []
    key = fingerprint(**what_is_seen(view))
    for number, method in enumerate(stages):
        if results:
            view = view.with_scores(results[-1].scores)
            if method.threshold is None:
                method.threshold = results[-1].threshold
        key = fingerprint(before=key, seed=seed, method=describe(method))
        where = Path(folder) / f"{number}_{method.card.id}_{key}"
        with made_once(where, accelerator):
            for left in [*where.glob("*.partial"), *where.glob("scores/*.partial")]:
                left.unlink(missing_ok=True)  # of a process that was killed
            fitted = fit(method, view, seed=seed, folder=where, workers=workers, cpu=cpu)
            scores = ScoreStore(where / "scores", len(view.classes), made_by=where.name)
            answered = all(id in scores for id in view.ids)
            start = time.perf_counter()
            infer(method, view, scores.folder, workers=workers, cpu=cpu)
            now = 0.0 if answered else time.perf_counter() - start
            predicting, peak = _remember_cost(where / "cost.json", now, fitted.peak_memory_mb)
        threshold = calibrate(scores) if calibrate else None
        if threshold is not None and not 0 <= threshold <= 1:
            raise InputError(f"calibrate chose the threshold {threshold}, outside [0, 1].")
        seconds = fitted.seconds + predicting
        results.append(Stage(method, scores, threshold, fitted, seconds, peak, where))
    return results


def _check_method(method: Method, view: WeakView, chosen: bool) -> None:
    """Refuse what would fail only after the stages before it have been trained."""
    count = getattr(method, "num_classes", len(view.classes))
    if count != len(view.classes):
        raise InputError(
            f"{method.card.id} was made for {count} classes, and {view.name} has "
            f"{len(view.classes)} ({', '.join(view.classes[:5])}, ...): make it for these."
        )
    if method.threshold is None and not chosen:
        raise InputError(
            f"{method.card.id} cuts the scores of the stage before it at a threshold that nobody "
            "chooses: pass calibrate=..., such as lambda scores: choose_threshold(scores, held_out)"
            ", or give it a threshold."
        )


def _remember_cost(path: Path, predicting: float, peak_mb: float) -> tuple[float, float]:
    """Seconds of prediction and peak memory, over all runs of a stage."""
    if path.is_file():
        earlier = json.loads(path.read_text())
        predicting += earlier["predicting"]
        peak_mb = max(peak_mb, earlier["peak_memory_mb"])
    if not is_first_process():
        return predicting, peak_mb
    with written_whole(path) as partial:
        partial.write_text(json.dumps({"predicting": predicting, "peak_memory_mb": peak_mb}))
    return predicting, peak_mb
