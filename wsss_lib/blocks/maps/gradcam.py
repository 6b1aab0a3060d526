"""Class maps of any classifier: from the gradients of its logits, or from masked images.

The caller splits the network into what makes the features and a head that reads them, so that no
hook is needed::

    features = net.backbone(image)[-1]
    maps = normalize(grad_cam(net.head, features, tags), tags)

The maps of all present classes of all images come from one forward and one batched backward pass
through the head alone; the backbone needs no graph. The network must be in eval mode, where the
images of a batch do not see each other.

All maps are rectified, detached, of the size of the features and not normalised, so that
``multi_scale_flip`` can add them up and ``normalize`` finish them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from wsss_lib.blocks.check import check_maps
from wsss_lib.blocks.maps.class_maps import keep_present, normalize, resize
from wsss_lib.core import InputError

Head = Callable[[Tensor], Tensor]


def grad_cam(head: Head, features: Tensor, tags: Tensor | None = None) -> Tensor:
    """Grad-CAM: a channel counts as much as the class's logit rises with its values, on average.

    ``M_c = relu(sum_d alpha_cd f_d)`` with ``alpha_cd = mean_hw(dp_c / df_d)``. Of average pooling
    and a linear classifier it is the rectified CAM divided by ``h * w``.

    Source: Selvaraju et al., ICCV 2017, equations 1-2.

    Args:
        head: (B, D, h, w) features -> (B, C) logits p, differentiable.
        features: (B, D, h, w), any real values.
        tags: (B, C), positive where the class is present; None stands for all classes. Memory
            grows with the number of classes of the image that has the most.

    Returns:
        (B, C, h, w), non-negative; 0 for absent classes.

    Raises:
        InputError: shapes that do not fit, values that are not finite, or a head without gradient.
    """

    def rule(gradient: Tensor, features: Tensor) -> Tensor:
        alpha = gradient.mean(dim=(-2, -1))
        return torch.einsum("tbd,bdhw->tbhw", alpha, features)

    return _maps_by_gradient("grad_cam", rule, head, features, tags)


def grad_cam_pp(head: Head, features: Tensor, tags: Tensor | None = None) -> Tensor:
    """Grad-CAM++: several small objects of a class count as much as one large object.

    ``M_c = relu(sum_d w_cd f_d)`` with ``w_cd = sum_hw(alpha_cd relu(g_cd))``,
    ``g_cd = dp_c / df_d`` and ``alpha_cd = g^2 / (2 g^2 + g^3 sum_hw(f_d))``. The paper's score is
    ``exp(p_c)``, a factor of the whole map, which is left out: ``normalize`` would remove it.

    Source: Chattopadhay et al., WACV 2018, equations 10 and 19.

    Arguments, result and errors are those of ``grad_cam``: (B, D, h, w) features, non-negative in
    the paper (a negative sum counts as 0), to (B, C, h, w) maps, non-negative. alpha lies in
    (0, 1/2], so the maps do not just scale with the logits.
    """

    def rule(gradient: Tensor, features: Tensor) -> Tensor:
        # Only positive g count, where g^2 cancels: no 0 / 0 has to be kept away.
        positive = gradient.relu()
        total = features.sum(dim=(2, 3), keepdim=True).clamp(min=0)
        weights = (positive / (2 + positive * total)).sum(dim=(-2, -1))
        return torch.einsum("tbd,bdhw->tbhw", weights, features)

    return _maps_by_gradient("grad_cam_pp", rule, head, features, tags)


def layer_cam(head: Head, features: Tensor, tags: Tensor | None = None) -> Tensor:
    """Layer-CAM: every place of every channel has a weight of its own, for shallow layers too.

    ``M_c = relu(sum_d relu(dp_c / df_d) * f_d)``.

    Source: Jiang et al., IEEE Transactions on Image Processing 2021, section III.

    Arguments, result and errors are those of ``grad_cam``: (B, D, h, w) features, any real values,
    to (B, C, h, w) maps, non-negative.
    """

    def rule(gradient: Tensor, features: Tensor) -> Tensor:
        return torch.einsum("tbdhw,bdhw->tbhw", gradient.relu(), features)

    return _maps_by_gradient("layer_cam", rule, head, features, tags)


@torch.no_grad()
def score_cam(
    network: Callable[[Tensor], Tensor],
    image: Tensor,
    features: Tensor,
    tags: Tensor | None = None,
    chunk: int = 16,
) -> Tensor:
    """Score-CAM: a channel counts as much as the class scores on what the channel lets through.

    ``M_c = relu(sum_d alpha_cd f_d)`` with ``alpha_c = softmax_d(p_c(x * H_d))``, where H_d is
    channel d at the size of the image, scaled to [0, 1] by its minimum and maximum. The paper
    subtracts the score of a baseline image, which a softmax does not see. A forward pass answers
    for all classes, so their number costs nothing.

    Source: Wang et al., CVPR Workshops 2020, algorithm 1.

    Args:
        network: (n, 3, H, W) -> (n, C) logits p; it sees D masked images per image.
        image: (B, 3, H, W). Masked pixels become 0, which is black for RGB in [0, 1].
        features: (B, D, h, w) of the image, any real values; a constant channel masks everything.
        tags: (B, C), as in ``grad_cam``.
        chunk: channels that mask the whole batch at once; memory grows with it.

    Returns:
        (B, C, h, w), non-negative; 0 for absent classes.

    Raises:
        InputError: shapes that do not fit, values that are not finite, or ``chunk`` below 1.
    """
    check_maps("score_cam (image)", image)
    check_maps("score_cam (features)", features)
    if len(image) != len(features) or chunk < 1:
        raise InputError(
            f"score_cam: {len(image)} images, but features of {len(features)}, and chunk={chunk}; "
            "pass the features of the very images, and a chunk of 1 or more."
        )
    scores = []
    for part in features.split(chunk, dim=1):
        masks = resize(part, (image.shape[-2], image.shape[-1]))  # (B, n, H, W)
        masks = normalize(masks - masks.amin(dim=(2, 3), keepdim=True))
        logits = network((image[:, None] * masks[:, :, None]).flatten(0, 1))
        _check_logits("score_cam", logits, masks.shape[0] * masks.shape[1])
        scores.append(logits.unflatten(0, masks.shape[:2]))
    alpha = torch.cat(scores, dim=1).softmax(dim=1)  # (B, D, C)
    _check_tags("score_cam", tags, alpha[:, 0])
    maps = torch.einsum("bdc,bdhw->bchw", alpha, features).relu()
    check_maps("score_cam (result)", maps)
    return maps if tags is None else keep_present(maps, tags > 0)


def _maps_by_gradient(
    who: str,
    rule: Callable[[Tensor, Tensor], Tensor],
    head: Head,
    features: Tensor,
    tags: Tensor | None,
) -> Tensor:
    """(B, C, h, w) rectified maps; ``rule`` makes (T, B, h, w) of (T, B, D, h, w) gradients."""
    check_maps(f"{who} (features)", features)
    # Methods predict in inference mode, whose tensors have no gradients; a copy made outside has.
    with torch.inference_mode(False), torch.enable_grad():
        leaf = features.clone().detach().requires_grad_()
        logits = head(leaf)
        _check_logits(who, logits, len(features))
        _check_tags(who, tags, logits)
        present = torch.ones_like(logits, dtype=torch.bool) if tags is None else tags > 0
        maps = torch.zeros(*present.shape, *features.shape[-2:]).to(leaf)
        if not present.any():
            return maps
        # Images do not see each other, so one turn asks each of them for another of its classes.
        turn = present.cumsum(dim=1) * present
        turns = torch.arange(1, int(turn.amax()) + 1, device=turn.device)
        chosen = turn == turns[:, None, None]  # (T, B, C)
        gradient = None
        if logits.requires_grad:
            (gradient,) = torch.autograd.grad(
                logits, leaf, chosen.to(logits), is_grads_batched=True, allow_unused=True
            )
        if gradient is None:
            raise InputError(
                f"{who}: the logits do not depend on the features; the head must compute them "
                "from what it is given, without detach or no_grad."
            )
        t, b, c = torch.nonzero(chosen, as_tuple=True)
        maps[b, c] = rule(gradient, leaf.detach())[t, b].relu()
    check_maps(f"{who} (result)", maps)
    return maps


def _check_logits(who: str, logits: Tensor, count: int) -> None:
    if logits.ndim != 2 or len(logits) != count:
        raise InputError(
            f"{who}: the network answered {tuple(logits.shape)} to {count} images; it must answer "
            f"one row of logits for each, ({count}, C)."
        )


def _check_tags(who: str, tags: Tensor | None, logits: Tensor) -> None:
    if tags is not None and tags.shape != logits.shape:
        raise InputError(
            f"{who}: tags are {tuple(tags.shape)}, but must be {tuple(logits.shape)}: a row for "
            "each image and a column for each class of the network, without background."
        )
