import pytest
from photos import photo
from PIL import Image

from keras_mmfusion.datasets import CaptionPairs


@pytest.fixture
def pairs(tmp_path):
    """Ten images of different sizes, with one to three captions that contain their index."""
    images = []
    for index in range(10):
        path = tmp_path / f"{index}.jpg"
        Image.fromarray(photo(40 + 3 * index, 60, phase=index)).save(path, quality=90)
        images.append(str(path))
    captions = [[f"photo {i}", f"left {i}", f"right {i}"][: 1 + i % 3] for i in range(10)]
    return CaptionPairs(images, captions)
