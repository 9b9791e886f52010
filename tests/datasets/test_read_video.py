import io

import numpy as np
import pytest
from PIL import Image
from video_files import HEIGHT, make_frames

from keras_mmfusion.datasets import FramesPerSecond, KeyFrames, UniformFrames, read_video

FRAMES = make_frames(12)


def identify(frames):
    """The indices of frames of `make_frames`, from the gray of their last column."""
    return np.round(frames[:, HEIGHT // 2, -4].astype("float32").mean(-1) / 6).astype(int).tolist()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(folder / f"frame{index}.png")
    (folder / "notes.txt").write_text("no frame")
    return folder


def save_animation(path, durations=100, **settings):
    first, *rest = map(Image.fromarray, FRAMES)
    first.save(path, save_all=True, append_images=rest, duration=durations, **settings)
    return path


def test_arrays_lists_and_folders_give_the_same_frames(folder):
    paths = [folder / f"frame{index}.png" for index in range(12)]
    for source in (FRAMES, FRAMES / np.float32(255), list(FRAMES), paths, folder, str(folder)):
        video = read_video(source, UniformFrames(4))
        np.testing.assert_array_equal(video.frames, FRAMES[[1, 4, 7, 10]])
        assert video.frames.dtype == np.uint8 and np.isnan(video.times).all()
        assert video.num_skipped == 0


def test_uniform_frames_are_the_middles_of_equal_parts():
    for total in (1, 5, 12):
        for count in (1, 3, 5, 20):
            selected = identify(read_video(FRAMES[:total], UniformFrames(count)).frames)
            expected = sorted({int((i + 0.5) * total / count) for i in range(count)})
            assert selected == (expected if total > count else list(range(total)))


def test_frames_per_second_selects_the_frame_shown_at_each_time():
    def select(rate, **limits):
        return identify(read_video(FRAMES, FramesPerSecond(rate, **limits), frame_rate=6).frames)

    assert select(2) == [0, 3, 6, 9]
    assert select(4) == [0, 1, 3, 4, 6, 7, 9, 10]
    assert select(6) == list(range(12)) == select(60)
    assert select(0.01) == [0]
    assert select(6, max_frames=3) == [2, 6, 10]


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_are_read_from_paths_bytes_and_files(tmp_path, suffix):
    durations = [100, 200] * 6
    lossless = {"lossless": True} if suffix == ".webp" else {"optimize": False}
    path = save_animation(tmp_path / f"clip{suffix}", durations, **lossless)
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        video = read_video(source, UniformFrames(4))
        assert identify(video.frames) == [1, 4, 7, 10]
        np.testing.assert_allclose(video.times, [0.1, 0.6, 1.0, 1.5])
    # Every frame is shown at a multiple of 0.3 s, or 0.1 s after it.
    assert identify(read_video(path, FramesPerSecond(1 / 0.3)).frames) == [0, 2, 4, 6, 8, 10]


def test_frames_are_resized_when_read(folder):
    Image.new("RGB", (7, 5)).save(folder / "frame3.png")
    with pytest.raises(ValueError, match=r"different sizes: \[\(5, 7\), \(32, 48\)\].*image_size"):
        read_video(folder, UniformFrames(12))
    assert read_video(folder, UniformFrames(12), (16, 24)).frames.shape == (12, 16, 24, 3)


def test_corrupt_frames_are_reported_or_skipped_and_counted(folder):
    data = (folder / "frame4.png").read_bytes()
    (folder / "frame4.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"Frame 4 of The folder .*damaged or truncated"):
        read_video(folder, UniformFrames(4))
    video = read_video(folder, UniformFrames(4), skip_corrupt=True)
    assert identify(video.frames) == [1, 7, 10] and video.num_skipped == 1
    for path in folder.glob("*.png"):
        path.write_bytes(b"not an image")
    with pytest.raises(ValueError, match="None of the 4 sampled frames"):
        read_video(folder, UniformFrames(4), skip_corrupt=True)


def test_truncated_animation_is_reported_or_skipped(tmp_path):
    data = save_animation(tmp_path / "clip.webp", lossless=True).read_bytes()
    with pytest.raises(ValueError, match="damaged or truncated"):
        read_video(data[: len(data) // 2], UniformFrames(4))
    save_animation(tmp_path / "clip.gif")
    data = (tmp_path / "clip.gif").read_bytes()
    for fraction in (0.65, 0.7, 0.72):
        cut = data[: int(fraction * len(data))]
        with pytest.raises(ValueError, match="truncated"):
            read_video(cut, UniformFrames(12))
        video = read_video(cut, UniformFrames(12), skip_corrupt=True)
        assert identify(video.frames) == list(range(len(video))) and 6 <= len(video) <= 8
        assert video.num_skipped <= 1


def test_invalid_videos_are_reported(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.mp4").touch()
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.jpg")
    for source, message in (
        (tmp_path / "empty", "contains no frames"),
        ([], "contains no frames"),
        (np.zeros((0, 4, 4, 3)), "contains no frames"),
        (tmp_path / "no.mp4", "There is no video file or folder"),
        (tmp_path / "empty.mp4", "is empty"),
        (tmp_path / "photo.jpg", r"is an image \(JPEG\), not a video"),
        (np.zeros((4, 4, 3)), r"must have the shape \(frames, height, width, channels\)"),
    ):
        with pytest.raises(ValueError, match=message):
            read_video(source, UniformFrames(2))
    with pytest.raises(TypeError, match="`source` must be an array or a list of frames"):
        read_video(3, UniformFrames(2))
    with pytest.raises(ValueError, match="more than `max_pixels=100`"):
        read_video(FRAMES, UniformFrames(2), max_pixels=100)


def test_invalid_sampling_is_reported():
    with pytest.raises(ValueError, match="`sampling` must be `UniformFrames`"):
        read_video(FRAMES, 8)
    with pytest.raises(ValueError, match="Pass its `frame_rate`"):
        read_video(FRAMES, FramesPerSecond(1))
    with pytest.raises(ValueError, match="no key frames.*`UniformFrames`"):
        read_video(FRAMES, KeyFrames())
    with pytest.raises(ValueError, match="UniformFrames: `count` must be a positive integer"):
        UniformFrames(0)
    with pytest.raises(ValueError, match="FramesPerSecond: `rate` must be a positive number"):
        FramesPerSecond(0)
