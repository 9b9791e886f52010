"""The configuration and preprocessing files of a checkpoint."""

import pathlib

from keras_mmfusion.checkpoints.checkpoint_source import describe_source
from keras_mmfusion.checkpoints.weight_files import open_weights
from keras_mmfusion.files.json_files import read_json

CONFIG = "config.json"


class CheckpointAssets:
    """The files of a checkpoint besides its weights, in the variants found on the Hub.

    Args:
        folder: string or path.

    Attributes:
        folder: path.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def get_path(self, *names):
        """Returns the path of the first of these files that exists, or `None`.

        Args:
            *names: strings, such as `"vocab.txt", "tokenizer.json"`.
        """
        for name in names:
            if (self.folder / name).is_file():
                return self.folder / name
        return None

    def require_path(self, *names):
        """Returns the path of the first of these files that exists; raises an error if none does.

        Args:
            *names: strings.
        """
        path = self.get_path(*names)
        if path is None:
            raise ValueError(f"{str(self.folder)!r} must have {' or '.join(names)}.")
        return path

    def read_json(self, name):
        """Reads a JSON object, or returns an empty dict if there is no such file.

        Args:
            name: string.
        """
        path = self.get_path(name)
        content = {} if path is None else read_json(path)
        if not isinstance(content, dict):
            raise ValueError(f"{str(path)!r} must be a JSON object.")
        return content

    @property
    def config(self):
        """The content of config.json."""
        self.require_path(CONFIG)
        return self.read_json(CONFIG)

    @property
    def image_processor(self):
        """The settings of image preprocessing.

        They are in preprocessor_config.json or, in newer checkpoints, in processor_config.json.
        """
        settings = self.read_json("preprocessor_config.json")
        if settings:
            return settings.get("image_processor", settings)
        return self.read_json("processor_config.json").get("image_processor", {})

    @property
    def tokenizer_config(self):
        """The content of tokenizer_config.json."""
        return self.read_json("tokenizer_config.json")

    @property
    def generation_config(self):
        """The content of generation_config.json; older checkpoints have it in config.json."""
        return self.read_json("generation_config.json")

    def open_weights(self):
        """Opens the weights, a mapping of names to arrays; see `weight_files.open_weights`."""
        return open_weights(self.folder)

    def describe_source(self):
        """Describes the origin; see `checkpoint_source.describe_source`."""
        return describe_source(self.folder)
