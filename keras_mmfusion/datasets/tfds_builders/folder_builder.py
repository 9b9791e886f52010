"""Base class of the builders, for manually downloaded folders, with or without Apache Beam."""

import itertools

try:
    import tensorflow_datasets as tfds
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Builders of TensorFlow Datasets require the package tensorflow-datasets. Run "
        "`pip install 'keras-mmfusion[tfds]'`.",
        name=error.name,
    ) from error


class FolderBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A builder whose examples are generated from independent parts.

    The parts are processed sequentially or, if the `DownloadConfig` has a Beam runner or Beam
    options, in a Beam pipeline, on one machine or on a cluster with access to the folder.
    """

    VERSION = tfds.core.Version("1.0.0")
    _on_beam = False

    def _download_and_prepare(self, dl_manager, download_config):
        beam = (download_config.beam_runner, download_config.beam_options)
        self._on_beam = any(each is not None for each in beam)
        super()._download_and_prepare(dl_manager, download_config)

    def _generate_examples(self, parts, examples):
        """Generates the examples of a split.

        Args:
            parts: list of picklable objects.
            examples: module-level function, part -> iterable of tuples `(key, example)`.
        """
        if not self._on_beam:
            return itertools.chain.from_iterable(map(examples, parts))
        import apache_beam as beam

        return beam.Create(parts) | beam.Reshuffle() | beam.FlatMap(examples)
