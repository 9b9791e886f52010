"""TensorFlow Datasets builder of Flickr8k."""

import os

from keras_mmfusion.datasets.captions.flickr8k_captions import read_flickr8k
from keras_mmfusion.datasets.tfds_builders.folder_builder import FolderBuilder, tfds


class Flickr8k(FolderBuilder):
    """Builder of Flickr8k for `tfds.load("flickr8k")`.

    An example is an `"image"` with its five `"captions"`. The splits are `"train"`, `"dev"` and
    `"test"`. The folder `manual_dir` must contain the files of `read_flickr8k`.

    Args:
        data_dir, version, file_format: see `tfds.core.DatasetBuilder`.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Flickr8k_Dataset.zip and Flickr8k_text.zip, from
    https://hockenmaier.cs.illinois.edu/8k-pictures.html (on request) or the releases of
    https://github.com/jbrownlee/Datasets, both unpacked into `manual_dir`.
    """

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="8,000 images with five captions each.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                    "image/filename": tfds.features.Text(),
                    "captions": tfds.features.Sequence(tfds.features.Text()),
                }
            ),
            supervised_keys=("image", "captions"),
            homepage="https://hockenmaier.cs.illinois.edu/8k-pictures.html",
        )

    def _split_generators(self, dl_manager):
        folder = os.fspath(dl_manager.manual_dir)
        pairs = {split: read_flickr8k(folder, split) for split in ("train", "dev", "test")}
        return {
            split: self._generate_examples(
                list(zip(each.images, each.captions, strict=True)), generate_captioned_image
            )
            for split, each in pairs.items()
        }


def generate_captioned_image(part):
    """Returns the key and example of an image path and its captions."""
    path, captions = part
    name = os.path.basename(path)
    return [(name, {"image": path, "image/filename": name, "captions": captions})]
