import numpy as np
import pytest
from PIL import Image
from test_read_video import identify
from video_files import HEIGHT, WIDTH, make_frames

from keras_mmfusion.datasets import video_dataset

COUNTS = (3, 8, 12)


@pytest.fixture
def videos(tmp_path):
    """Three folders of 3, 8 and 12 frames."""
    for count in COUNTS:
        (tmp_path / str(count)).mkdir()
        for index, frame in enumerate(make_frames(count)):
            Image.fromarray(frame).save(tmp_path / str(count) / f"{index}.png")
    return [str(tmp_path / str(count)) for count in COUNTS]


def test_batches_contain_sampled_frames_masks_and_columns(videos):
    data = video_dataset(
        videos, {"captions": ["a", "b", "c"]}, 4, (HEIGHT, WIDTH), batch_size=3, shuffle=False
    )
    assert data.cardinality() == 1
    for cached in (data, data.cache()):
        (batch,) = list(cached.as_numpy_iterator())
        assert batch["images"].shape == (3, 4, HEIGHT, WIDTH, 3)
        assert [identify(frames) for frames in batch["images"]] == [
            [0, 1, 2, 2],  # The last frame is repeated.
            [1, 3, 5, 7],
            [1, 4, 7, 10],
        ]
        assert batch["frame_mask"].tolist() == [[True] * 3 + [False], [True] * 4, [True] * 4]
        assert batch["captions"].tolist() == [b"a", b"b", b"c"]
        assert batch["num_skipped"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("cache", [False, True])
def test_order_depends_on_the_seed_and_changes_each_epoch(videos, cache):
    columns = {"index": np.arange(12)}
    data = video_dataset(videos * 4, columns, 2, (4, 6), batch_size=12, seed=5, cache=cache)
    orders = [next(iter(data))["index"].numpy().tolist() for _ in range(2)]
    assert orders[0] != orders[1] and sorted(orders[0]) == list(range(12))
    for batch in data.as_numpy_iterator():
        last = np.round(batch["images"][:, -1, 0, -1, 0] / 6).astype(int).tolist()
        assert last == [[2, 6, 9][index % 3] for index in batch["index"]]


def test_corrupt_frames_are_reported_or_counted(videos, tmp_path):
    (tmp_path / "8" / "3.png").write_bytes(b"no image")
    settings = {"num_frames": 4, "image_size": (4, 6), "shuffle": False}
    with pytest.raises(Exception, match="Frame 3 of The folder"):
        list(video_dataset(videos, {}, **settings))
    (batch,) = video_dataset(videos, {}, skip_corrupt=True, **settings)
    assert batch["num_skipped"].numpy().tolist() == [0, 1, 0]
    assert batch["frame_mask"].numpy().sum(axis=1).tolist() == [3, 3, 4]


def test_invalid_columns_and_paths_are_reported(videos):
    with pytest.raises(ValueError, match="equal length and not empty.*'captions': 1"):
        video_dataset(videos, {"captions": ["a"]}, 4, (4, 6))
    with pytest.raises(ValueError, match="1 paths that do not exist: .*no.mp4"):
        video_dataset([*videos, "no.mp4"], {}, 4, (4, 6))
    with pytest.raises(ValueError, match="`num_frames` must be a positive integer"):
        video_dataset(videos, {}, 0, (4, 6))
