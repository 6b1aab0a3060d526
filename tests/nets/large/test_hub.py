"""Large models: the weights that come with the library, and those that have to be fetched."""

import json

import pytest
from safetensors import safe_open

from wsss_lib.core import InputError
from wsss_lib.data.toy import VERSION
from wsss_lib.nets.large.clip import load_clip
from wsss_lib.nets.large.detector import load_detector
from wsss_lib.nets.large.extreme_cut import load_extreme_cut
from wsss_lib.nets.large.hub import WEIGHTS
from wsss_lib.nets.large.saliency import toy_saliency
from wsss_lib.nets.large.sam import load_sam
from wsss_lib.results import read_result

TOY = {
    "clip": load_clip, "detector": load_detector, "sam": load_sam, "saliency": toy_saliency,
    "dextr": load_extreme_cut,
}  # fmt: skip
GOOD = {
    "clip": lambda figures: min(figures["auc"].values()) > 0.9,
    "detector": lambda figures: figures["mean_ap50"] > 0.5,
    "sam": lambda figures: figures["box_iou"] > 0.65 and figures["point_iou"] > 0.6,
    "saliency": lambda figures: figures["iou"] > 0.7,
    "dextr": lambda figures: figures["mean_iou"] > 0.75,
}
PAPERS = {
    "openai/clip-vit-base-patch16": load_clip,
    "google/owlvit-base-patch32": load_detector,
    "facebook/sam-vit-base": load_sam,
}


@pytest.mark.parametrize("name", TOY)
def test_weights_are_small_and_say_where_they_come_from(name, root):
    path = WEIGHTS / f"toy_{name}.safetensors"
    assert path.stat().st_size <= 1.5e6
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["facts"])
    assert facts["version"] == VERSION
    assert facts.get("world") not in range(10), "worlds that systems are measured in"
    result = read_result(root / "results" / "foundation" / f"{name}.json")
    assert {key: result[key] for key in facts} == facts, "the figures are of other weights"
    assert result["bytes"] == path.stat().st_size
    assert GOOD[name](result["figures"])


@pytest.mark.parametrize("name", TOY)
def test_missing_toy_weights_name_the_command(name, tmp_path, monkeypatch):
    monkeypatch.setattr("wsss_lib.nets.large.hub.WEIGHTS", tmp_path)
    command = name if name in ("saliency", "dextr") else f"foundation {name}"
    with pytest.raises(InputError, match=rf"experiments\.pretrain_{command}`"):
        TOY[name]()


@pytest.mark.parametrize("name", PAPERS)
def test_offline_error_says_what_to_put_where(name, monkeypatch, tmp_path):
    wanted = r"model\.safetensors.*into a folder and pass its path"
    with pytest.raises(InputError, match=wanted) as caught:
        PAPERS[name](tmp_path / "nothing")
    assert "\n" not in str(caught.value)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=wanted):
        PAPERS[name](name)


@pytest.mark.parametrize("name", PAPERS)
def test_models_of_another_kind_are_refused(name, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="type 'bert'"):
        PAPERS[name](tmp_path)
