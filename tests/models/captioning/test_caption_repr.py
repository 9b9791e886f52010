import numpy as np

from keras_mmfusion.models.captioning.decoding.caption import Caption


def test_caption_repr_is_short():
    caption = Caption("a dog", -0.5, ["a", "dog", "[END]"], np.zeros(3), np.zeros((3, 7, 7)))
    expected = "Caption(text='a dog', score=-0.5, tokens=3, attention=(3, 7, 7))"
    assert repr(caption) == repr([caption])[1:-1] == expected
