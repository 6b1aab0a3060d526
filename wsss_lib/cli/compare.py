"""Label images and stored scores against masks."""

from pathlib import Path

import torch

from wsss_lib.core import InputError
from wsss_lib.data.files.names import LABELS, Files, check_names
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels
from wsss_lib.data.parts import SMALLEST, divided, open_split, part_scored, with_masks
from wsss_lib.data.store import ScoreStore
from wsss_lib.evaluate import Evaluation, Protocol, choose_threshold, evaluate, evaluate_labels
from wsss_lib.results import write_result


def compare(
    what: Path, data: Path, split: str | None, threshold: float | None, save: Path | None
) -> tuple[Evaluation, Protocol, int]:
    """Score a folder of label PNGs or of stored scores; also returns the number of images.

    Raises:
        InputError: nothing to compare, or not all of the split's images are there.
    """
    dataset = with_masks(open_split(data, split))
    if dataset is None:
        where = f"split {split!r} in {data}" if split else str(data)
        raise InputError(f"No image of {where} has a mask: nothing to compare.")
    folder = next(
        (where for where in (what, what / "labels", what / "scores") if _kind(where)), what
    )
    rule, part = "argmax", dataset.split or "all"
    if _kind(folder) == ".safetensors":
        store = ScoreStore(folder, len(dataset.classes))
        _check_all_there({*store}, dataset, folder)
        rule, scored = "fixed", dataset
        if threshold is None:
            held_out, rest = divided(dataset)
            if held_out is None or rest is None:
                raise InputError(
                    f"{len(dataset)} images with masks are too few to hold some out for the choice "
                    f"of a threshold (from {SMALLEST} on): pass --threshold."
                )
            threshold, scored, rule = choose_threshold(store, held_out), rest, "held-out"
            part = part_scored(part, held_out, rest)
        evaluation, count = evaluate(store, scored, threshold), len(scored)
    elif _kind(folder):
        files = Files(folder, LABELS)
        check_names(folder, files.ids, dataset.pictures)
        _check_all_there({*files.ids}, dataset, folder)

        def labels(id: str) -> torch.Tensor:
            indices = read_labels(files.path(id), len(dataset.classes), dataset.colours)
            return torch.from_numpy(indices).long()

        evaluation, count = evaluate_labels(labels, dataset), len(dataset)
    else:
        raise InputError(f"{what} holds neither label images (.png) nor scores (.safetensors).")
    about = str(dataset.about.get("version", ""))
    # Nobody can tell from the files how they were made.
    protocol = Protocol(dataset.name, part, True, rule, ("unknown",), ("unknown",), about)
    if save:
        runs = [{**evaluation.figures(), "images": count}]
        write_result(save, what.name, protocol, runs, [evaluation.curve], classes=dataset.classes)
    return evaluation, protocol, count


def _kind(folder: Path) -> str:
    """Ending of the files that can be compared, "" where there are none."""
    if any(folder.glob("*.safetensors")):
        return ".safetensors"
    return ".png" if Files(folder, LABELS).ids else ""


def _check_all_there(found: set[str], dataset: SegmentationFolder, folder: Path) -> None:
    missing = [id for id in dataset.ids if id not in found]
    if missing:
        of = "" if dataset.split == "all" else f" of split {dataset.split!r}"
        raise InputError(
            f"{folder} lacks {len(missing)} of the {len(dataset)} images{of} that have masks, such "
            f"as {missing[:3]}. Is it of another --split?"
        )
