"""One suite over all systems; a new card joins by itself, so nobody can forget a check."""

import ast
import copy
import inspect
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from tests.test_system_standard import PENDING
from wsss_lib.core import Batch, InputError
from wsss_lib.data.weak import MADE, Annotator
from wsss_lib.engine import make_optimizer, seed_everything
from wsss_lib.survey import find_methods

METHODS = find_methods()
CLASSES = 3
every = pytest.mark.parametrize("kind", METHODS.values(), ids=METHODS.keys())


def fresh(kind):
    seed_everything(0)
    method = kind.toy(CLASSES)
    if method.threshold is None:
        method.threshold = 0.5
    return method.eval()


def make_batch(b=2, h=32, w=32, labelled=True, seed=0):
    """Images with a bright block, one class absent everywhere; every label follows the block."""
    generator = torch.Generator().manual_seed(seed)
    image = 0.3 * torch.rand(b, 3, h, w, generator=generator)
    block = (slice(h // 4, h - h // 4), slice(w // 4, w - w // 4))
    image[..., *block] += 0.5
    tags = torch.zeros(b, CLASSES)
    tags[:, 0] = tags[0, 1] = 1
    scores = 0.1 * torch.rand(b, CLASSES, h, w, generator=generator)
    scores[:, 0][..., *block] += 0.85
    scores[0, 1, : h // 4] += 0.8
    ids = tuple(f"image_{i}" for i in range(b))
    scores = scores * tags[:, :, None, None]
    if not labelled:
        return Batch(ids, image, None, scores)
    mask = torch.zeros(h, w, dtype=torch.long)
    mask[block] = 1
    both = mask.clone()
    both[: h // 4] = 2  # the first image alone shows class 2, above the block
    masks = [both, *[mask] * (b - 1)]
    drawn = {
        kind: [
            Annotator().label(kind, id, of_image) for id, of_image in zip(ids, masks, strict=True)
        ]
        for kind in MADE
    }
    tags = torch.stack([torch.isin(torch.arange(1, CLASSES + 1), m) for m in masks]).float()
    return Batch(
        ids, image, tags, scores * tags[:, :, None, None],
        boxes=tuple(drawn["boxes"]),
        points=tuple(drawn["points"]),
        objects=tuple(drawn["objects"]),
        extremes=tuple(drawn["extremes"]),
        scribble=torch.stack(drawn["scribble"]),
        saliency=torch.stack([(m > 0).float() for m in masks])[:, None],
        captions=("a cat",) * b,
    )  # fmt: skip


def groups_of(kind, least, size=32):
    """A batch to learn from: whole groups, at least so many images."""
    return make_batch(least + -least % kind.toy(CLASSES).recipe.group, size, size)


def first_of(batch):
    """The first image alone."""
    values = {f.name: getattr(batch, f.name) for f in fields(Batch)}
    return Batch(**{name: None if v is None else v[:1] for name, v in values.items()})


def total(terms):
    return torch.stack(list(terms.values())).sum()


@every
@pytest.mark.parametrize("size", [(2, 32, 32), (1, 33, 47), (3, 64, 40), (1, 1, 1), (1, 5, 70)])
def test_scores_have_the_shape_of_the_image_and_lie_between_0_and_1(kind, size):
    batch = make_batch(*size)
    with torch.inference_mode():
        scores = fresh(kind).predict(batch)
    assert scores.shape == (size[0], CLASSES, size[1], size[2])
    assert scores.isfinite().all()
    assert scores.min() >= 0
    assert scores.max() <= 1 + 1e-6
    assert (scores * (1 - batch.tags[:, :, None, None]) == 0).all(), "absent classes must score 0"


@every
def test_without_tags_it_answers_or_says_that_it_needs_them(kind):
    labels = {*kind.card.supervision} - {"tags", "masks", "saliency"}
    batch = make_batch(labelled=False)
    if kind.card.uses_tags_at_inference:  # a network makes saliency maps, of new images as well
        batch = replace(batch, saliency=make_batch().saliency)
    if labels and kind.card.uses_tags_at_inference:
        with pytest.raises(InputError, match="|".join(labels)):
            fresh(kind).predict(batch)
        return
    scores = fresh(kind).predict(batch)
    if not kind.card.uses_tags_at_inference:
        assert scores[:, 2].any() or kind.card.needs_scores, "no label may be assumed"


@every
def test_one_step_gives_every_weight_a_finite_gradient(kind):
    method = fresh(kind).train()
    terms = method.loss(groups_of(kind, 4))
    if method.recipe.steps == 0:
        assert terms == {}
        return
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())
    total(terms).backward()
    for name, weight in method.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None, f"{name} takes no part in the loss"
            assert weight.grad.isfinite().all(), name


@every
def test_training_moves_the_scores_and_does_not_kill_them(kind):
    method = fresh(kind)
    if method.recipe.steps == 0:
        return
    batch = groups_of(kind, 4)
    before = method.predict(batch).detach()
    optimizer = make_optimizer(method, method.recipe)
    method.train()
    for _ in range(5):
        optimizer.zero_grad()
        total(method.loss(batch)).backward()
        optimizer.step()
    after = method.eval().predict(batch).detach()
    assert not torch.equal(before, after)
    assert after[:, 0].std() > 1e-3


@every
def test_weights_survive_a_round_trip(kind):
    method, other = fresh(kind), fresh(kind)
    with torch.no_grad():
        for weight in method.parameters():
            weight.add_(0.01)
    other.load_state_dict(copy.deepcopy(method.state_dict()))
    batch = make_batch()
    assert torch.equal(method.predict(batch), other.predict(batch))


@every
def test_the_seed_decides_everything(kind):
    batch = make_batch()
    assert torch.equal(fresh(kind).predict(batch), fresh(kind).predict(batch))


@every
def test_images_do_not_disturb_each_other(kind):
    batch = make_batch(3)
    method = fresh(kind)
    # Rounding depends on the batch, and a CRF of ten rounds magnifies it.
    assert torch.allclose(method.predict(batch)[:1], method.predict(first_of(batch)), atol=1e-4)


@every
def test_a_batch_is_not_edited(kind):
    batch, copied = groups_of(kind, 2), groups_of(kind, 2)
    method = fresh(kind)
    method.loss(batch)
    method.predict(batch)
    for field in fields(Batch):
        one, other = getattr(batch, field.name), getattr(copied, field.name)
        assert repr(one) == repr(other)


@every
def test_card_and_file_agree_and_the_file_is_short(kind):
    card, path = kind.card, Path(inspect.getfile(kind))
    assert path.parts[-len(Path(card.family).parts) - 2] == "methods"
    assert path.parent.as_posix().endswith(f"methods/{card.family}")
    assert path.stem == card.id
    assert card.title
    assert card.authors
    assert card.venue
    assert card.paper
    assert code_lines(path) <= 60


@every
def test_claim_test_result_and_page_exist(kind, root):
    id = kind.card.id
    claims = root / "tests" / "claims" / f"test_{id}.py"
    assert claims.is_file(), f"write {claims}: it must be red when the paper's idea is deleted"
    assert "def test_" in claims.read_text()
    stored = [p for p in (root / "results").glob("*/*.json") if f"{p.stem}_".startswith(f"{id}_")]
    assert stored or id in PENDING.get("figures of three runs", ()), (
        f"no figures of {id} below results/"
    )
    pages = [p for p in (root / "book").rglob("*.md") if f"{{system-card}} {id}\n" in p.read_text()]
    assert pages, f"no page of the book shows the card of {id}"


def code_lines(path):
    """Lines without blanks, comments, docstrings and the card."""
    source = path.read_text()
    tree = ast.parse(source)
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            skipped.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "CARD":
            skipped.update(range(node.lineno, node.end_lineno + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in skipped
        for number, line in lines
    )
