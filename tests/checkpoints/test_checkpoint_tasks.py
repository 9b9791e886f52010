"""What the models of public checkpoints can do besides computing the outputs of the source."""

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from keras import ops

from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.explain import plot_caption_attention

CAPTIONERS = ("blip", "git", "vit_gpt2")
OTHERS = ("blip_vqa", "vilt", "clip")
PROMPTS = {"blip": "w7 w21", "git": "w7 w21", "vit_gpt2": "ca a"}
QUESTIONS = ["w9", "w9 w30", "w7"]
RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (height, 50, 3), "uint8") for height in (40, 47, 60)]
PIXELS = np.stack([image[:40] for image in IMAGES])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Returns the folders of the checkpoints, by name."""
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: write_folder(root / name, name) for name in (*CAPTIONERS, *OTHERS)}


@pytest.fixture(scope="module", params=CAPTIONERS)
def captioner(request, folders):
    """A captioner that no test changes, and a prompt."""
    return load_checkpoint(folders[request.param]), PROMPTS[request.param]


def test_captions_begin_with_the_prompt(captioner):
    model, prompt = captioner
    found = model.generate(IMAGES, prompt, beams=2, max_length=8)
    assert all(caption.startswith(prompt) and len(caption) > len(prompt) for caption in found)


def test_sampled_captions_depend_on_the_seed(captioner):
    model, _ = captioner
    options = {"sample": True, "hypotheses": 2, "max_length": 6}
    found = model.generate(IMAGES[:2], seed=0, **options)
    assert [len(each) for each in found] == [2, 2]
    assert found == model.generate(IMAGES[:2], seed=0, **options)
    assert found != model.generate(IMAGES[:2], seed=1, **options)


def test_details_have_attention_maps_of_the_patches(captioner, tmp_path):
    model, prompt = captioner
    options = {"beams": 2, "max_length": 6}
    captions = model.generate(IMAGES, prompt, details=True, **options)
    assert [each.text for each in captions] == model.generate(IMAGES, prompt, **options)
    for caption in captions:
        assert caption.attention.shape == (len(caption.tokens), *model.image_encoder.grid)
        np.testing.assert_allclose(caption.attention.sum(axis=(1, 2)), 1, rtol=1e-5)
    figure = plot_caption_attention(IMAGES[0], captions[0], tmp_path / "figure.png")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[1:3] == prompt.split() and (tmp_path / "figure.png").is_file()


def test_saved_files_give_the_same_captions(captioner, tmp_path):
    model, _ = captioner
    model.save_to_preset(tmp_path / "preset")
    model.save(tmp_path / "model.keras")
    expected = model.generate(IMAGES, beams=2, max_length=6)
    for copy in (
        type(model).from_preset(tmp_path / "preset"),
        keras.saving.load_model(tmp_path / "model.keras"),
    ):
        assert copy.generate(IMAGES, beams=2, max_length=6) == expected


def make_pairs(name):
    """Returns the inputs of `fit` for a model: raw images and strings."""
    text = [PROMPTS.get(name, "w7 w21")] * len(PIXELS)
    if name == "clip":
        return {"image": PIXELS, "text": ["a ca", "do", "ca do"]}
    if name == "blip_vqa":
        return {"images": PIXELS, "questions": QUESTIONS, "answers": text}
    if name == "vilt":  # `fit` also takes the scores of the answers.
        return {"images": PIXELS, "questions": np.array(QUESTIONS)}
    return {"images": PIXELS, "captions": text}


def compile_fast(model):
    # TensorFlow traces a step longer than it runs these.
    model.compile(keras.optimizers.Adam(0.02), run_eagerly=keras.backend.backend() == "tensorflow")


def compute_outputs(model, name):
    """Returns the logits, or the embeddings, of the pairs."""
    inputs = model.preprocessor(make_pairs(name))
    outputs = model(inputs[0] if isinstance(inputs, tuple) else inputs)
    return [ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)]


@pytest.mark.parametrize("name", [*CAPTIONERS, *OTHERS])
def test_low_rank_adapters_are_trained_and_merged(name, folders, tmp_path):
    model = load_checkpoint(folders[name])
    before = compute_outputs(model, name)
    model.enable_lora(2)
    for output, old in zip(compute_outputs(model, name), before, strict=True):
        np.testing.assert_allclose(output, old, atol=1e-6)
    assert all("lora" in weight.path for weight in model.trainable_weights)
    frozen = [ops.convert_to_numpy(weight) for weight in model.non_trainable_weights]
    compile_fast(model)
    scores = np.eye(3, len(model.answers), dtype="float32") if name == "vilt" else None
    data, options = (make_pairs(name), scores), {"batch_size": 3, "verbose": 0}
    # The loss of `fit` varies by the dropout of GPT-2 more than it decreases.
    loss = model.evaluate(*data, **options, return_dict=True)["loss"]
    model.fit(*data, epochs=3, **options)
    assert model.evaluate(*data, **options, return_dict=True)["loss"] < loss
    for weight, old in zip(model.non_trainable_weights, frozen, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), old)
    model.save_to_preset(tmp_path / "preset")
    copy = type(model).from_preset(tmp_path / "preset")
    assert not any("lora" in weight.path for weight in copy.weights)
    outputs = (compute_outputs(each, name) for each in (copy, model))
    for output, expected in zip(*outputs, strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)


def test_frozen_parts_get_no_adapters(folders):
    model = load_checkpoint(folders["blip"])
    model.image_encoder.trainable = False
    model.enable_lora(1)
    assert not model.image_encoder.trainable_weights
    assert all("text_decoder" in weight.path for weight in model.trainable_weights)
    with pytest.raises(ValueError, match="already has adapters"):
        model.enable_lora(1)
    model = load_checkpoint(folders["blip"])
    model.trainable = False
    with pytest.raises(ValueError, match="BlipCaptioner has no trainable part"):
        model.enable_lora(1)


def test_model_trains_from_scratch(folders):
    model = load_checkpoint(folders["blip"], load_weights=False)
    compile_fast(model)
    losses = model.fit(make_pairs("blip"), batch_size=3, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
