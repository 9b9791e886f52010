import io
import sys

import numpy as np
import pytest
from test_read_video import identify
from video_files import make_frames, write_video

from keras_mmfusion._extras import MissingExtraError
from keras_mmfusion.datasets import FramesPerSecond, KeyFrames, UniformFrames, read_video
from keras_mmfusion.datasets.videos import video_file

NUM_FRAMES = 40
DECODE = video_file._decode
TO_PIXELS = video_file._to_pixels


@pytest.fixture(scope="module", params=["libx264 mp4", "libvpx webm", "mpeg4 avi"])
def path(request, tmp_path_factory):
    pytest.importorskip("av", reason="PyAV, of the extra `video`, is not installed")
    codec, suffix = request.param.split()
    path = tmp_path_factory.mktemp("videos") / f"clip.{suffix}"
    write_video(path, make_frames(NUM_FRAMES), codec)
    return path


@pytest.fixture(scope="module")
def mp4(tmp_path_factory):
    pytest.importorskip("av", reason="PyAV, of the extra `video`, is not installed")
    path = tmp_path_factory.mktemp("videos") / "clip.mp4"
    write_video(path, make_frames(NUM_FRAMES))
    return path


def test_sampled_frames_are_those_of_an_array(path):
    frames = make_frames(NUM_FRAMES)
    for sampling in (UniformFrames(7), UniformFrames(100), FramesPerSecond(3)):
        expected = identify(read_video(frames, sampling, frame_rate=12).frames)
        for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
            video = read_video(source, sampling)
            assert identify(video.frames) == expected
            np.testing.assert_allclose(video.times, np.array(expected) / 12, atol=1e-3)
            assert video.frames[:, :, :6].min() > 200  # The bright column is on the left.


def test_key_frames_are_at_the_interval_of_the_encoder(mp4):
    assert identify(read_video(mp4, KeyFrames()).frames) == [0, 10, 20, 30]
    assert identify(read_video(mp4, KeyFrames(max_frames=2)).frames) == [10, 30]


def test_only_frames_after_the_last_key_frame_are_decoded(mp4, monkeypatch):
    decoded = []

    def decode(*args):
        for frame in DECODE(*args):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(video_file, "_decode", decode)
    source = video_file.VideoFile(str(mp4), "It", 10**6, False)
    frames = [frame for _, frame in source.read([0, 1, 35])]
    assert identify(np.stack(frames)) == [0, 1, 35]
    assert len(decoded) == 2 + 6


def test_only_sampled_frames_are_converted_to_arrays(mp4, monkeypatch):
    converted = []

    def convert(frame):
        converted.append(frame.pts)
        return TO_PIXELS(frame)

    monkeypatch.setattr(video_file, "_to_pixels", convert)
    assert len(read_video(mp4, UniformFrames(3), image_size=(4, 4))) == len(converted) == 3


def test_truncated_files_are_reported_or_sampled_as_far_as_possible(path):
    data = path.read_bytes()
    data = data[: int(0.6 * len(data))]
    with pytest.raises(ValueError, match="truncated.*(pass `skip_corrupt=True`|ffmpeg)"):
        read_video(data, UniformFrames(6))
    if path.suffix != ".avi":  # FFmpeg does not open a truncated AVI file.
        video = read_video(data, UniformFrames(6), skip_corrupt=True)
        assert len(video) + video.num_skipped == 6 and len(video) >= 4
        assert video.times.max() < 3
    with pytest.raises(ValueError, match="truncated"):
        read_video(data[:40], UniformFrames(6))


def test_corrupt_frames_are_reported_or_skipped_and_counted(mp4):
    import av

    data = bytearray(mp4.read_bytes())
    with av.open(str(mp4)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.is_keyframe]
    position, size = packets[2]
    data[position + 4 : position + size] = bytes(size - 4)
    with pytest.raises(ValueError, match=r"Frame \d+ of The video of \d+ bytes, at .* s, is dam"):
        read_video(data, UniformFrames(8))
    video = read_video(data, UniformFrames(8), skip_corrupt=True)
    good = identify(video.frames)
    assert video.num_skipped == 8 - len(video) and 0 < video.num_skipped <= 3
    assert set(good) >= {2, 7, 12, 17, 32, 37}


def test_files_without_video_or_with_large_frames_are_reported(mp4, tmp_path):
    import av

    with av.open(tmp_path / "sound.mp4", "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), "float32"), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match="has no video stream, only audio"):
        read_video(tmp_path / "sound.mp4", UniformFrames(2))
    with pytest.raises(ValueError, match="48 x 32 pixels, more than `max_pixels=100`"):
        read_video(mp4, UniformFrames(2), max_pixels=100)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ValueError, match="not a video that FFmpeg reads.*ffmpeg -i"):
        read_video(tmp_path / "text.mp4", UniformFrames(2))


def test_missing_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'keras-mmfusion\[video\]'"):
        read_video(tmp_path / "clip.mp4", UniformFrames(2))


def test_rotated_frames_are_upright(mp4):
    class Frame:
        rotation = -90  # A phone held upright: the pixels must be turned clockwise.

        def to_ndarray(self, format):
            return np.arange(6, dtype="uint8").reshape(2, 3, 1).repeat(3, axis=-1)

    assert video_file._to_pixels(Frame())[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]
