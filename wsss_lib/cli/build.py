"""Systems by name, on the toy network or on one for photographs."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from wsss_lib import recipes
from wsss_lib.core import InputError, Method, Recipe
from wsss_lib.engine import seed_everything
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.efficientnet import EfficientNetLite0
from wsss_lib.nets.backbones.mobilenet import MobileNetV2
from wsss_lib.nets.backbones.resnet import ResNet
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.large.vocabulary import CLASSES
from wsss_lib.survey import find_methods

NETS = ("toy", "efficientnet_lite0", "mobilenet_v2", "resnet50", "resnet101", "paper")
TOY_CROP, CROP = 64, 224


def find(systems: Sequence[str]) -> list[type[Method]]:
    """The classes of systems, by card id.

    Raises:
        InputError: an unknown system, or one that needs the scores of an earlier one and has none.
    """
    known = find_methods()
    for system in systems:
        if system not in known:
            near = get_close_matches(system, known, n=1)
            hint = f" Do you mean {near[0]}?" if near else ""
            raise InputError(f"No system {system!r} can be run; choose from {[*known]}.{hint}")
    first = known[systems[0]].card
    if first.needs_scores:
        before = " ".join(recipes.stages_before(first.id))
        raise InputError(
            f"{first.id} works on the scores of another system: name one before it, such as "
            f"`wsss run {before} {' '.join(systems)}`."
        )
    return [known[system] for system in systems]


def build(
    kind: type[Method],
    classes: Sequence[str],
    net: str,
    weights: str | None,
    seed: int,
    same_size: bool,
) -> Method:
    """A system with its initial weights and the recipe that suits network and images.

    Args:
        kind: class of the system.
        classes: names of the C foreground classes.
        net: one of ``NETS``; "paper" is what ``wsss_lib.recipes`` builds.
        weights: path of folded MobileNetV2 weights, "random", or None for the usual ones.
        seed: of the weights that start at random.
        same_size: whether all images have one size; others are cropped in training.

    Raises:
        InputError: no such network, weights that are not there, or names that it cannot read.
    """
    seed_everything(seed)
    if net == "paper":
        return recipes.build(kind.card.id, classes, pretrained=weights != "random")
    if kind.card.reads_names and tuple(classes) != CLASSES[: len(classes)]:
        raise InputError(
            f"{kind.card.id} knows classes by their names, and its tiny networks know only those "
            f"of the toy world ({', '.join(CLASSES)}), not {', '.join(classes)}. Load the large "
            f"ones with `--recipe {kind.card.id}`, or with `--net paper`."
        )
    make: Any = kind
    method: Method = make.toy(len(classes), backbone=_backbone(net, weights))
    if method.recipe.steps:
        method.recipe = _suited(method.recipe, net, same_size)
    return method


def _backbone(net: str, weights: str | None) -> Backbone | None:
    """None stands for the toy network, which every system brings along."""
    random = weights == "random"
    if net not in NETS:
        raise InputError(f"No network {net!r}; choose from {NETS}.")
    if weights is not None and not random and net != "mobilenet_v2":
        raise InputError(f"--weights PATH is for --net mobilenet_v2; {net} has its own weights.")
    if net == "toy":
        return toy_cnn(pretrained=False) if random else None
    if net == "efficientnet_lite0":
        return EfficientNetLite0(16, pretrained=not random)
    if net == "mobilenet_v2":
        return MobileNetV2(16, None if random else weights or "imagenet")
    return ResNet(101 if net == "resnet101" else 50, 16, pretrained=not random)


def _suited(recipe: Recipe, net: str, same_size: bool) -> Recipe:
    """A toy recipe, made to fit larger networks and images of several sizes."""
    if net == "toy":
        return recipe if same_size else replace(recipe, crop=TOY_CROP)
    # Pretrained weights are worth keeping, hence the lower rate; photographs differ in scale.
    whole = 8 - 8 % recipe.group
    return replace(
        recipe, batch_size=whole, lr=recipe.lr / 10, crop=CROP, scale=(0.7, 1.2), shift=0
    )
