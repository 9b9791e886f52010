import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from checkpoints.stored_cases import read_case
from dtype_checks import check_load_dtypes
from keras import ops
from PIL import Image

from keras_mmfusion.checkpoints import git
from keras_mmfusion.checkpoints.assign_weights import assign_weights
from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)
from keras_mmfusion.models.captioning.decoding.prompts import pack_prompts

IMAGES, TOKENS, LENGTH = 50, 6, 10
VOCABULARY, START, PAD = 40, 38, 0
END = {"git": 17, "git_video": 14}
PROMPT = (5, 9, 30)


def load_case(name, **settings):
    """Returns the model with the weights of a case, its expected outputs, images and captions."""
    config, weights, data = read_case(name)
    model = git.build_model({**config, **settings})
    assign_weights(model, config, git, weights)
    model.compile(jit_compile=False)  # Compilation takes longer than the tests.
    random = np.random.RandomState(0)
    frames = config.get("num_image_with_embedding")
    shape = (IMAGES, 16, 16, 3) if frames is None else (IMAGES, frames, 16, 16, 3)
    images = random.normal(size=shape).astype("float32")
    tokens = random.randint(1, VOCABULARY, (IMAGES, TOKENS))
    captions = np.concatenate([np.full((IMAGES, 1), START), tokens], axis=1)
    return model, data, images, captions


@pytest.fixture(scope="module", params=["git", "git_video"])
def case(request):
    return *load_case(request.param), END[request.param]


def test_logits_equal_those_of_transformers(case):
    model, data, images, captions, _ = case
    logits = ops.convert_to_numpy(model(images[:4], captions[:4]))
    np.testing.assert_allclose(logits, data["logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name, beams", [("greedy", 1), ("beams", 4), ("prompted", 4)])
def test_generated_tokens_equal_those_of_transformers(case, name, beams):
    model, data, images, _, end = case
    special = SpecialTokens(START, end, PAD, suppress_start_and_pad=False)
    prompt = PROMPT if name == "prompted" else ()
    settings = DecodingSettings(LENGTH, beams=beams, length_penalty=1.0, prompt=prompt)
    ids, _ = model.generate_tokens(model.encode(images), settings, special)
    np.testing.assert_array_equal(ids[:, 0], data[name])
    single, _ = model.generate_tokens(images[3:4], settings, special)
    np.testing.assert_array_equal(single[0, 0], data[name][3])


@pytest.mark.parametrize("name, beams", [("greedy_answers", 1), ("answers", 4)])
def test_answers_to_prompts_of_different_lengths_equal_those_of_transformers(case, name, beams):
    model, data, images, captions, end = case
    special = SpecialTokens(START, end, PAD, suppress_start_and_pad=False)
    settings = DecodingSettings(LENGTH, beams=beams, length_penalty=1.0)
    prompts = [captions[row, 1 : 1 + row % 4] for row in range(IMAGES)]
    ids, _ = model._generator.generate_tokens(
        images, settings, special, prompts=pack_prompts(prompts, LENGTH)
    )
    np.testing.assert_array_equal(ids[:, 0], data[name])


def test_both_spellings_of_the_frame_embeddings_load():
    config, weights, _ = read_case("git_video")
    renamed = {key.replace("temporal", "temperal"): value for key, value in weights.items()}
    assert len(set(renamed) & set(weights)) == len(weights) - 2
    models = [git.build_model(config) for _ in range(2)]
    for model, each in zip(models, (weights, renamed), strict=True):
        assign_weights(model, config, git, each)
    first, second = (ops.convert_to_numpy(model.frame_embedding.embeddings) for model in models)
    np.testing.assert_array_equal(first, second)


def test_loss_equals_that_of_transformers(case):
    model, data, images, captions, _ = case
    loss = SmoothedCrossEntropy(0.0)
    model.compile(keras.optimizers.SGD(0.0), loss, weighted_metrics=[], jit_compile=False)
    loss = model.evaluate(
        {"images": images, "captions": captions[:, :-1]}, captions[:, 1:], IMAGES, verbose=0
    )
    np.testing.assert_allclose(loss, data["loss"], rtol=1e-5)


@pytest.mark.parametrize("name", ["git", "git_video"])
def test_gradients_equal_those_of_transformers(name):
    model, data, images, captions = load_case(name, hidden_dropout_prob=0.0)
    model.compile(keras.optimizers.SGD(1.0), SmoothedCrossEntropy(0.0), jit_compile=False)
    before = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    inputs = {"images": images, "captions": captions[:, :-1]}
    loss = model.train_on_batch(inputs, captions[:, 1:], return_dict=True)["loss"]
    np.testing.assert_allclose(loss, data["loss"], rtol=1e-5)
    after = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    squares = [np.sum((x - y) ** 2.0) for x, y in zip(before, after, strict=True)]
    np.testing.assert_allclose(np.sqrt(np.sum(squares)), data["gradient_norm"], rtol=1e-4)


def test_captions_of_an_image_are_independent(case):
    model, _, images, captions, _ = case
    pairs = np.stack([captions[:4], captions[4:8]], axis=1)
    both, scores = model.decode(model.encode(images[:4]), pairs, return_attention_scores=True)
    for index in range(2):
        one, one_scores = model.decode(
            model.encode(images[:4]), pairs[:, index], return_attention_scores=True
        )
        for found, expected in ((both, one), (scores, one_scores)):
            np.testing.assert_allclose(
                ops.convert_to_numpy(found)[:, index],
                ops.convert_to_numpy(expected),
                rtol=1e-5,
                atol=1e-5,
            )


def test_saved_model_has_the_same_outputs(case, tmp_path):
    model, _, images, captions, _ = case
    model.save_to_preset(tmp_path / "preset")
    loaded = type(model).from_preset(tmp_path / "preset")
    found, expected = loaded(images[:2], captions[:2]), model(images[:2], captions[:2])
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), ops.convert_to_numpy(expected), rtol=1e-6, atol=1e-6
    )


def test_videos_require_a_frame_embedding():
    model, _, images, _ = load_case("git")
    with pytest.raises(ValueError, match="Videos require a `frame_embedding`"):
        model.encode(np.stack([images[:2], images[:2]], axis=1))


WORDS = [f"w{index}" for index in range(VOCABULARY - 5)]


def load_folder(folder, name):
    """Writes a checkpoint as on the Hub, and loads it."""
    model = load_checkpoint(write_folder(folder, name))
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    return model


def make_images(count):
    return [
        np.random.RandomState(i).randint(0, 256, (30, 20 + i, 3), "uint8") for i in range(count)
    ]


def test_a_folder_captions_images_of_any_size(tmp_path):
    model = load_folder(tmp_path, "git")
    images = make_images(2)
    captions = model.generate(images, beams=2)
    assert all(set(caption.split()) <= set(WORDS) and caption for caption in captions)
    details = model.generate(images, beams=2, details=True)
    assert [each.text for each in details] == captions
    assert details[0].attention.shape[1:] == (2, 2)
    model.save_to_preset(tmp_path / "preset")
    loaded = type(model).from_preset(tmp_path / "preset")
    loaded.compile(jit_compile=False)
    assert loaded.generate(images, beams=2) == captions
    check_load_dtypes(tmp_path, images, np.array([[START, 5, 9, 30]] * 2))


def test_a_folder_answers_questions(tmp_path):
    model = load_folder(tmp_path, "git")
    images, questions = make_images(3), ["w3 w7?", "w9", "w1 w2 w3 w4"]
    captions = model.generate(images, prompt=questions)
    answers = model.answer(images, questions)
    for row, image in enumerate(images):
        start = "w3 w7" if row == 0 else questions[row]  # "?" is unknown.
        assert captions[row] == f"{start} {answers[row]}".strip()
        assert model.generate(image, prompt=questions[row]) == captions[row]
        assert model.answer(image, questions[row]) == answers[row]
    assert model.generate(images, questions, batch_size=2) == captions
    assert model.answer(images[0], questions)[0] == answers[0]
    assert all(answers) and len(set(answers)) > 1
    best = model.answer(images, questions, top_k=2, details=True)
    assert [each[0].text for each in best] == answers
    assert all(0 < each.probability < 1 for pair in best for each in pair)
    for arguments in ((images, questions[:2]), (images[:1], questions)):
        with pytest.raises(ValueError, match="one prompt or question for each image"):
            model.answer(*arguments)
    with pytest.raises(ValueError, match="`prompt` must leave room"):
        model.answer(images, "w1 " * 12)


def test_a_folder_captions_and_learns_videos(tmp_path):
    model = load_folder(tmp_path, "git_video")
    frames = np.stack([image[:, :20] for image in make_images(6)])
    videos = frames.reshape(3, 2, *frames.shape[1:])
    captions = model.generate(videos, beams=2)
    assert len(captions) == 3 and all(captions)
    files = [[tmp_path / f"{row}_{frame}.png" for frame in range(2)] for row in range(3)]
    for video, paths in zip(videos, files, strict=True):
        for frame, path in zip(video, paths, strict=True):
            Image.fromarray(frame).save(path)
    assert model.generate(files, beams=2) == captions
    answers = model.answer(list(videos), ["w3", "w4", "w5"])
    assert model.answer([list(videos[1])], "w4") == answers[1]
    pixels = model.preprocessor.generate_preprocess(videos)
    single = model.preprocessor.generate_preprocess(videos[2, 1])
    np.testing.assert_array_equal(ops.convert_to_numpy(pixels)[2, 1], ops.convert_to_numpy(single))
    with pytest.raises(ValueError, match="same number of frames"):
        model.generate([videos[0], videos[1][:1]])
    pytest.importorskip("tensorflow")  # KerasHub preprocesses arrays by `tf.data`.
    data = {"images": videos, "captions": np.array(["w3 w4", "w5", "w6 w7"])}
    losses = model.fit(data, epochs=3, verbose=0, batch_size=3).history["loss"]
    assert model.evaluate(data, verbose=0, batch_size=3, return_dict=True)["loss"] < losses[0]
