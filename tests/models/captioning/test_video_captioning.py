import keras
import numpy as np
import pytest
from PIL import Image
from saved_models import call, png
from small_captioners import SIZE, color_image, enlarge, small_encoder, small_preprocessor

from keras_mmfusion import TextDecoder
from keras_mmfusion.datasets import video_dataset
from keras_mmfusion.encoders import VideoEncoder
from keras_mmfusion.layers import DividedSpaceTimeTransformer, FrameEmbedding, TemporalTransformer
from keras_mmfusion.models import (
    GitCaptioner,
    GitTextDecoder,
    TransformerCaptioner,
    load_model,
)

NUM_FRAMES = 3
COLORS = ("red", "blue", "green")


def make_videos():
    """A video for each color, which becomes brighter."""
    return [
        np.stack([color_image(color, shade=20 * index) for index in range(NUM_FRAMES)])
        for color in COLORS
    ]


def make_captioner(fusion=None):
    """A captioner of videos with initial weights, which learns faster than with enlarged ones."""
    preprocessor = small_preprocessor()
    image_encoder = small_encoder()
    image_encoder.grid = (2, 2)
    model = TransformerCaptioner(
        VideoEncoder(
            image_encoder, fusion or TemporalTransformer(num_layers=1, num_heads=2), NUM_FRAMES
        ),
        TextDecoder(
            preprocessor.tokenizer.vocabulary_size(),
            dim=16,
            num_layers=1,
            num_heads=2,
            sequence_length=8,
            cross_attention=True,
        ),
        preprocessor,
    )
    model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    return model


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    paths = [str(folder / f"{name}.webp") for name in COLORS]
    for path, frames in zip(paths, make_videos(), strict=True):
        first, *rest = map(Image.fromarray, frames)
        first.save(path, save_all=True, append_images=rest, lossless=True)
    return paths


@pytest.fixture(scope="module")
def captions():
    return ["a red square on the wall", "a blue square on the wall", "the wall is green"]


@pytest.fixture(scope="module")
def model(paths, captions):
    """A captioner that is trained on video files."""
    keras.utils.set_random_seed(0)
    model = make_captioner()
    data = video_dataset(paths, {"captions": captions}, NUM_FRAMES, SIZE, cache=True)
    model.fit(data.repeat(40), verbose=0)
    return model


def test_generate_reads_videos_of_any_type(model, captions, paths, tmp_path):
    videos = make_videos()
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, frame in enumerate(videos[0]):
        Image.fromarray(frame).save(folder / f"{index}.png")
    for source in (videos, [list(video) for video in videos], np.array(paths), iter(videos)):
        assert model.generate(source, beams=2) == captions
    for source in (videos[0], folder, str(folder)):
        assert model.generate(source, beams=2) == captions[0]
    # Longer videos are sampled, and shorter ones repeat their last frame.
    for video in (np.repeat(videos[2], 4, axis=0), videos[2][:1]):
        assert model.generate(video, beams=2) == captions[2]


def test_attention_is_on_the_grids_of_all_frames():
    model = make_captioner(DividedSpaceTimeTransformer(num_layers=1, num_heads=2))
    caption = model.generate(make_videos()[0], beams=1, details=True)
    assert caption.attention.shape[1:] == (2, NUM_FRAMES * 2)


def test_saved_model_and_preset_give_the_same_captions(model, captions, tmp_path):
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    for loaded in (
        load_model(tmp_path / "model.keras"),
        TransformerCaptioner.from_preset(tmp_path / "preset"),
    ):
        loaded.compile(jit_compile=False)
        assert loaded.image_encoder.num_frames == NUM_FRAMES
        assert loaded.generate(make_videos(), beams=2) == captions


def test_exported_captions_equal_generate(model, captions, tmp_path):
    tf = pytest.importorskip("tensorflow")
    signatures = tf.saved_model.load(model.export(tmp_path, beams=2)).signatures
    videos = make_videos()
    files = [[png(frame) for frame in video] for video in videos]
    outputs = call(signatures["serving_default"], image_bytes=files)
    assert [caption.decode() for caption in outputs["captions"]] == captions
    outputs = call(signatures["caption_pixels"], images=np.stack(videos).astype("float32"))
    assert [caption.decode() for caption in outputs["captions"]] == captions
    files[1][2] = b"not an image"
    outputs = call(signatures["serving_default"], image_bytes=files)
    assert outputs["error_codes"].tolist() == [0, 2, 0]
    assert [caption.decode() for caption in outputs["captions"]] == [captions[0], "", captions[2]]


def test_invalid_videos_are_reported(model, paths, tmp_path):
    Image.fromarray(color_image("red")).save(tmp_path / "photo.png")
    with pytest.raises(ValueError, match=r"`images\[1\]`: .*is an image \(PNG\), not a video"):
        model.generate([paths[0], tmp_path / "photo.png"])
    with pytest.raises(TypeError, match="`images` must be one video or a sequence of videos"):
        model.generate({"images": paths})


def test_git_captioner_reads_video_files(paths, tmp_path):
    preprocessor = small_preprocessor()
    decoder = GitTextDecoder(
        preprocessor.tokenizer.vocabulary_size(),
        dim=8,
        num_layers=1,
        num_heads=2,
        sequence_length=8,
    )
    model = GitCaptioner(small_encoder(), decoder, preprocessor, FrameEmbedding(NUM_FRAMES))
    enlarge(model)
    model.compile(jit_compile=False)
    expected = model.generate(np.stack(make_videos()), beams=1)
    assert model.generate(paths, beams=1) == expected
    assert model.generate(paths[0], beams=1) == expected[0]
    Image.fromarray(color_image("red")).save(tmp_path / "photo.png")
    photo = model.generate(color_image("red"), beams=1)
    assert model.generate([tmp_path / "photo.png"], beams=1) == [photo]
