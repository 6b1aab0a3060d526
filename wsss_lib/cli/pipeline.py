"""``wsss run``: systems in a row, their labels, their figures, one report."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm.auto import tqdm

from wsss_lib.cli.build import build, find
from wsss_lib.core import Card, InputError, Method, Recipe
from wsss_lib.data.atomic import folder_written_whole, is_first_process, one_at_a_time
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.parts import (
    check_held_out,
    check_scored,
    divided,
    open_split,
    other_split,
    part_scored,
    sizes,
    with_masks,
)
from wsss_lib.data.store import LabelStore, ScoreStore
from wsss_lib.data.view import WeakView
from wsss_lib.engine import Stage, answer
from wsss_lib.engine import run as run_stages
from wsss_lib.engine.processes import readers
from wsss_lib.evaluate import Evaluation, Protocol, choose_threshold, evaluate, evaluate_labels
from wsss_lib.report import Row, write_report
from wsss_lib.results import write_result

FIXED = 0.3
"""Threshold of score maps where neither masks nor ``--threshold`` are given."""
ARGMAX = 0.5
"""Where a segmentation network's strongest class beats its background."""
LOOKS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Sizes at which the network of a recipe looks at new images, and at their mirror images."""
LONGEST, PAPER_LONGEST = 320, 500
"""Longest side of photographs in pixels, where ``--longest`` is not given; that of PASCAL VOC for
recipes of papers."""
BIG = 2048
"""Images up to this longest side in pixels are taken as they are by ``--net toy`` and recipes."""
SHOWN = 8
DRY_IMAGES, DRY_LONGEST = 8, 64
DRY: dict[str, Any] = {"steps": 2, "accumulate": 1, "crop": DRY_LONGEST}
"""What is left of a recipe in a dry run, beside two images, or a group, at a time."""
DRY_SETTINGS = {"grid": 4, "passes": 2, "climbs": 1, "shrinks": 1, "drawn": 4, "kept": 4, "zoom": 8}
"""Repetitions of SAM (points a side), FickleNet, AdvCAM, BBAM, and what DEXTR sees: minutes."""


@dataclass(frozen=True)
class Plan:
    """What ``wsss run`` was asked for; see its options."""

    systems: tuple[str, ...]
    data: Path
    out: Path
    split: str = "train"
    seed: int = 0
    net: str = "auto"
    weights: str | None = None
    longest: int | None = None
    steps: int | None = None
    threshold: float | None = None
    cpu: bool = False
    dry: bool = False
    workers: int | None = None
    factor: float = 1.0
    at_once: int | None = None
    precision: Literal["no", "fp16", "bf16"] | None = None


@dataclass(frozen=True)
class Outcome:
    """A finished stage.

    Attributes:
        name: of its folder.
        card: what was run.
        labels: what its scores say at its threshold.
        lines: protocol and figures, once for each split that was scored.
        curve: mean IoU at thresholds 0, 0.01, ..., 1; None without masks.
    """

    name: str
    card: Card
    labels: LabelStore
    lines: list[tuple[Protocol, dict[str, Any]]]
    curve: np.ndarray | None


@dataclass(frozen=True)
class _Scene:
    """The data of a run; without ``held_out`` images, the threshold is fixed."""

    plan: Plan
    train: SegmentationFolder
    held_out: SegmentationFolder | None
    scored: SegmentationFolder | None
    other: SegmentationFolder | None
    sizes: set[tuple[int, int]]
    longest: int | None
    supervision: tuple[str, ...]


def run_plan(plan: Plan, say: Callable[[str], None] = lambda text: None) -> list[Outcome]:
    """Run systems one after the other and write labels, figures and the report.

    Args:
        plan: what to run, on what, where to.
        say: gets one line about each decision that was taken for the user.

    Returns:
        One entry per stage; none in the further processes of a launcher, which only compute.

    Raises:
        InputError: systems, data or settings that do not fit together.
    """
    kinds = find(plan.systems)
    if plan.out.is_file():
        raise InputError(f"--out {plan.out} is a file; name a folder.")
    scene = _open(plan, kinds)
    plan = scene.plan
    methods = [
        build(
            kind, scene.train.classes, plan.net, plan.weights, plan.seed,
            len(scene.sizes) == 1,
        )
        for kind in kinds
    ]  # fmt: skip
    for method in methods:
        if plan.dry:
            _shorten(method)
        if method.recipe.steps:
            method.recipe = _adapted(method.recipe, plan)
    for part in (scene.scored, scene.other):
        if part is not None:
            check_scored(part)
    for line in _remarks(scene):
        say(line)
    workers = readers(plan.cpu) if plan.workers is None else plan.workers
    stages = run_stages(
        methods,
        WeakView(scene.train, scene.supervision, longest=scene.longest),
        folder=plan.out / "work",
        seed=plan.seed,
        calibrate=_calibrate(scene, [method.card for method in methods]),
        workers=workers,
        cpu=plan.cpu,
    )
    blind = [_alone(scene, stage, workers) for stage in stages]
    if not is_first_process():
        return []
    parts = zip(_names(plan.systems), stages, blind, strict=True)
    outcomes = [_outcome(scene, *part) for part in parts]
    _report(scene, outcomes)
    return outcomes


def _adapted(recipe: Recipe, plan: Plan) -> Recipe:
    """A recipe with what the user wants otherwise."""
    if not plan.dry:
        recipe = replace(recipe, steps=plan.steps or max(1, round(recipe.steps * plan.factor)))
    if plan.precision:
        recipe = replace(recipe, precision=plan.precision)
    if plan.at_once:
        size, most = recipe.batch_size, max(plan.at_once, recipe.group)
        groups = size // recipe.group
        parts = next(n for n in range(1, groups + 1) if groups % n == 0 and size // n <= most)
        recipe = replace(recipe, batch_size=size // parts, accumulate=recipe.accumulate * parts)
    return recipe


def _shorten(method: Method) -> None:
    """Leave of a method what a dry run needs."""
    if method.recipe.steps:
        method.recipe = replace(method.recipe, batch_size=max(2, method.recipe.group), **DRY)
    for part in method.modules():
        for name in DRY_SETTINGS.keys() & vars(part).keys():
            setattr(part, name, DRY_SETTINGS[name])


def _open(plan: Plan, kinds: list) -> _Scene:
    train = open_split(plan.data, plan.split)
    other = other_split(train)
    if plan.dry:
        train = train.subset(train.ids[:DRY_IMAGES])
        other = other and other.subset(other.ids[:DRY_IMAGES])
    held_out, scored = divided(train) if plan.threshold is None else (None, with_masks(train))
    if plan.net == "auto":
        plan = replace(plan, net="toy" if train.name == "toy" else "efficientnet_lite0")
    wanted = {kind for method in kinds for kind in method.card.supervision} - {"masks"}
    found = sizes(train)
    as_it_is = plan.net in ("toy", "paper") and max(map(max, found)) <= BIG
    usual = PAPER_LONGEST if plan.net == "paper" else LONGEST
    longest = plan.longest or (None if as_it_is else usual)
    if plan.dry:
        longest = DRY_LONGEST
    return _Scene(
        plan, train, held_out, scored, other, found, longest,
        tuple(sorted({"tags", *wanted})),
    )  # fmt: skip


def _remarks(scene: _Scene) -> Iterator[str]:
    plan, train = scene.plan, scene.train
    yield f"{len(train)} images of {train.name}, split {train.split}: {', '.join(train.classes)}"
    endings = Counter(train.image_path(id).suffix.lower() for id in train.ids)
    if len(endings) > 1:
        kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))
        yield f"Their files are of several kinds: {kinds}."
    if plan.net == "toy" and train.name != "toy":
        yield (
            "The toy network has only seen drawings. For photographs, leave --net out, or add "
            "--net resnet50."
        )
    if scene.longest != plan.longest and max(map(max, scene.sizes)) > BIG and not plan.dry:
        yield (
            f"Images of up to {max(map(max, scene.sizes))} pixels a side are looked at with a "
            f"longest side of {scene.longest}, and labelled in full size; --longest sets another."
        )
    common = [
        name
        for name, share in zip(
            train.classes, torch.stack([train.tags(id) for id in train.ids]).mean(0), strict=True
        )
        if share == 1
    ]
    if common:
        yield (
            f"Every image is labelled {', '.join(common)}: a classifier cannot learn where "
            f"{common[0]} is without images that lack it."
        )
    if scene.held_out is not None:
        yield (
            f"Thresholds are chosen on the masks of {len(scene.held_out)} images that are not "
            "scored."
        )
        unseen = check_held_out(scene.held_out)
        if unseen:
            yield f"None of them shows {', '.join(unseen)}, so these have no say in it."
    else:
        yield (
            f"The threshold of score maps is fixed at {_fixed(plan):.2f}"
            + (
                "."
                if plan.threshold is not None
                else f" ({ARGMAX} for those with a background of their own); --threshold sets "
                "another."
            )
        )


def _fixed(plan: Plan) -> float:
    return FIXED if plan.threshold is None else round(plan.threshold, 2)


def _calibrate(scene: _Scene, cards: list[Card]) -> Callable[[ScoreStore], float]:
    """The engine asks once after each stage, in order."""
    waiting = iter(cards)
    border = _fixed(scene.plan)

    def choose(scores: ScoreStore) -> float:
        nonlocal border
        card = next(waiting)
        if card.is_network or (card.own_background and scene.plan.threshold is None):
            border = ARGMAX  # also of a refiner behind it, which has no background of its own
        if scene.held_out is not None and not card.is_network:
            return choose_threshold(scores, scene.held_out)
        return border

    return choose


def _names(systems: tuple[str, ...]) -> list[str]:
    """Folder names: the systems' ids, numbered where one is run twice."""
    return [
        system
        if system not in systems[:place]
        else f"{system}_{systems[: place + 1].count(system)}"
        for place, system in enumerate(systems)
    ]


def _alone(scene: _Scene, stage: Stage, workers: int) -> LabelStore | None:
    """What a network says of the other split's images, of which it is told nothing."""
    other, plan = scene.other, scene.plan
    if not stage.method.card.is_network or other is None:
        return None
    labels = LabelStore(stage.folder / "val", ARGMAX, other)
    view = WeakView(other, (), longest=scene.longest)
    answer(stage.method, view, labels, workers=workers, cpu=plan.cpu, **_looks(plan))
    return labels


def _looks(plan: Plan) -> dict[str, Any]:
    """How often a network looks at a new image: as papers do, where it has the size of a paper."""
    as_papers = plan.net == "paper"
    return {"scales": LOOKS if as_papers else (1.0,), "flip": as_papers}


def _outcome(scene: _Scene, name: str, stage: Stage, blind: LabelStore | None) -> Outcome:
    """Write the labels and the figures of a stage."""
    card, folder = stage.method.card, scene.plan.out / name
    threshold = ARGMAX if stage.threshold is None else stage.threshold
    labels = _write_label_images(scene.train, stage.scores, threshold, folder / "labels")
    cost = {"seconds": stage.seconds, "peak_memory_mb": stage.peak_memory_mb}
    lines: list[tuple[Protocol, dict[str, Any]]] = []
    curve = None

    def note(
        split: str, with_labels: bool, measured: Evaluation | None, file: str, **how: Any
    ) -> None:
        protocol = _protocol(scene, card, split, with_labels)
        figures = {"seed": scene.plan.seed, "threshold": threshold}
        figures |= {**(measured.figures() if measured else {}), **cost}
        curves = [measured.curve] if measured else []
        write_result(
            folder / file, name, protocol, [figures], curves, classes=scene.train.classes,
            chain=scene.plan.systems, net=scene.plan.net, stage=stage.folder.name, **how,
        )  # fmt: skip
        lines.append((protocol, figures))

    part = scene.train.split or "all"
    if scene.scored is None:
        note(part, True, None, "result.json")
    else:
        measured = evaluate(stage.scores, scene.scored, threshold)
        curve = measured.curve
        if scene.held_out is not None:
            part = part_scored(part, scene.held_out, scene.scored)
        note(part, True, measured, "result.json")
    if blind is not None and scene.other is not None:
        seen = folder / "labels_val"
        with one_at_a_time(seen), folder_written_whole(seen) as partial:
            shutil.copytree(blind.folder, partial, dirs_exist_ok=True)
        measured = evaluate_labels(blind.__getitem__, scene.other)
        note("val", False, measured, "result_val.json", **_looks(scene.plan))
    return Outcome(name, card, labels, lines, curve)


def _protocol(scene: _Scene, card: Card, split: str, with_labels: bool) -> Protocol:
    needs, rule = card.needs, "fixed"
    if scene.held_out is not None:
        needs = (*needs, f"masks of {len(scene.held_out)} training images, for the threshold")
        rule = "held-out"
    if scene.plan.net != "toy" and scene.plan.weights != "random":
        needs = (*needs, "ImageNet")
    return Protocol(
        data=scene.train.name,
        split=split,
        labels_at_inference=with_labels,
        threshold_rule="argmax" if card.is_network else rule,
        supervision=scene.supervision,
        needs=needs,
        data_version=str(scene.train.about.get("version", "")),
    )


def _write_label_images(
    dataset: SegmentationFolder, scores: ScoreStore, threshold: float, folder: Path
) -> LabelStore:
    """All label images of a stage; the folder appears whole, without those of an earlier run."""
    with one_at_a_time(folder), folder_written_whole(folder) as partial:
        labels = LabelStore(partial, threshold, dataset)
        for id in tqdm(dataset.ids, desc="labels", leave=False):
            labels.put(id, scores[id])
    return LabelStore(folder, threshold, dataset)


def _report(scene: _Scene, outcomes: list[Outcome]) -> None:
    plan, train = scene.plan, scene.train
    pool = (scene.scored or train).ids
    places = np.linspace(0, len(pool) - 1, min(SHOWN, len(pool))).round().astype(int)
    ids = [pool[place] for place in places]
    write_report(
        plan.out / "report.html",
        title=" → ".join(plan.systems),
        facts={
            "data": f"{train.name}, split {train.split}, {len(train)} images",
            "folder": str(plan.data),
            "network": plan.net,
            "seed": str(plan.seed),
            "steps": str(plan.steps or "as in the recipes"),
        },
        dataset=train,
        ids=ids,
        rows=[
            Row(outcome.name, protocol, figures)
            for outcome in outcomes
            for protocol, figures in outcome.lines
        ],
        curves={o.name: o.curve for o in outcomes if o.curve is not None},
        labels={outcome.name: outcome.labels for outcome in outcomes},
    )
