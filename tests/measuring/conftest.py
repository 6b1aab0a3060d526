"""Measurements on next to nothing."""

import functools

import pytest

import experiments.contenders
import experiments.evidence
from wsss_lib.core import Recipe
from wsss_lib.data.toy import write_toy
from wsss_lib.nets.backbones.toy import toy_cnn


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Worlds of 12 pictures, two steps of training, results elsewhere."""
    monkeypatch.setattr(
        experiments.contenders, "write_toy",
        lambda root, world, variant, train=12, **more: write_toy(
            root, world, variant, 12, 4, **more
        ),
    )  # fmt: skip
    real = Recipe.toy.__func__
    monkeypatch.setattr(
        Recipe, "toy", classmethod(lambda cls, steps, *a, **k: real(cls, 2, *a, **k))
    )
    untrained = functools.partial(toy_cnn, pretrained=False)
    for module in ("methods.image_level.cam.cam", "nets.segmentation.deeplab"):
        monkeypatch.setattr(f"wsss_lib.{module}.toy_cnn", untrained)
    monkeypatch.setattr(experiments.evidence, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(experiments.contenders, "THRESHOLDS", tmp_path / "results" / "thresholds")
    monkeypatch.setattr(experiments.evidence, "keep_maps", lambda *a, **k: None)
    return tmp_path
