"""Published outputs of public checkpoints for known photos.

Most are the expected values of the integration tests of transformers (`tests/models` of its
repository, version 4.57), which were computed with its PyTorch classes in float32.
"""

import dataclasses

_DEMO = "https://huggingface.co/hf-internal-testing/blip-test-image/resolve/main/demo.jpg"
_CATS = "http://images.cocodataset.org/val2017/000000039769.jpg"


@dataclasses.dataclass(frozen=True)
class ReferenceOutput:
    """An output of a checkpoint that was published.

    Args:
        kind: string. What is computed, see `reference_checks.COMPUTE`.
        photo: string. The address of the photo.
        expected: the output: a string, or a tuple of numbers.
        texts: tuple of strings. The prompt, question or labels.
        tolerance: float. The largest absolute difference of numbers.
    """

    kind: str
    photo: str
    expected: str | tuple
    texts: tuple = ()
    tolerance: float = 0.0


# Repository -> its outputs. Token ids start with the start token and end with the end token.
REFERENCES = {
    "Salesforce/blip-image-captioning-base": (
        ReferenceOutput(
            "caption_ids",
            _DEMO,
            (30522, 1037, 2450, 3564, 2006, 1996, 3509, 2007, 2014, 3899, 102),
        ),
        ReferenceOutput(
            "caption_ids",
            _DEMO,
            (30522, 1037, 3861, 1997, 1037, 2450, 1998, 2014, 3899, 2006, 1996, 3509, 102),
            ("a picture of",),
        ),
    ),
    "Salesforce/blip-vqa-base": (
        ReferenceOutput(
            "answer_ids", _DEMO, (30522, 1015, 102), ("how many dogs are in the picture?",)
        ),
    ),
    "Salesforce/blip-itm-base-coco": (
        ReferenceOutput(
            "match_probability", _DEMO, (0.9971,), ("A woman and her dog sitting in a beach",), 1e-3
        ),
        ReferenceOutput(
            "cosines", _DEMO, (0.5162,), ("A woman and her dog sitting in a beach",), 1e-3
        ),
    ),
    "microsoft/git-base": (ReferenceOutput("caption", _CATS, "two cats laying on a pink blanket"),),
    "nlpconnect/vit-gpt2-image-captioning": (
        ReferenceOutput(
            "caption", _CATS, "a cat laying on a blanket next to a cat laying on a bed"
        ),
    ),
    "openai/clip-vit-base-patch32": (
        ReferenceOutput(
            "pair_logits",
            _CATS,
            (24.5701, 19.3049),
            ("a photo of a cat", "a photo of a dog"),
            1e-2,
        ),
    ),
    "google/siglip-base-patch16-224": (
        ReferenceOutput(
            "pair_logits",
            _CATS,
            (-0.7567, -10.3354),
            ("a photo of 2 cats", "a photo of 2 dogs"),
            1e-2,
        ),
    ),
    "dandelin/vilt-b32-finetuned-vqa": (
        ReferenceOutput("answer", _CATS, "2", ("How many cats are there?",)),
        ReferenceOutput(
            "first_answer_logits",
            _CATS,
            (-15.9495, -18.1472, -10.3041),
            ("How many cats are there?",),
            1e-2,
        ),
    ),
}
