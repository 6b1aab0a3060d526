"""Write a toy world to disk in the layout of PASCAL VOC."""

import csv
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.palette import write_labels
from wsss_lib.data.toy.scene import Scene
from wsss_lib.data.toy.variants import VARIANTS, VERSION, Variant

SPLITS = ("train", "val")


def toy_scene(
    world: int, variant: str, split: str, index: int, knobs: Mapping[str, Any] | None = None
) -> Scene:
    """One picture of a world; each has a seed of its own, so any of them can be drawn alone.

    Args:
        world: seed of the world.
        variant: key of ``VARIANTS``.
        split: "train" or "val".
        index: number within the split.
        knobs: fields of the variant's knobs that are turned.

    Raises:
        InputError: there is no such variant, split or knob.
    """
    if variant not in VARIANTS:
        raise InputError(f"no toy world is called {variant!r}; choose one of {list(VARIANTS)}.")
    if split not in SPLITS:
        raise InputError(f"the toy world has no split {split!r}; choose one of {list(SPLITS)}.")
    rng = np.random.default_rng([world, SPLITS.index(split), index])
    chosen = VARIANTS[variant]
    return chosen.draw(rng, chosen.turned(knobs or {}), split)


def write_toy(
    root: str | Path,
    world: int = 0,
    variant: str = "standard",
    train: int = 512,
    val: int = 256,
    progress: bool = True,
    knobs: Mapping[str, Any] | None = None,
) -> Path:
    """Draw a toy world and write it; the same arguments give the same bytes.

    ``JPEGImages`` (lossless PNG), ``SegmentationClass``, ``SegmentationObject``, ``Parts`` (1 head
    cue, 2 body), ``Stuff`` (0 thing or clutter, then the grounds and the sky), ``ImageSets``,
    ``image_labels.csv``, ``captions.csv``, ``classes.txt`` and ``dataset.json``. A world that is
    there already is left alone. The folder appears complete or not at all.

    Args:
        root: folder to make.
        world: seed of the world, not negative.
        variant: "standard" (6 classes on 5 grounds), "cooccurrence" (nearly all boats on water,
            boats with a faint bow), "organs" (grey slices) or "scenes" (grounds and sky are
            classes too; index 0 is clutter, not an unlabelled background).
        train: images for training.
        val: images for validation.
        progress: show a progress bar.
        knobs: fields of the variant's knobs that are turned, such as ``{"clutter": 6}``.

    Returns:
        ``root``.

    Raises:
        InputError: no such variant or knob, a negative number, or ``root`` holds something else.
    """
    root = Path(root)
    if variant not in VARIANTS:
        raise InputError(f"no toy world is called {variant!r}; choose one of {list(VARIANTS)}.")
    if world < 0 or train < 1 or val < 0:
        raise InputError(
            f"write_toy(world={world}, train={train}, val={val}): "
            "world and val must be at least 0 and train at least 1."
        )
    facts = {
        "name": "toy", "version": VERSION, "variant": variant,
        "world": world, "train": train, "val": val, "allows_empty": True,
    }  # fmt: skip
    VARIANTS[variant].turned(knobs or {})
    if knobs:
        facts["knobs"] = json.loads(json.dumps(dict(knobs)))  # as it will be read again
    if _is_there(root, facts):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        _write(unfinished, VARIANTS[variant], facts, progress)
        unfinished.chmod(0o755)
        unfinished.replace(root)
    except OSError:
        if not _is_there(root, facts):  # somebody else may have been faster
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return root


def _is_there(root: Path, facts: dict) -> bool:
    """Whether this very world has been written to ``root``; anything else there is an error."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    note = root / "dataset.json"
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) == facts:
        return True
    raise InputError(f"{root} holds something else: delete it or write to another folder.")


def _write(folder: Path, variant: Variant, facts: dict, progress: bool) -> None:
    """Everything below the folder of a world."""
    folders = ("JPEGImages", "SegmentationClass", "SegmentationObject", "Parts", "Stuff")
    for name in (*folders, "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    jobs = [(split, index) for split in SPLITS for index in range(facts[split])]
    tags, captions = [], []
    for split, index in tqdm(jobs, desc="toy world", unit="image", disable=not progress):
        scene = toy_scene(facts["world"], facts["variant"], split, index, facts.get("knobs"))
        name = f"{split}_{index:04d}"
        Image.fromarray(scene.image).save(folder / "JPEGImages" / f"{name}.png")
        planes = (scene.label, scene.instance, scene.part, scene.stuff)
        for where, plane in zip(folders[1:], planes, strict=True):
            write_labels(folder / where / f"{name}.png", plane)
        seen = np.bincount(scene.label.ravel(), minlength=len(variant.classes) + 1)[1:] > 0
        tags.append([name, *seen.astype(int).tolist()])
        captions.append([name, variant.caption(scene)])
    for split in SPLITS:
        names = [f"{split}_{index:04d}\n" for index in range(facts[split])]
        (folder / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("".join(names))
    _write_csv(folder / "image_labels.csv", [["id", *variant.classes], *tags])
    _write_csv(folder / "captions.csv", [["id", "caption"], *captions])
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in variant.classes))
    (folder / "dataset.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _write_csv(path: Path, rows: list[list]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
