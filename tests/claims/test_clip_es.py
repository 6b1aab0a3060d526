"""Lin et al. 2023: sentences as rivals sharpen CLIP's maps, and its attention completes them."""

import pytest
import torch
from torch import nn

from tests.loops import one_at_another_size
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import Batch
from wsss_lib.data.toy import toy_scene
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.nets.large.clip import ClipView, load_clip

CAT, DOG, GROUND = [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]
WORDS = {"cat": CAT, "dog": DOG, "ground": GROUND}
"""The last channel is what animals share."""


class Reader(nn.Module):
    """A CLIP that reads four channels off an image: two rows of patches, averaged.

    From left to right: two patches of a cat, of which it sees the first only, the second being a
    body without any cue, two of a dog, and two of the ground. Attention stays inside each.
    """

    def text_features(self, prompts):
        return torch.tensor([WORDS[prompt] for prompt in prompts])

    def logits(self, image_features, text_features):
        return 4 * image_features @ text_features.t()

    def look(self, image):
        nothing = [0.0] * 4
        row = torch.tensor([CAT, nothing, DOG, DOG, GROUND, GROUND])
        normed = row.t()[None, :, None].repeat(len(image), 1, 2, 1)  # (B, 4, 2, 6)
        thing = torch.tensor([0, 0, 1, 1, 2, 2]).repeat(2)
        inside = (thing[:, None] == thing).float() / 4
        attention = torch.zeros(len(image), 1, 13, 13)
        attention[..., 1:, 1:] = inside
        tokens = normed / normed.norm(dim=1, keepdim=True).clamp(min=1e-8)
        return ClipView(normed.mean(dim=(2, 3)), tokens, (attention,), normed, self.embed)

    def embed(self, features):
        return features.mean(dim=(2, 3))


def maps_of(backgrounds=("ground",), tags=((1.0, 1.0),), **settings):
    method = ClipES(Reader(), ("cat", "dog"), backgrounds, **settings)
    with torch.inference_mode():
        return method.class_maps(torch.rand(1, 3, 2, 6), torch.tensor(tags))[0]


def test_a_class_is_not_seen_on_the_object_of_its_rival():
    """The dog has what all animals share; as a rival it takes that for itself."""
    cat, dog = maps_of(layers=0)
    assert cat[:, 0].min() == 1
    assert cat[:, 2:].max() < 0.05
    assert dog[:, 2:4].min() == 1
    assert dog[:, 0].max() < 0.05


def test_only_present_classes_are_rivals():
    alone = maps_of(layers=0, tags=((1.0, 0.0),))
    assert not alone[1].any()
    assert alone[0, :, 2:4].min() > 0.2, "without the rival, the shared channel speaks for the cat"


def test_a_lone_class_needs_backgrounds():
    """Its probability is one whatever the image shows, so that nothing explains it."""
    assert not maps_of(backgrounds=(), tags=((1.0, 0.0),), layers=0).any()
    assert maps_of(tags=((1.0, 0.0),), layers=0)[0].any()


def test_attention_carries_the_map_over_the_body_and_no_further():
    head_only, whole = maps_of(layers=0)[0], maps_of(layers=1)[0]
    assert head_only[:, 1].max() == 0
    assert whole[:, :2].min() > 0.9
    assert whole[:, 2:].max() < 0.1


def test_what_every_patch_receives_is_taken_off():
    """Each patch looks a little at every other one: the floor of a map must not be a score."""
    method = ClipES(Reader(), ("cat", "dog"), ("ground",), layers=1)
    look = method.clip.look

    def vague(image):
        view = look(image)
        attention = 0.5 * view.attentions[0] + 0.5 / 13
        layers = (torch.full_like(attention, 1 / 13), attention)  # the first is not asked
        return ClipView(view.features, view.tokens, layers, view.normed, view.embed)

    method.clip.look = vague
    maps = method.class_maps(torch.rand(1, 3, 2, 6), torch.ones(1, 2))
    assert maps[0, 0, :, :2].min() > 0.9
    assert maps[0, 0, :, 4:].max() < 0.05


def test_the_map_of_a_class_that_clip_is_sure_of_is_as_strong_as_any():
    """Its probability is one but for a few millionths, and so small is the gradient."""
    method = ClipES(Reader(), ("cat", "dog"), ("ground",), layers=0)
    method.clip.logits = lambda image, text: 90 * image @ text.t()
    maps = method.class_maps(torch.rand(1, 3, 2, 6), torch.ones(1, 2))
    assert maps.amax(dim=(2, 3)).tolist() == [[1.0, 1.0]]


class TwoScenes(Reader):
    """Six patches in one row, from right to left where an image is bright.

    The ground has half of what animals share, so that it matters how strong a rival it is. A lone
    patch of a cat is less than its maximum once the map is enlarged.
    """

    words = WORDS | {"ground": [0.0, 0.0, 1.0, 0.5]}

    def text_features(self, prompts):
        return torch.tensor([self.words[prompt] for prompt in prompts])

    def look(self, image):
        rows = torch.tensor([[0.0] * 4, CAT, DOG, DOG, GROUND, [0.5, 0.0, 0.0, 0.5]])
        straight = rows.t()[:, None]
        normed = torch.stack([straight.flip(-1) if x.mean() > 0.5 else straight for x in image])
        return ClipView(normed.mean(dim=(2, 3)), normed, (), normed, self.embed)


@pytest.mark.parametrize("asked", [True, False])
def test_the_read_out_is_the_softmax_grad_cam_enlarged_over_its_maximum(asked):
    """Patch by patch, from the derivative of the softmax; absent classes are no rivals."""
    image = torch.stack([torch.full((3, 4, 12), 0.2), torch.full((3, 4, 12), 0.9)])
    tags = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    method = ClipES(TwoScenes(), ("cat", "dog"), ("ground",), layers=0)
    said = method.predict(Batch(("a", "b"), image, tags if asked else None)).detach()
    text = method.clip.text_features(("cat", "dog", "ground"))
    for b in range(2):
        patches = method.clip.look(image[b : b + 1]).normed[0, :, 0].t()
        there = tags[b].tolist() if asked else [1.0, 1.0]
        rivals = [c for c in range(3) if c == 2 or there[c]]
        p = (4 * text[rivals] @ patches.mean(dim=0)).softmax(dim=0)
        for c in range(2):
            if c not in rivals:
                assert not said[b, c].any()
                continue
            k = rivals.index(c)
            weight = p[k] * (text[c] - sum(q * text[r] for q, r in zip(p, rivals, strict=True)))
            cam = torch.stack([(weight @ patch).clamp(min=0) for patch in patches])
            assert cam.min() == 0, "else the minimum would have to be taken off"
            maps = one_at_another_size(cam.view(1, 1, 6), (4, 12))[0]
            torch.testing.assert_close(said[b, c], maps / maps.max(), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("size", [(64, 64), (30, 50)])
def test_no_weight_of_clip_learns(size):
    method = ClipES(load_clip(), ("a photo of a cat",), ("a photo of the water",), layers=2)
    assert not [weight for weight in method.parameters() if weight.requires_grad]
    scene = toy_scene(0, "standard", "train", 0)
    image = resize(torch.from_numpy(scene.image / 255).permute(2, 0, 1)[None].float(), size)
    scores = method.predict(Batch(("a",), image, torch.ones(1, 1)))
    assert scores.shape == (1, 1, *size)
    assert scores.max() > 0.9
