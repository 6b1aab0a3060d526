"""Settings of systems in the toy world: ``python -m experiments.rates``.

A network that is new to the toy world needs a learning rate of its own, and one with six layers
cannot take the last three of twelve. Systems on the toy transformer are trained at several rates in
the world that thresholds come from, which is never reported, and scored at its best threshold;
MCTformer is asked for each of its maps, with class attention averaged over its last 1, 2, ...
layers. AffinityNet is trained once and asked with walks of several lengths, from starts with
several powers of the background; it has a background of its own, and is cut at one half. CLIP-ES,
which is not trained, is asked with softer rivals, before its maps are carried and after, and with
maps that are not rectified. MCIS and EDAM are trained once and asked for each of their two
answers. RCA is trained with a memory that is compared by cosines and by products, GWSM where
boats are rare, with its messages, without its graph dropout and without any message. Saliency maps
are cut at several places. Bbox-Seg, which is not trained, is asked with CRFs of several settings
about a few images. SEC and DSRG, which have a background of their own, are trained with several
weights of the loss that follows the colours, and SEC once with a gradient through the refinement.
Adds to ``results/rates.json``.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor
from tqdm.auto import tqdm

from experiments.contenders import Place, PlainClip, contend
from experiments.doses import RARE, TUNING_WORLD, Dose
from wsss_lib.blocks.maps.class_maps import min_max, resize_like
from wsss_lib.blocks.maps.gradcam import grad_cam
from wsss_lib.core import IGNORE
from wsss_lib.data.atomic import one_at_a_time
from wsss_lib.data.toy import KINDS
from wsss_lib.engine import infer
from wsss_lib.evaluate import confusion_of, evaluate, ious
from wsss_lib.methods.box.bbox_seg import BBoxSeg
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.methods.image_level.affinity.dsrg import DSRG
from wsss_lib.methods.image_level.affinity.gwsm import GWSM
from wsss_lib.methods.image_level.affinity.rca import RCA
from wsss_lib.methods.image_level.affinity.sec import SEC
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.nets.backbones.toy import toy_vit
from wsss_lib.nets.heads.memory import Aggregation
from wsss_lib.results import commit, device_name, write_json
from wsss_lib.survey import find_methods

RATES = (5e-3, 2e-3, 1e-3, 5e-4)
WALKS, POWERS = (16, 32, 64, 128, 256), (4.0, 8.0, 16.0)
SOFTER = (1.0, 0.5, 0.25, 0.1)
"""Shares of CLIP's own temperature."""
WEIGHTS = (1.0, 0.6, 0.4, 0.25, 0.15)
CUTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)
HOLDS = (1.0, 3.0, 10.0, 30.0)
"""Weights of the loss that follows the colours."""
FEW = 1 / 8
"""Share of the images whose masks choose the CRF of Bbox-Seg."""
APPEARANCES = tuple(product((5.0, 10.0, 20.0), (16.0, 32.0, 64.0), (4.0, 8.0)))
"""Weights of the appearance kernel of a CRF, and its widths in pixels and in levels."""
ON_VIT = ("cam_vit", "mctformer", "toco")
RECORD = Path("results/rates.json")


def best(scores: Any, place: Place) -> float:
    """Mean IoU at the best threshold."""
    return float(np.nanmax(evaluate(scores, place.train, boundary=False).curve))


def look_at_rate(name: str, rate: float, place: Place) -> dict[str, Any]:
    """What a system reaches at a rate; of MCTformer, what each of its maps reaches."""
    method = place.make(find_methods().get(name, CAM), backbone=toy_vit())
    method.recipe = replace(method.recipe, lr=rate)
    stage = place.run(method, ("tags",))
    scores = {"scores": stage.scores}
    if name == "mctformer":
        scores = {}
        for answer in ("attention", "fused", "refined"):
            for last in range(1, len(method.backbone.layers) + 1):
                method.answer, method.last = answer, last
                folder = stage.folder / f"{answer}_{last}"
                scores[f"{answer}, {last} layers"] = infer(method, place.view(("tags",)), folder)
    miou = {what: best(one, place) for what, one in scores.items()}
    return {"system": name, "rate": rate, "miou": miou, "seconds": stage.seconds}


def look_at_walks(place: Place) -> dict[str, Any]:
    """What AffinityNet reaches, by the steps of its walk and the power of the background."""
    stage = contend("affinitynet", place)
    method: Any = stage.method
    view = place.view(("tags",)).with_scores(contend("cam", place).scores)
    miou = {}
    for method.walk, method.background in product(WALKS, POWERS):
        name = f"{method.walk} steps, power {method.background:g}"
        scores = infer(method, view, stage.folder / f"walk_{method.walk}_{method.background:g}")
        miou[name] = evaluate(scores, place.train, 0.5, boundary=False).miou
    return {"system": "affinitynet", "threshold": 0.5, "miou": miou, "seconds": stage.seconds}


def signed(method: ClipES, image: Tensor, tags: Tensor) -> Tensor:
    """(B, C, h, w) Grad-CAM of what CLIP-ES asks about, before it is rectified."""
    view = method.clip.look(image)

    def ask(seen: Tensor) -> Tensor:
        return method.judge(view.embed(seen), tags)

    return grad_cam(ask, view.normed, tags) - grad_cam(lambda seen: -ask(seen), view.normed, tags)


def look_at_rivals(place: Place) -> dict[str, Any]:
    """What CLIP-ES reaches with softer rivals, and what rectifying takes from it.

    ``empty`` is the share of maps of present classes that are nowhere positive, ``signed`` the mean
    IoU of maps that are stretched from their minimum to their maximum instead.
    """
    plain, view = contend("clip_logits", place), place.view(("tags",))
    found: dict[str, Any] = {
        "system": "clip_es",
        "miou": {"plain logits": best(plain.scores, place)},
    }
    for share, layers in product(SOFTER, (0, 6)):
        method = place.make(ClipES)
        method.layers = layers
        with torch.no_grad():
            method.clip.model.logit_scale += float(np.log(share))
        folder = plain.folder / f"rivals_{share:g}_{layers}"
        name = f"{'carried' if layers else 'rivals'}, temperature times {share:g}"
        found["miou"][name] = best(infer(method, view, folder), place)
    found["empty"], found["signed"] = {}, {}
    for name, kind in (("plain logits", PlainClip), ("rivals", ClipES)):
        method, scores, peaks = place.make(kind), {}, []
        for number in tqdm(range(len(view)), desc=name, leave=False):
            batch = view[number]
            tags = batch.require("tags", name)
            maps = signed(method, batch.image, tags)
            peaks += maps.amax(dim=(2, 3))[tags > 0].tolist()
            maps = min_max(maps / maps.abs().amax(dim=(2, 3), keepdim=True).clamp(min=1e-12), tags)
            scores[view.ids[number]] = resize_like(maps, batch.image)[0]
        found["empty"][name] = float(np.mean([peak <= 0 for peak in peaks]))
        found["signed"][name] = best(scores, place)
    return {**found, "seconds": plain.seconds}


def look_at_saliency(place: Place) -> dict[str, Any]:
    """The IoU of everything that a saliency map shows, by where the map is cut."""
    start, view = time.perf_counter(), place.view(("saliency",))
    counts = {cut: np.zeros((2, 2), dtype=np.int64) for cut in CUTS}
    for number, id in enumerate(tqdm(view.ids, desc="saliency", leave=False)):
        saliency = view[number].require("saliency", "a cut")[0, 0]
        truth = place.train.mask(id)
        there = torch.where(truth == IGNORE, IGNORE, (truth > 0).long())
        for cut in CUTS:
            counts[cut] += confusion_of(there, (saliency > cut).long(), 1)
    miou = {f"cut at {cut:g}": float(ious(one)[1]) for cut, one in counts.items()}
    return {"system": "saliency", "miou": miou, "seconds": time.perf_counter() - start}


def look_at_background(place: Place) -> dict[str, Any]:
    """What I2CRC reaches, by what 1 - saliency counts against its class maps."""
    stage = contend("i2crc", place)
    method: Any = stage.method
    view, miou = place.view(method.card.supervision), {}
    for method.background in WEIGHTS:
        scores = infer(method, view, stage.folder / f"background_{method.background:g}")
        name = f"1 - saliency times {method.background:g}"
        miou[name] = evaluate(scores, place.train, 0.5, boundary=False).miou
    return {"system": "i2crc", "threshold": 0.5, "miou": miou, "seconds": stage.seconds}


def look_at_crf(place: Place) -> dict[str, Any]:
    """What Bbox-Seg reaches on a few images, by the settings of its CRF."""
    start, data = time.perf_counter(), place.train.held_out(FEW)[0]
    method, view, miou = place.make(BBoxSeg), place.view(("boxes",), data), {}
    for weight, sxy, srgb in tqdm(APPEARANCES, desc="CRF", leave=False):
        method.crf = replace(method.crf, bilateral=weight, sxy=sxy, srgb=srgb)
        scores = {view.ids[n]: method.predict(view[n])[0] for n in range(len(view))}
        name = f"weight {weight:g}, {sxy:g} pixels, {srgb:g} levels"
        miou[name] = evaluate(scores, data, 0.5, boundary=False).miou
    spent = time.perf_counter() - start
    return {
        "system": "bbox_seg", "threshold": 0.5, "images": len(view), "miou": miou, "seconds": spent,
    }  # fmt: skip


class Through(SEC):
    """SEC with a gradient through the refinement."""

    def answers(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """What the network says, and what the colours make of it, both (B, K, h, w)."""
        answer, _ = super().answers(image)
        return answer, self.refine(resize_like(image, answer), answer)


def look_at_colours(place: Place, kind: Any) -> dict[str, Any]:
    """What SEC or DSRG reaches, by the weight of the loss that follows the colours."""
    scores, figures, seconds = contend("cam", place).scores, {}, 0.0
    trials = [(f"weight {weight:g}", kind, weight) for weight in HOLDS]
    if kind is SEC:
        trials.append(("weight 10, with a gradient", Through, 10.0))
    for name, one, weight in trials:
        method = place.make(one)
        method.weight = weight
        stage = place.run(method, ("tags",), scores)
        found = evaluate(stage.scores, place.train, 0.5)
        figures[name] = {key: found.figures()[key] for key in ("miou", "boundary_iou")}
        seconds += stage.seconds
    miou = {name: one["miou"] for name, one in figures.items()}
    edges = {name: one["boundary_iou"] for name, one in figures.items()}
    return {
        "system": kind.card.id, "threshold": 0.5, "miou": miou, "boundary_iou": edges,
        "seconds": seconds,
    }  # fmt: skip


def look_at_answers(place: Place, name: str, answers: tuple[str, ...]) -> dict[str, Any]:
    """What one training of a system reaches, by what it is asked for."""
    stage = contend(name, place)
    method: Any = stage.method
    miou = {}
    for method.answer in answers:
        folder = stage.folder / f"answer_{method.answer}"
        miou[method.answer] = best(infer(method, place.view(("tags",)), folder), place)
    return {"system": name, "miou": miou, "seconds": stage.seconds}


class Products(Aggregation):
    """RCA's memory with products in place of cosines, as its released code has them."""

    def forward(self, features: Tensor, centres: Tensor) -> Tensor:
        """Features (B, D, h, w) and centres (C, k, D) -> (B, D, h, w)."""
        means = centres.flatten(0, 1).to(features)
        alike = torch.einsum("bdhw,kd->bkhw", self.query(features), self.key(means))
        taken = torch.einsum("bkhw,kd->bdhw", alike / len(means), self.value(means))
        return self.mix(torch.cat([features, self.back(taken)], dim=1))


def look_at_memory(place: Place) -> dict[str, Any]:
    """What RCA reaches, by how places are compared with its memory."""
    miou, seconds = {}, 0.0
    for name, kind in (("cosines", Aggregation), ("products", Products)):
        method = place.make(RCA)
        method.heads.aggregate.__class__ = kind
        stage = place.run(method, ("tags",))
        miou[name] = best(stage.scores, place)
        seconds += stage.seconds
    return {"system": "rca", "miou": miou, "seconds": seconds}


def look_at_messages(place: Place) -> dict[str, Any]:
    """What GWSM finds where boats are rare, with and without what goes between its images."""
    rare = Place(place.world, RARE[-1], place.folder)
    scores, seconds = {"CAM in triples": contend("cam_triples", rare).scores}, 0.0
    for name, rounds, rate in (
        ("messages", 3, 0.8),
        ("no graph dropout", 3, 0.0),
        ("no messages", 0, 0.0),
    ):
        method = rare.make(GWSM)
        method.graph.rounds, method.graph.rate = rounds, rate
        stage = rare.run(method, ("tags",))
        scores[name], seconds = stage.scores, seconds + stage.seconds
    found = {name: evaluate(one, rare.train, boundary=False) for name, one in scores.items()}
    boat = 1 + list(KINDS).index("boat")
    return {
        "system": "gwsm",
        "miou": {name: float(np.nanmax(one.curve)) for name, one in found.items()},
        "boat_iou": {
            name: float(ious(one.confusion[np.nanargmax(one.curve)])[boat])
            for name, one in found.items()
        },
        "seconds": seconds,
    }


LOOKS: dict[str, Callable[[Place], dict[str, Any]]] = {
    "affinitynet": look_at_walks,
    "clip_es": look_at_rivals,
    "saliency": look_at_saliency,
    "i2crc": look_at_background,
    "bbox_seg": look_at_crf,
    "mcis": partial(look_at_answers, name="mcis", answers=("alone", "shared")),
    "edam": partial(look_at_answers, name="edam", answers=("strength", "mask")),
    "rca": look_at_memory,
    "gwsm": look_at_messages,
    "sec": partial(look_at_colours, kind=SEC),
    "dsrg": partial(look_at_colours, kind=DSRG),
}
"""Systems whose learning rate is known, and what is turned of each."""


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Systems; none takes all.")] = None,
    rates: Annotated[list[float] | None, typer.Option(help="Learning rates.")] = None,
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
) -> None:
    """Look at every system at every rate, and at all of ``LOOKS``."""
    looks = [
        look
        for name in names or (*ON_VIT, *LOOKS)
        for look in (
            [LOOKS[name]]
            if name in LOOKS
            else [partial(look_at_rate, name, rate) for rate in rates or RATES]
        )
    ]
    place = Place(TUNING_WORLD, Dose(0.0), folder)
    for look in tqdm(looks, desc="settings"):
        found = look(place)
        found |= {"device": device_name(), "commit": commit()}
        with one_at_a_time(RECORD):
            known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
            entries = [*known.get("entries", []), found]
            write_json(
                RECORD,
                {"world": TUNING_WORLD, "seed": TUNING_WORLD, "split": "train", "threshold_rule":
                 "best of the scored images", "entries": entries},
            )  # fmt: skip
        typer.echo(f"{found['system']}: {found['miou']}")


if __name__ == "__main__":
    typer.run(main)
