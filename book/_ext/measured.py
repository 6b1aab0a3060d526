"""Where measured figures lie, and what results are called; pages and notebooks both ask here."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from IPython.display import Markdown

from wsss_lib.core import InputError
from wsss_lib.results import read_result
from wsss_lib.survey import find_cards

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # ``experiments`` says what is measured; it is not installed

NAMES = {
    "cam_longer": "CAM, trained longer (control)",
    "cam_once": "CAM, same looks",
    "cam_pairs": "CAM, images in pairs",
    "cam_pairs_at_one_size": "CAM, images in pairs, at one size",
    "cam_triples": "CAM, images in triples",
    "two_segmenters": "two segmenters, each by itself",
    "benet_as_walked": "BENet, as the walk leaves it",
    "sance_unwalked": "SANCE's segmentation branch",
    "beco_no_asking": "BECO, nobody is asked",
    "beco_no_pasting": "BECO, nothing is pasted",
    "mcis_shared": "MCIS, what is shared",
    "edam_mask": "EDAM, masks",
    "conta_contextless": "CONTA, asked without its context map",
    "first_round": "C-CAM without its second round",
    "visual_tokens": "MMCST without words",
    "undropped": "the same network, nothing dropped",
    "undilated": "the same network, every dilation 1",
    "ficklenet_whole": "FickleNet, asked once with nothing dropped",
    "ficklenet_once": "FickleNet, a single draw",
    "cam_360": "CAM, 360 steps",
    "puzzle_cam_apart": "Puzzle-CAM, nothing has to agree",
    "cpn_background": "CPN, backgrounds are compared too",
    "l2g_saliency": "L2G × saliency",
    "l2g_fast": "L2G, as fast as CAM",
    "sipe_general": "SIPE, its general maps",
    "split_only": "two maps that only split",
    "merge_only": "two maps that only merge",
    "cam_600": "CAM, 600 steps",
    "pamr_vit": "PAMR on the transformer's CAM",
    "cam_saliency": "CAM × saliency",
    "two_stages": "two stages",
    "two_stages_vit": "two stages, transformer",
    "saliency_labels": "the same network, saliency as labels",
    "two_stages_mit": "two stages, mix transformer",
    "tags_network": "the same network from tags",
    "point_pce": "the same network, clicks alone",
    "clip_logits": "plain logits of CLIP",
    "clip_rivals": "CLIP-ES, not carried",
    "detected_boxes": "boxes of the detector",
    "fifty_one_masks": "segmenter taught by 51 masks",
    "segmenter_bbox_rect": "segmenter taught by filled boxes",
    "segmenter_cam": "segmenter taught by CAM labels",
    "segmenter_pamr": "segmenter taught by PAMR labels",
    "segmenter_affinitynet": "segmenter taught by AffinityNet labels",
    "ceiling": "segmenter taught by masks (ceiling)",
    "segmenter_grabcut": "segmenter taught by GrabCut masks",
    "cam_vit": "CAM on the toy transformer",
    "mctformer_attention": "class attention alone",
    "mctformer_refined": "MCTformer, carried along the patches",
    "mctformer_first_layer": "attention of the first layer",
    "mctformer_two_layers": "attention of the first two layers",
    "mctformer_last_layer": "attention of the last layer",
    "mctformer_balanced": "mean attention, doubly stochastic",
    "mctformer_cosine": "cosine of features, 8th power",
    "mctformer_affinitynet": "AffinityNet's walk",
    "mctformer_pamr": "PAMR",
    "lpcam_no_context": "LPCAM, likeness to the class alone",
    "lpcam_4_clusters": "LPCAM, 4 clusters",
    "lpcam_24_clusters": "LPCAM, 24 clusters",
    "mdc_near": "MDC, the standard map alone",
    "mdc_far": "MDC, the dilated maps alone",
    "two_phase_first": "Two-Phase, the frozen network alone",
    "two_phase_second": "Two-Phase, the second network alone",
    "seenet_first": "SeeNet, the first branch alone",
    "seenet_second": "SeeNet, the second branch alone",
    "seenet_no_prior": "SeeNet without the background prior",
    "seenet_no_third": "SeeNet without the third branch",
    "guided_labels_half": "Guided Labelling, saliency cut at 0.5",
    "ssnet_half": "SSNet, saliency cut at 0.5",
    "i2crc_whole": "I2CRC against the whole of 1 − saliency",
    "superpixels": "superpixel means",
    "walker": "random walker",
    "grabcut": "GrabCut",
    "tags": "image labels",
    "extremes": "extreme points",
    "scores": "scores of the stage before",
}
"""What results are called that are no system of their own."""


def results_folder() -> Path:
    """Where measured figures lie; WSSS_RESULTS points tests elsewhere."""
    return Path(os.environ.get("WSSS_RESULTS", ROOT / "results"))


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> Markdown:
    """A table that a page shows as one of its own; cells are Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return Markdown("\n".join(f"| {' | '.join(row)} |" for row in rows))


def called(id: str) -> str:
    """What a result is called on the page."""
    card = find_cards().get(id)
    return NAMES.get(id) or (card.name if card else id)


def curves_of(family: str) -> list[dict[str, Any]]:
    """The dose-response curves of a family.

    Raises:
        InputError: none was measured.
    """
    found = sorted((results_folder() / "curves" / family).glob("*.json"))
    if not found:
        raise InputError(f"no curve of {family!r} in {results_folder() / 'curves'}.")
    return [read_result(path) for path in found]


def every_curve() -> list[dict[str, Any]]:
    """The dose-response curves of all families, in the order of their chapters."""
    from experiments.doses import FAMILIES

    known = {folder.name for folder in (results_folder() / "curves").glob("*")}
    return [curve for name in FAMILIES if name in known for curve in curves_of(name)]


def axis_of(family: str) -> str:
    """What the doses of a family are, and what grows to the right of their axis."""
    from experiments.doses import FAMILIES

    doses = FAMILIES[family].doses
    grows = "idea" if any(dose.rivals < 1 for dose in doses) else "failure"
    return f"{FAMILIES[family].axis} (the {grows} grows \N{RIGHTWARDS ARROW})"


def home_of(family: str) -> str:
    """The place of results where a family is at home."""
    from experiments.doses import FAMILIES

    return FAMILIES[family].doses[FAMILIES[family].home].where


def gains_of(curve: dict[str, Any]) -> list[list[float]]:
    """For each dose of a curve, the gain over the control in each of its worlds."""
    runs = curve["runs"]
    return [
        [run["gain"] for run in runs if run["dose"] == number]
        for number in range(len(curve["doses"]))
    ]


def error_of(gains: Sequence[float]) -> float:
    """Two standard errors of the mean of several gains."""
    return 2 * float(np.std(gains, ddof=1)) / len(gains) ** 0.5
