"""Sentences as tokens, with how well an image fits them."""

import torch

from wsss_lib.nets.large.clip import load_clip
from wsss_lib.nets.large.text_tokens import TextTokens

SENTENCES = ["a photo of a cat", "a photo of a boat", "a photo of the water"]


def test_what_goes_in_has_coordinates_of_size_one_whose_product_means_the_cosine():
    clip = load_clip()
    torch.manual_seed(0)
    net = TextTokens(clip, SENTENCES, 7)
    image = torch.rand(2, 3, 64, 64)
    tokens, more = net(image)
    text, seen = clip.text_features(SENTENCES), clip.image_features(image)
    cosines = seen @ text.T
    with torch.no_grad():
        net.fit.weight.fill_(1 / text.shape[1])  # each channel is the mean of the product
        means = net(image)[1]
    for c in range(3):
        stretched = text[c] * text.shape[1] ** 0.5
        assert torch.isclose(stretched.square().mean(), torch.ones(()))
        torch.testing.assert_close(tokens[c], net.words(stretched))
        for b in range(2):
            assert torch.isclose(means[b, c, 0], cosines[b, c], atol=1e-5)
    assert tokens.shape == (3, 7)
    assert more.shape == (2, 3, 7)


def test_clip_looks_at_its_own_size_and_does_not_learn():
    clip = load_clip()
    net, sizes = TextTokens(clip, SENTENCES, 7), []
    look = clip.image_features
    clip.image_features = lambda image: sizes.append(tuple(image.shape[-2:])) or look(image)
    tokens, more = net(torch.rand(1, 3, 40, 90))
    assert sizes == [(clip.size, clip.size)]
    (tokens.sum() + more.sum()).backward()
    assert net.words.weight.grad.any()
    assert net.fit.weight.grad.any()
    assert all(weight.grad is None for weight in clip.parameters())
