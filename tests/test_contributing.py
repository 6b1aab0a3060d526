"""The system that CONTRIBUTING.md shows can be run as it stands."""

import re
import sys

import pytest
from typer.testing import CliRunner

import wsss_lib.methods.image_level.cam as family
from tests.battery import test_all_systems as battery
from tests.tiny import plain_folder
from wsss_lib.cli import app
from wsss_lib.recipe_parts import Parts
from wsss_lib.recipes import BUILDERS
from wsss_lib.survey import find_methods


@pytest.fixture
def text(root):
    return (root / "CONTRIBUTING.md").read_text("utf-8")


@pytest.fixture
def mine(text, tmp_path, monkeypatch):
    """The class of the template, in a file of its own beside the other systems of the family."""
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    folder = tmp_path / "methods" / "image_level" / "cam"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(block, "utf-8")
    monkeypatch.setattr(family, "__path__", [*family.__path__, str(folder)])
    name = f"{family.__name__}.mine"
    yield find_methods()["mine"]
    del sys.modules[name], family.mine


def test_the_template_is_found_and_goes_from_tags_to_masks(mine, tmp_path):
    root, out = plain_folder(tmp_path / "mine"), tmp_path / "out"
    words = ["run", "mine", "pamr", "--data", str(root), "--out", str(out), "--steps", "2", "--cpu"]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    assert len([*(out / "mine" / "labels").glob("*.png")]) == 6


def test_the_template_passes_the_battery(mine):
    battery.test_scores_have_the_shape_of_the_image_and_lie_between_0_and_1(mine, (2, 33, 47))
    battery.test_without_tags_it_answers_or_says_that_it_needs_them(mine)
    battery.test_one_step_gives_every_weight_a_finite_gradient(mine)
    battery.test_training_moves_the_scores_and_does_not_kill_them(mine)
    battery.test_card_and_file_agree_and_the_file_is_short(mine)


def test_the_line_for_the_recipes_builds_the_template(mine, text, monkeypatch):
    (line,) = re.findall(r"`\"mine\": (lambda .*?)`", text)
    build = eval(line, {"Mine": mine})
    assert isinstance(build(Parts(("cat", "dog"), pretrained=False)), mine)
    assert "mine" not in BUILDERS
