import pathlib

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from saved_models import png
from small_captioners import color_images, small_captioner, write_images

from keras_mmfusion import ImageCaptioningModel, TransformerCaptioner
from keras_mmfusion.models.captioning import Caption
from keras_mmfusion.models.captioning.decoding import decoding_arguments
from keras_mmfusion.models.captioning.decoding.caption_generator import _arrange_on_grid
from keras_mmfusion.models.captioning.decoding.step_functions import build_uncached_step

CLASSES = [ImageCaptioningModel, TransformerCaptioner]
METHODS = {
    "greedy": {"beams": 1},
    "beams": {"beams": 3, "no_repeat_ngram": 2},
    "sample": {"sample": True, "seed": 3, "top_p": 0.9},
}


@pytest.fixture(scope="module", params=CLASSES, ids=lambda cls: cls.__name__)
def model(request):
    return small_captioner(request.param)


@pytest.fixture(scope="module")
def captioner():
    return small_captioner()


@pytest.mark.xla
@pytest.mark.parametrize("method", METHODS)
def test_cached_and_uncached_decoding_agree(model, method, monkeypatch):
    expected = model.generate(color_images(), **METHODS[method], details=True)
    monkeypatch.setattr(
        model, "_build_step", lambda tokens, *sizes: (build_uncached_step(model, tokens), ())
    )
    model.reset_compiled_functions()
    found = model.generate(color_images(), **METHODS[method], details=True)
    model.reset_compiled_functions()
    assert [caption.text for caption in found] == [caption.text for caption in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("method", ["greedy", "beams"])
def test_captions_do_not_depend_on_the_batch(model, method):
    images = color_images(4)
    together = model.generate(images, **METHODS[method])
    assert len(set(together)) > 1
    assert together == [model.generate(image, **METHODS[method]) for image in images]
    assert together == model.generate(images, batch_size=2, **METHODS[method])


def test_one_beam_selects_the_most_probable_word(model):
    preprocessor = model.preprocessor
    special = preprocessor.get_special_tokens()
    image = preprocessor.generate_preprocess(np.stack(color_images(1)))
    ids = [special.start]
    while ids[-1] != special.end and len(ids) <= preprocessor.sequence_length:
        logits = ops.convert_to_numpy(model(image, np.array([ids])))[0, -1].copy()
        logits[[special.start, special.pad, *special.blocked]] = -np.inf
        if len(ids) == 1:
            logits[special.end] = -np.inf
        ids.append(int(logits.argmax()))
    expected = preprocessor.generate_postprocess(np.array([ids[1:]]))
    assert model.generate(color_images(1), beams=1) == expected


def test_hypotheses_are_sorted_by_score(captioner):
    found = captioner.generate(color_images(2), beams=4, hypotheses=3, details=True)
    assert [len(each) for each in found] == [3, 3]
    for hypotheses in found:
        assert len({caption.text for caption in hypotheses}) == 3
        scores = [caption.score for caption in hypotheses]
        assert scores == sorted(scores, reverse=True)
    texts = captioner.generate(color_images(2), beams=4, hypotheses=3)
    assert texts == [[caption.text for caption in each] for each in found]
    best = captioner.generate(color_images(2), beams=4)
    assert best == [each[0] for each in texts]


def test_details_contain_scores_tokens_and_attention(model):
    found = model.generate(color_images(), beams=3, length_penalty=0.6, details=True)
    for caption in found:
        assert isinstance(caption, Caption)
        words = [token for token in caption.tokens if token != "[END]"]
        assert " ".join(words).lower() == caption.text.lower()
        length = len(caption.tokens)
        total = caption.token_log_probs.sum()
        assert caption.score == pytest.approx(total / length**0.6, abs=1e-4)
        assert caption.attention.shape == (length, 1, 4)
        np.testing.assert_allclose(caption.attention.sum(axis=(1, 2)), 1, atol=1e-5)
        assert (caption.attention >= 0).all()


def test_sampled_caption_score_is_its_log_probability(captioner):
    for caption in captioner.generate(color_images(), sample=True, seed=0, details=True):
        assert caption.score == pytest.approx(caption.token_log_probs.sum(), abs=1e-4)


def test_seed_determines_samples(captioner):
    def sample(seed):
        return captioner.generate(color_images(2), sample=True, hypotheses=8, seed=seed)

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)
    assert sample(None) != sample(None)


def test_min_length_and_max_length(captioner):
    for caption in captioner.generate(color_images(), beams=2, min_length=5, details=True):
        assert len([token for token in caption.tokens if token != "[END]"]) >= 5
    for caption in captioner.generate(color_images(), beams=2, max_length=3, details=True):
        assert len(caption.tokens) <= 3


def test_no_repeat_ngram_1_repeats_no_word(captioner):
    for text in captioner.generate(color_images(), no_repeat_ngram=1, min_length=6):
        assert len(set(text.split())) == len(text.split()) >= 6


def test_generate_accepts_all_image_types(captioner, tmp_path):
    paths, _ = write_images(tmp_path, count=3)
    images = color_images(3)
    expected = captioner.generate(images, beams=2)
    assert expected == [captioner.generate(image, beams=2) for image in images]
    for kind in (
        paths,
        [pathlib.Path(path) for path in paths],
        [png(image) for image in images],
        [Image.fromarray(image) for image in images],
        np.stack(images),
        np.stack(images).astype("float32"),
        [image / 255 for image in images],
        tuple(images),
        iter(images),
        [ops.convert_to_tensor(image) for image in images],
        ops.convert_to_tensor(np.stack(images)),
    ):
        assert captioner.generate(kind, beams=2) == expected
    for one in (paths[0], pathlib.Path(paths[0]), png(images[0]), Image.open(paths[0])):
        assert captioner.generate(one, beams=2) == expected[0]
    assert captioner.generate([images[0]], beams=2) == expected[:1]
    assert captioner.generate([], beams=2) == []


def test_generate_accepts_tf_data_datasets(captioner):
    tensorflow = pytest.importorskip("tensorflow")
    images = np.stack(color_images(3))
    expected = captioner.generate(images, beams=2)
    dataset = tensorflow.data.Dataset.from_tensor_slices(images)
    for kind in (
        dataset,
        dataset.batch(2),
        dataset.map(lambda image: {"images": image, "captions": "a"}),
        dataset.map(lambda image: {"images": image, "captions": "a"}).batch(2),
        dataset.map(lambda image: (image, 1)),
    ):
        assert captioner.generate(kind, beams=2) == expected


@pytest.mark.xla
def test_compiled_functions_are_reused(captioner, monkeypatch):
    traces = []
    build_step = captioner._build_step

    def counted(*args):
        traces.append(1)
        return build_step(*args)

    monkeypatch.setattr(captioner, "_build_step", counted)
    captioner.reset_compiled_functions()
    captioner.generate(color_images(3), beams=2)
    if keras.config.backend() == "torch":
        pytest.skip("PyTorch runs eagerly")
    assert len(traces) == 1
    for weight in captioner.trainable_weights:
        weight.assign(weight.value)
    captioner.generate(color_images(3), beams=2)
    captioner.generate(color_images(4), beams=2)
    assert len(traces) == 1
    for count in (5, 6, 7, 8):  # Batches of 8.
        captioner.generate(color_images(count), beams=2)
    assert len(traces) == 2
    captioner.generate(color_images(3), beams=3)
    assert len(traces) == 3


def test_generate_uses_current_weights(captioner):
    before = captioner.get_weights()
    first = captioner.generate(color_images(), beams=2)
    captioner.set_weights([-weight for weight in before])
    second = captioner.generate(color_images(), beams=2)
    captioner.set_weights(before)
    assert first != second
    assert captioner.generate(color_images(), beams=2) == first


NOT_COUNTS = (0, -3, 2.5, 2.0, float("nan"), "2", True, [2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(({"beams": beams}, "`beams` must be an integer from 1 to 1024") for beams in NOT_COUNTS),
        ({"beams": 0, "sample": True}, "`beams` must be an integer from 1 to 1024. Received: 0"),
        ({"beams": 1025}, "`beams` must be an integer from 1 to 1024. Received: 1025"),
        ({"beams": 40}, "`beams` must be at most [0-9]+, the size of the vocabulary. Received: 40"),
        *(({"hypotheses": n}, "`hypotheses` must be an integer from 1") for n in NOT_COUNTS),
        ({"beams": 2, "hypotheses": 3}, "`hypotheses` must be at most `beams`.*: hypotheses=3, "),
        *(({"max_length": n}, "`max_length` must be a positive integer") for n in NOT_COUNTS),
        ({"max_length": 9}, "`max_length` must be at most 8"),
        ({"max_length": 3, "min_length": 3}, "`min_length` must be below `max_length`"),
        *(({"min_length": n}, "`min_length` must be a positive integer") for n in NOT_COUNTS),
        (
            {"no_repeat_ngram": -1},
            "`no_repeat_ngram` must be an integer of at least 0. Received: -1",
        ),
        *(
            ({"length_penalty": x}, "`length_penalty` must be a number from -2 to 10. Received")
            for x in (float("nan"), float("inf"), 11, "1", None)
        ),
        *(
            ({"sample": True, "temperature": x}, "`temperature` must be a number from 1e-30 to 1e")
            for x in (0, -1, float("nan"), float("inf"), 1e-40, "1")
        ),
        *(({"sample": True, "top_k": n}, "`top_k` must be a positive integer") for n in NOT_COUNTS),
        *(
            ({"sample": True, "top_p": x}, "`top_p` must be a number from 1e-06 to 1. Received")
            for x in (0, 1.5, float("nan"), "1")
        ),
        ({"sample": True, "seed": -1}, "`seed` must be an integer of at least 0. Received: -1"),
        ({"sample": True, "seed": "a"}, "`seed` must be an integer of at least 0. Received: 'a'"),
        *(({"batch_size": n}, "`batch_size` must be a positive integer") for n in NOT_COUNTS),
    ],
)
def test_invalid_arguments_raise_errors(captioner, arguments, message):
    with pytest.raises(ValueError, match=message):
        captioner.generate(color_images(1), **arguments)


def test_numpy_scalars_are_accepted(captioner):
    expected = captioner.generate(color_images(), beams=2, length_penalty=0.5)
    found = captioner.generate(color_images(), beams=np.int64(2), length_penalty=np.float32(0.5))
    assert found == expected


def test_wide_search_uses_smaller_batches(captioner, monkeypatch):
    expected = captioner.generate(color_images(3), beams=2)
    sizes = []
    encode = captioner._generator._encode
    monkeypatch.setattr(decoding_arguments, "MAX_SQUARED_WIDTH", 8)
    monkeypatch.setattr(
        captioner._generator, "_encode", lambda images: sizes.append(len(images)) or encode(images)
    )
    assert captioner.generate(color_images(3), beams=2) == expected
    assert sizes == [2, 1]


def test_invalid_images_raise_errors(captioner, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match="bad.jpg"):
        captioner.generate([str(tmp_path / "bad.jpg")])
    with pytest.raises(TypeError, match="must be a path, encoded bytes"):
        captioner.generate(3)


def test_attention_of_class_tokens_is_omitted_and_frames_are_side_by_side():
    attention = np.arange(1.0, 11.0).reshape(1, 10)  # 2 frames of 1 + 2 x 2 tokens.
    maps = _arrange_on_grid(attention, (2, 2))
    expected = np.array([[2, 3, 7, 8], [4, 5, 9, 10]]) / 48
    np.testing.assert_allclose(maps, expected[None])
    np.testing.assert_allclose(_arrange_on_grid(attention, None), attention[:, None] / 55)
