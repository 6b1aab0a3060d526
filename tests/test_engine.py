"""Training, resuming and chaining."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.tiny import Follower, Pixels, plain_folder
from wsss_lib.blocks.maps.class_maps import resize, to_labels
from wsss_lib.blocks.refine.dense_crf import CRF, dense_crf
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import InputError, Method, Recipe
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.store import LabelStore, ScoreStore
from wsss_lib.data.view import WeakView
from wsss_lib.engine import (
    answer,
    fit,
    infer,
    make_optimizer,
    run,
    same_size_batches,
    schedule,
)
from wsss_lib.engine.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from wsss_lib.engine.fingerprint import describe, fingerprint
from wsss_lib.methods.refine.densecrf import DenseCRF

ROOT = Path(__file__).parent.parent
SGD = Recipe(
    6, 2, lr=0.1, head_factor=1.0, optimizer="sgd", weight_decay=0.0, power=1.0, flip=False
)


@pytest.fixture
def view(tmp_path):
    return WeakView(SegmentationFolder(plain_folder(tmp_path / "mine")))


def same_weights(one, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


class Constant(Method):
    """One weight inside the backbone and one outside; the gradient of both is always 1."""

    card = replace(Pixels.card, id="constant")

    def __init__(self, recipe):
        super().__init__()
        self.recipe = recipe
        self.backbone = nn.Linear(1, 1, bias=False)
        self.head = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.backbone.weight)
        nn.init.zeros_(self.head.weight)
        self.seen = []

    def loss(self, batch):
        self.seen.append((self.progress, self.training, batch.ids))
        return {"a": self.backbone.weight.sum(), "b": self.head.weight.sum()}

    def predict(self, batch):
        return batch.image[:, :2]


class Calm(Pixels):
    """Without noise, so that batches of other sizes see the same."""

    card = replace(Pixels.card, id="calm")

    def loss(self, batch):
        pooled = self.maps(batch.image).mean(dim=(2, 3))
        return {"cls": nn.functional.binary_cross_entropy_with_logits(pooled, batch.tags)}


def test_training_learns_what_the_labels_say(view):
    method = Calm()
    method.recipe = replace(Calm.recipe, steps=60, batch_size=6)
    fitted = fit(method, view)
    assert fitted.steps == 60
    assert fitted.losses["cls"] < 0.4
    assert not method.training
    assert method.progress == 1
    with torch.no_grad():
        pooled = torch.cat([method.maps(view[i].image).mean(dim=(2, 3)) for i in range(6)])
    assert torch.equal(pooled > 0, torch.cat([view[i].tags for i in range(6)]) > 0)


def test_one_seed_one_result(view):
    methods = [Pixels(), Pixels(), Pixels()]
    for method, seed in zip(methods, (5, 5, 6), strict=True):
        fit(method, view, seed=seed)
        torch.rand(3)  # what happens between two trainings must not matter
    assert same_weights(methods[0], methods[1])
    assert not same_weights(methods[0], methods[2])


def test_every_step_draws_anew(view):
    drawn = []

    class Watched(Pixels):
        def loss(self, batch):
            drawn.append((torch.rand(1).item(), float(np.random.rand()), random.random()))  # noqa: NPY002
            return super().loss(batch)

    fit(Watched(), view)
    assert all(len({*numbers}) == 40 for numbers in zip(*drawn, strict=True))


def test_learning_rate_rises_linearly_then_falls_by_the_poly_rule():
    poly = Recipe(steps=100, power=0.9)
    assert schedule(poly, 0) == 1
    assert schedule(poly, 0.25) == pytest.approx(0.75**0.9)
    warm = Recipe(steps=100, power=2.0, warmup=0.2)
    assert schedule(warm, 0) == pytest.approx(1 / 21)
    assert schedule(warm, 0.1) == pytest.approx(11 / 21)
    assert schedule(warm, 0.2) == 1
    assert schedule(warm, 0.6) == pytest.approx(0.25)


def test_the_rate_drops_to_a_tenth_after_each_share_and_is_fixed_without_a_decay():
    fixed = Recipe(steps=100, power=0.0)
    assert [schedule(fixed, at) for at in (0, 0.5, 0.99)] == [1, 1, 1]
    stepped = Recipe(steps=100, drops=(0.5, 0.75))
    rates = [schedule(stepped, at) for at in (0, 0.49, 0.5, 0.74, 0.75, 0.99)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_every_step_uses_the_scheduled_rate_and_the_head_its_own(view):
    method = Constant(replace(SGD, head_factor=4.0))
    fit(method, view)
    speed = position = 0.0
    for step in range(6):  # SGD with momentum 0.9 on a gradient of 1
        speed = 0.9 * speed + 1
        position -= 0.1 * (1 - step / 6) * speed
    assert method.backbone.weight.item() == pytest.approx(position, rel=1e-5)
    assert method.head.weight.item() == pytest.approx(4 * position, rel=1e-5)


def test_progress_and_mode_are_set_before_every_loss(view):
    method = Constant(SGD).eval()
    fit(method, view)
    assert [progress for progress, _, _ in method.seen] == pytest.approx([n / 6 for n in range(6)])
    assert all(training for _, training, _ in method.seen)


def test_optimizers_of_recipes(view):
    sgd = make_optimizer(Pixels(), replace(SGD, weight_decay=0.25))
    assert isinstance(sgd, torch.optim.SGD)
    assert [g["weight_decay"] for g in sgd.param_groups] == [0.25, 0.25]
    adamw = make_optimizer(Pixels(), Pixels.recipe)
    assert isinstance(adamw, torch.optim.AdamW)
    assert [g["lr"] for g in adamw.param_groups] == pytest.approx([0.02, 0.1])
    assert sum(p.numel() for g in adamw.param_groups for p in g["params"]) == sum(
        p.numel() for p in Pixels().parameters()
    )


def test_accumulated_batches_equal_one_large_batch(view):
    large, small = Calm(), Calm()
    large.recipe = replace(SGD, batch_size=6)
    small.recipe = replace(SGD, batch_size=2, accumulate=3)
    start = Calm()
    assert fit(large, view).steps == fit(small, view).steps == 6
    for a, b, c in zip(large.parameters(), small.parameters(), start.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
        assert not torch.allclose(a, c, atol=1e-3)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_batches_are_whole_groups_that_share_a_class(view, accumulate):
    class Watched(Calm):
        def loss(self, batch):
            assert batch.image.shape[0] == 6
            for start in (0, 3):
                assert len({tuple(tags) for tags in batch.tags[start : start + 3].tolist()}) == 1
                seen.append(batch.ids[start : start + 3])
            return super().loss(batch)

    seen = []
    method = Watched()
    method.recipe = replace(SGD, batch_size=6, group=3, accumulate=accumulate)
    fit(method, view, cpu=True)
    assert len(seen) == 12 * accumulate
    assert all(len({*group}) == 3 for group in seen)  # each class of the folder has three images


def test_groups_that_cannot_be_made_are_refused_before_anything_is_trained(view, tmp_path):
    first, second = Calm(), Calm()
    first.recipe, second.recipe = SGD, replace(SGD, batch_size=4, group=3)
    with pytest.raises(InputError, match="batch of 4 cannot be made of groups of 3"):
        run([first, second], view, folder=tmp_path / "runs", cpu=True)
    assert not (tmp_path / "runs").exists()


def test_only_recipes_with_groups_are_named_by_them():
    """Trainings that were stored before there were groups are found again."""

    def name(of_class, group):
        method = Pixels()
        if not of_class:
            method.recipe = replace(Pixels.recipe, group=group)
        return describe(method)

    for place in (name(True, 1)["recipe"], name(False, 1)["settings"][".recipe"]):
        assert "group" not in place
        assert place["batch_size"] == 2
    assert len({fingerprint(**name(False, group)) for group in (1, 2)}) == 2
    assert name(False, 2)["recipe"]["group"] == 2


def test_training_free_methods_are_left_alone(view, tmp_path):
    method = Follower()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    assert fit(method, view, folder=tmp_path / "no").steps == 0
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())
    assert not (tmp_path / "no").exists()
    assert method.asked == 0


class Exploding(Pixels):
    card = replace(Pixels.card, id="exploding")

    def loss(self, batch):
        terms = super().loss(batch)
        return {**terms, "big": terms["cls"] * (float("inf") if self.asked == 4 else 1)}


def test_a_loss_that_is_not_finite_stops_with_its_terms(view):
    with pytest.raises(InputError, match=r"exploding: .* not finite at step 3 .*'big': inf"):
        fit(Exploding(), view)


def test_nothing_to_train_or_to_train_on(view):
    frozen = Pixels()
    frozen.requires_grad_(False)
    with pytest.raises(InputError, match="pixels has no weights to train"):
        fit(frozen, view)
    empty = WeakView(SegmentationFolder(view._dataset.root).subset([]))
    with pytest.raises(InputError, match="holds no images"):
        fit(Pixels(), empty)


def interrupted(view, folder, step, **how):
    """Train until the process would be at this step, with a checkpoint every second step."""

    class Interrupted(Pixels):
        def loss(self, batch):
            if self.asked == step:
                raise KeyboardInterrupt
            return super().loss(batch)

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(), view, folder=folder, save_every=2, **how)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_interrupted_training_ends_like_one_that_was_not(
    view, tmp_path, accumulate, monkeypatch
):
    monkeypatch.setattr(Pixels, "recipe", replace(Pixels.recipe, accumulate=accumulate, steps=13))
    whole, resumed = Pixels(), Pixels(seed=9)  # its own weights must not matter
    fit(whole, view, seed=4)
    interrupted(view, tmp_path / "run", 7 * accumulate, seed=4)
    fit(resumed, view, seed=4, folder=tmp_path / "run")
    assert resumed.asked == 7 * accumulate, "the first six steps are not repeated"
    assert same_weights(whole, resumed)


def test_a_finished_training_is_not_repeated_and_keeps_its_seconds(view, tmp_path):
    first, second = Pixels(), Pixels(seed=1)
    seconds = fit(first, view, folder=tmp_path).seconds
    assert seconds > 0
    assert fit(second, view, folder=tmp_path).seconds >= 0.5 * seconds
    assert second.asked == 0
    assert same_weights(first, second)


@pytest.mark.parametrize("change", ["recipe", "seed", "data", "scores", "method"])
def test_a_checkpoint_of_another_training_is_refused(view, tmp_path, change):
    fit(Pixels(), view, folder=tmp_path / "run", seed=1)
    method: Method = Follower() if change == "method" else Pixels()
    method.recipe = replace(Pixels.recipe, lr=0.5 if change == "recipe" else Pixels.recipe.lr)
    if change == "data":
        (view._dataset.root / "dataset.json").write_text('{"world": 1}')
        view = WeakView(SegmentationFolder(view._dataset.root))
    if change == "scores":
        view = view.with_scores({id: torch.zeros(2, 4, 4) for id in view.ids})
    with pytest.raises(InputError, match=r"is a checkpoint of 'pixels' .* use another folder"):
        fit(method, view, folder=tmp_path / "run", seed=2 if change == "seed" else 1)


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_checkpoints_cannot_carry_code(view, tmp_path):
    torch.save({"purpose": "x", "evil": Payload(tmp_path / "pwned")}, tmp_path / CHECKPOINT)
    with pytest.raises(InputError, match="damaged or no checkpoint"):
        fit(Pixels(), view, folder=tmp_path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("content", [[1], torch.zeros(3), {"a": torch.zeros(3)}])
def test_other_files_of_pytorch_are_no_checkpoints(view, tmp_path, content):
    torch.save(content, tmp_path / CHECKPOINT)
    with pytest.raises(InputError, match="no checkpoint of this library"):
        fit(Pixels(), view, folder=tmp_path)


def test_a_checkpoint_keeps_the_factor_of_half_precision(tmp_path):
    method, scaler = Pixels(), torch.amp.GradScaler("cpu", init_scale=8.0)
    optimizer = make_optimizer(method, method.recipe)
    save_checkpoint(tmp_path / CHECKPOINT, method, optimizer, "x", 3, 1.5, scaler)
    other = torch.amp.GradScaler("cpu")
    assert load_checkpoint(tmp_path / CHECKPOINT, method, optimizer, "x", other) == (3, 1.5)
    assert other.get_scale() == scaler.get_scale() == 8


def test_a_damaged_checkpoint_is_named(view, tmp_path):
    fit(Pixels(), view, folder=tmp_path)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match="delete it to begin anew"):
        fit(Pixels(), view, folder=tmp_path)


SLOW_TRAINING = """
import sys, time
from tests.tiny import Pixels
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.engine import fit
class Slow(Pixels):
    def loss(self, batch):
        time.sleep(0.03)
        return super().loss(batch)
fit(Slow(), WeakView(SegmentationFolder(sys.argv[1])), seed=3, folder=sys.argv[2], save_every=2)
"""


def test_a_killed_training_ends_like_one_that_was_not(view, tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_TRAINING, str(view._dataset.root), str(folder)],
        cwd=ROOT, env=dict(os.environ, TQDM_DISABLE="1"),
    )  # fmt: skip
    while not (folder / CHECKPOINT).exists():
        assert process.poll() is None, "it must not end before it is killed"
        time.sleep(0.005)
    time.sleep(random.uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    whole, resumed = Pixels(), Pixels(seed=9)
    fit(whole, view, seed=3)
    fit(resumed, view, seed=3, folder=folder)
    assert 0 < resumed.asked < 40
    assert same_weights(whole, resumed)


def test_images_of_several_sizes_are_answered_in_batches_of_one_size(tmp_path):
    sizes = ((8, 8), (8, 8), (9, 5), (8, 8), (8, 8), (8, 8), (8, 8))
    view = WeakView(SegmentationFolder(plain_folder(tmp_path / "mine", sizes)))
    batches = same_size_batches(view[index] for index in range(7))
    assert [batch.ids for batch in batches] == [
        ("im0", "im1"), ("im2",), ("im3", "im4", "im5", "im6"),
    ]  # fmt: skip
    store = infer(Pixels(), view, tmp_path / "scores")
    assert [tuple(store[id].shape) for id in view.ids] == [(2, *size) for size in sizes]
    read_ahead = infer(Pixels(), view, tmp_path / "ahead", batch_size=3, workers=2)
    assert all(torch.equal(store[id], read_ahead[id]) for id in view.ids)


def test_a_group_that_was_interrupted_is_answered_as_a_whole(view, tmp_path):
    """The last bits of an answer may depend on the batch; so resuming forms the same batches."""
    seen = []

    class Watched(Pixels):
        def predict(self, batch):
            seen.append(batch.ids)
            return super().predict(batch)

    ScoreStore(tmp_path, 2).put("im1", torch.ones(2, 24, 32))
    for id in ("im3", "im4", "im5"):
        ScoreStore(tmp_path, 2).put(id, torch.ones(2, 24, 32))
    infer(Watched(), view, tmp_path, batch_size=3)
    assert seen == [("im0", "im1", "im2")]


def test_answers_that_are_there_are_not_asked_for_again(view, tmp_path):
    method = Pixels()
    known = ScoreStore(tmp_path, 2)
    known.put("im2", torch.ones(2, 24, 32))
    store = infer(method, view, tmp_path, batch_size=1)
    assert method.answered == 5
    assert store["im2"].eq(1).all()
    infer(method, view, tmp_path)
    assert method.answered == 5


def test_stages_hand_their_scores_on(view, tmp_path):
    first, second = Pixels(), Follower()
    second.threshold = None
    thresholds = iter([0.25, 0.75])
    stages = run(
        [first, second], view, folder=tmp_path / "out", calibrate=lambda s: next(thresholds)
    )
    assert [stage.threshold for stage in stages] == [0.25, 0.75]
    assert second.threshold == 0.25, "chosen on the scores that it learns from"
    for id in view.ids:
        assert torch.equal(stages[1].scores[id], (stages[0].scores[id] / 2).half().float())
    assert all(stage.seconds > 0 for stage in stages)
    assert view.scores is None


def test_running_again_asks_nobody_and_other_settings_start_elsewhere(view, tmp_path):
    def once(method, seen=view, **how):
        (stage,) = run([method], seen, folder=tmp_path / "out", **how)
        return method, stage

    _, stage = once(Pixels())
    again, same = once(Pixels())
    assert (again.asked, again.answered) == (0, 0)
    assert same.folder == stage.folder
    slower = Pixels()
    slower.recipe = replace(Pixels.recipe, lr=0.001)
    deeper = Pixels()
    deeper.backbone.padding_mode = "reflect"
    others = [
        once(slower), once(deeper), once(Pixels(seed=1)), once(Pixels(), seed=1),
        once(Pixels(), WeakView(view._dataset, longest=16)),
        once(Pixels(), view.with_scores(stage.scores)),
    ]  # fmt: skip
    assert all(method.asked == 40 for method, _ in others)
    assert len({stage.folder, *(stage.folder for _, stage in others)}) == 1 + len(others)


def test_two_teachers_and_two_data_sets_are_told_apart(view, tmp_path):
    teachers = [run([Pixels(seed=s)], view, folder=tmp_path / "out")[0].scores for s in (1, 2)]
    taught = [
        run([Follower()], view.with_scores(t), folder=tmp_path / "out")[0].scores for t in teachers
    ]
    assert not torch.equal(taught[0]["im0"], taught[1]["im0"])
    assert torch.equal(taught[1]["im0"], (teachers[1]["im0"] / 2).half().float())


def test_a_stage_that_needs_scores_says_who_gives_them(view, tmp_path):
    with pytest.raises(InputError, match=r"follower needs batch\.scores.* \(such as cam\)"):
        run([Follower()], view, folder=tmp_path)


def test_slow_steps_are_saved_before_their_number_is_reached(view, tmp_path, monkeypatch):
    monkeypatch.setattr("wsss_lib.engine.training.SAVE_SECONDS", 0.0)

    class Interrupted(Pixels):
        def loss(self, batch):
            if self.asked == 3:
                raise KeyboardInterrupt
            return super().loss(batch)

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(), view, folder=tmp_path, save_every=1000)
    resumed = Pixels()
    fit(resumed, view, folder=tmp_path)
    assert resumed.asked == 37


@pytest.mark.parametrize("terms", [torch.zeros(()), {}, {"cls": torch.zeros(2)}])
def test_a_loss_that_is_no_dictionary_of_scalars_is_named(view, terms):
    class Wrong(Pixels):
        def loss(self, batch):
            return terms

    with pytest.raises(InputError, match="pixels: loss has to return a dictionary of scalars"):
        fit(Wrong(), view)


def test_an_answer_of_another_shape_is_named(view, tmp_path):
    class Small(Pixels):
        def predict(self, batch):
            return super().predict(batch)[..., ::2, ::2]

    expected = r"pixels: predict answered \(6, 2, 12, 16\), not \(B, C, H, W\) = \(6, 2, 24, 32\)"
    with pytest.raises(InputError, match=expected):
        infer(Small(), view, tmp_path)


def test_large_images_are_asked_about_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr("wsss_lib.engine.inference.MOST_PIXELS", 200)
    sizes = ((10, 10), (10, 10), (10, 10), (20, 20), (20, 20))
    view = WeakView(SegmentationFolder(plain_folder(tmp_path / "mine", sizes)))
    batches = same_size_batches(view[index] for index in range(5))
    assert [len(batch.ids) for batch in batches] == [2, 1, 1, 1]


def test_new_images_are_looked_at_in_several_sizes_and_in_the_mirror(view, tmp_path):
    class Leaning(Pixels):
        """Says how far right a pixel lies, and how wide the image is."""

        def predict(self, batch):
            width = batch.image.shape[-1]
            ramp = torch.linspace(0, 0.5, width).expand(
                len(batch.image), 1, batch.image.shape[-2], -1
            )
            return torch.cat([ramp, torch.full_like(ramp, width / 100)], dim=1)

    blind = WeakView(view._dataset, ())
    store = ScoreStore(tmp_path / "scores", 2)
    answer(Leaning(), blind, store, scales=(0.5, 1.0), flip=True)
    right, wide = store["im0"]
    assert torch.allclose(right, torch.full((24, 32), 0.25), atol=0.01)  # both ways: the middle
    assert torch.allclose(wide, torch.full((24, 32), 0.24), atol=0.001)  # 16 and 32 pixels


def test_labels_are_all_that_is_kept_where_labels_are_wanted(view, tmp_path):
    view = WeakView(view._dataset, longest=16)
    whole = infer(Pixels(), view, tmp_path / "scores")
    store = LabelStore(tmp_path / "labels", 0.5, view._dataset)
    answer(Pixels(), view, store)
    for id in view.ids:
        expected = to_labels(resize(whole[id][None], (24, 32)), 0.5)[0]
        assert (store[id] == expected).float().mean() > 0.99  # scores are kept in half precision
    assert [*view.ids] == sorted(path.stem for path in (tmp_path / "labels").iterdir())


def test_settings_of_parts_and_of_records_start_elsewhere():
    class Part(nn.Module):
        def __init__(self, grid):
            super().__init__()
            self.grid = grid

    def name(grid=4, crf=None):
        method = Pixels()
        method.part, method.crf = Part(grid), crf or CRF()
        return fingerprint(**describe(method))

    assert name() == name()
    assert len({name(), name(grid=8), name(crf=CRF(iterations=1))}) == 3
    assert fingerprint(**describe(DenseCRF())) != fingerprint(**describe(DenseCRF(CRF(sxy=3))))


def test_functions_are_settings_too():
    """A refinement with other settings, or another one, is no result of before."""

    def name(refine):
        method = Pixels()
        method.refine = refine
        return fingerprint(**describe(method))

    def scaled(factor):
        return lambda image, answer: factor * answer

    kinds = [
        pamr,
        dense_crf,
        partial(pamr, iterations=5),
        partial(pamr, iterations=6),
        partial(dense_crf, settings=CRF(sxy=3)),
        partial(dense_crf, settings=CRF(sxy=4)),
        lambda image, answer: answer,
        lambda image, answer: 1 - answer,
        lambda image, answer: 2 - answer,
        scaled(1),
        scaled(2),
        lambda image, answer, factor=3: factor * answer,
        lambda image, answer, factor=4: factor * answer,
    ]
    assert len({name(kind) for kind in kinds}) == len(kinds)
    assert name(partial(pamr, iterations=5)) == name(kinds[2])
    assert name(scaled(2)) == name(scaled(2))


def test_what_a_killed_process_left_is_thrown_away(view, tmp_path):
    where = run([Pixels()], view, folder=tmp_path)[0].folder
    left = [where / "checkpoint.pt.9.partial", where / "scores" / "im0.safetensors.9.partial"]
    for path in left:
        path.write_text("half")
    run([Pixels()], view, folder=tmp_path)
    assert not any(path.exists() for path in left)
