"""What the builders share: a folder of files that were had by hand, and Apache Beam."""

import itertools

try:
    import tensorflow_datasets as tfds
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Builders of TensorFlow Datasets need the package tensorflow-datasets: install the extra, "
        "pip install 'keras-mmfusion[tfds]'.",
        name=error.name,
    ) from error


class FolderBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A builder whose examples are made of parts, each by itself.

    The parts are gone through one by one or, if the `DownloadConfig` has a runner or options of
    Beam, in a Beam pipeline: on one machine or on a cluster whose workers see the folder.
    """

    VERSION = tfds.core.Version("1.0.0")
    _on_beam = False

    def _download_and_prepare(self, dl_manager, download_config):
        beam = (download_config.beam_runner, download_config.beam_options)
        self._on_beam = any(each is not None for each in beam)
        super()._download_and_prepare(dl_manager, download_config)

    def _generate_examples(self, parts, examples):
        """The examples of a split.

        Args:
            parts: list of what can be pickled.
            examples: function of a module, a part -> tuples of a key and an example.
        """
        if not self._on_beam:
            return itertools.chain.from_iterable(map(examples, parts))
        import apache_beam as beam

        return beam.Create(parts) | beam.Reshuffle() | beam.FlatMap(examples)
