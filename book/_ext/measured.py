"""Where measured figures lie, and what results are called; pages and notebooks both ask here."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

NAMES = {
    "cam_longer": "CAM, trained longer (control)",
    "segmenter_cam": "segmenter taught by CAM labels",
    "segmenter_pamr": "segmenter taught by PAMR labels",
    "segmenter_affinitynet": "segmenter taught by AffinityNet labels",
    "ceiling": "segmenter taught by masks (ceiling)",
    "segmenter_grabcut": "segmenter taught by GrabCut masks",
    "cam_vit": "CAM on the toy transformer",
    "mctformer_attention": "class attention alone",
    "mctformer_fused": "class attention × CAM",
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
