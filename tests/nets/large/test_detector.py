"""The detector wrapper: answers against transformers, the real path, and what its weights find."""

import pytest
import torch
from torchvision.ops import box_iou

from experiments.foundation.detector import assigned, detector_loss, made, tight_boxes
from experiments.foundation.pictures import pool
from wsss_lib.core import InputError
from wsss_lib.data.toy import KINDS, toy_scene
from wsss_lib.nets.large.clip import load_clip
from wsss_lib.nets.large.detector import load_detector

PROMPTS = [f"a photo of a {name}" for name in KINDS]


@pytest.fixture(scope="module")
def detector():
    return load_detector()


def picture(index):
    scene = toy_scene(3, "standard", "val", index)
    boxes, there = tight_boxes(torch.from_numpy(scene.instance)[None])
    image = torch.from_numpy(scene.image).permute(2, 0, 1) / 255
    return image, 64 * boxes[0][there[0]], torch.tensor(scene.classes, dtype=torch.long)


def test_answers_are_boxes_of_the_image_best_first(detector):
    for index in range(4):
        image = picture(index)[0][:, :40]
        boxes, scores, which = detector.detect(image, PROMPTS, threshold=0.05)
        assert (boxes[:, :2] < boxes[:, 2:]).all()
        assert (boxes >= 0).all()
        assert (boxes <= torch.tensor([64, 40, 64, 40])).all()
        assert (scores >= 0.05).all()
        assert (scores.diff() <= 0).all()
        assert set(which.tolist()) <= set(range(6))
        for k in range(6):
            iou = box_iou(boxes[which == k], boxes[which == k])
            assert (iou - torch.eye(len(iou)) <= 0.5).all()


def test_sentences_do_not_compete(detector):
    """Naming an absent class changes nothing for the others; naming none finds nothing."""
    image = picture(1)[0]
    alone, _ = detector(image[None], PROMPTS[:1])
    beside, _ = detector(image[None], PROMPTS)
    torch.testing.assert_close(alone[..., 0], beside[..., 0], atol=1e-4, rtol=1e-4)
    boxes, scores, which = detector.detect(image, [])
    assert boxes.shape == (0, 4)
    assert scores.shape == which.shape == (0,)


def test_weights_find_objects_of_another_world(detector):
    overlap, right, objects = [], 0, 0
    for index in range(60):
        image, true, classes = picture(index)
        boxes, _, which = detector.detect(image, PROMPTS, threshold=0.3)
        for box, kind in zip(true, classes, strict=True):
            same = box_iou(box[None], boxes[which == kind])
            overlap.append(same.max().item() if same.numel() else 0.0)
            objects += 1
        right += sum(kind in classes for kind in which.tolist()) / max(1, len(which))
    assert sum(overlap) / objects > 0.5
    assert right / 60 > 0.7


def test_training_starts_at_the_towers_of_clip():
    """Before any training, the detector's own towers answer as CLIP's do."""
    torch.manual_seed(0)
    towers, clip = made(False).model.owlvit.eval(), load_clip()
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        ours = towers.vision_model(image).pooler_output
        theirs = clip.model.vision_model(image).pooler_output
        text = towers.text_model(load_detector().tokenize(PROMPTS)).pooler_output
        words = clip.model.text_model(clip.tokenize(PROMPTS)).pooler_output
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(text, words, atol=1e-5, rtol=1e-4)


def test_patches_answer_for_the_smallest_box_they_are_near():
    boxes = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.75, 0.75], [0.0, 0.0, 0.0, 0.0]]])
    there = torch.tensor([[True, True, False]])
    owner = assigned(boxes, there, 4).view(4, 4)
    # The middle half of the large box is 2 x 2 patches; the small box lies in one of them.
    expected = torch.full((4, 4), -1)
    expected[1:3, 1:3] = 0
    expected[2, 2] = 1
    assert owner.tolist() == expected.tolist()
    thin = torch.tensor([[[0.3, 0.3, 0.32, 0.32]]])
    assert (assigned(thin, torch.tensor([[True]]), 8) == 0).sum() == 1


def test_tight_boxes_are_half_open():
    region = torch.zeros(1, 8, 8, dtype=torch.uint8)
    region[0, 2:4, 1:7] = 1
    region[0, 7, 7] = 3
    boxes, there = tight_boxes(region)
    assert there.tolist() == [[True, False, True]]
    assert (8 * boxes[0, 0]).tolist() == [1, 2, 7, 4]
    assert (8 * boxes[0, 2]).tolist() == [7, 7, 8, 8]


def test_loss_is_small_where_the_weights_are_right(tmp_path):
    pictures = pool(tmp_path, 48)
    trained, random = (
        detector_loss(net, pictures, torch.Generator().manual_seed(0))
        for net in (load_detector(), made(False))
    )
    assert trained < random / 2


def test_bad_input_is_refused(detector):
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        detector(torch.rand(3, 64, 64), PROMPTS)
    with pytest.raises(InputError, match="list of sentences"):
        detector(torch.rand(1, 3, 64, 64), "a cat")
    with pytest.raises(InputError, match="'zebra'"):
        detector.detect(torch.rand(3, 64, 64), ["a zebra"])


def test_a_saved_model_computes_what_transformers_computes(tmp_path):
    from transformers import CLIPTokenizer, OwlViTConfig, OwlViTForObjectDetection
    from transformers import OwlViTImageProcessor as Processor

    letters = [chr(code) for code in range(97, 123)]
    tokens = ["!", *letters, *[f"{letter}</w>" for letter in letters]]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    words = {token: number for number, token in enumerate(tokens)}
    CLIPTokenizer(vocab=words, merges=[], pad_token="!").save_pretrained(tmp_path)
    Processor(image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6]).save_pretrained(tmp_path)
    shared = {
        "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2,
        "num_hidden_layers": 2,
    }  # fmt: skip
    torch.manual_seed(0)
    config = OwlViTConfig(
        text_config={
            **shared, "vocab_size": len(words), "max_position_embeddings": 12,
            "bos_token_id": 53, "eos_token_id": 54, "pad_token_id": 0,
        },
        vision_config={**shared, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )  # fmt: skip
    OwlViTForObjectDetection(config).save_pretrained(tmp_path)
    detector = load_detector(tmp_path)
    image, prompts = torch.rand(1, 3, 32, 32), ["a cat", "dogs and more dogs than fit"]
    numbers = CLIPTokenizer.from_pretrained(tmp_path)(
        prompts, padding="max_length", truncation=True, max_length=12, return_tensors="pt"
    )
    mean, std = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])[..., None, None]
    with torch.no_grad():
        theirs = OwlViTForObjectDetection.from_pretrained(tmp_path).eval()(
            pixel_values=(image - mean) / std, **numbers
        )
        logits, boxes = detector(image, prompts)
    torch.testing.assert_close(logits, theirs.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(boxes, theirs.pred_boxes, atol=1e-5, rtol=1e-4)
