"""The base of the task models."""

import keras

from keras_mmfusion.models.bfloat16_training import check_bfloat16_training
from keras_mmfusion.models.low_rank_adaptation import LowRankAdaptation
from keras_mmfusion.models.nan_checks import NaNChecks
from keras_mmfusion.models.preprocessed_sequence import PreprocessedSequence
from keras_mmfusion.models.presets.preset_folder import PresetModel
from keras_mmfusion.models.presets.slow_float16 import warn_of_slow_float16
from keras_mmfusion.models.steps_by_rank import StepsByRank


class TaskModel(PresetModel, StepsByRank, NaNChecks, LowRankAdaptation):
    """Base of the task models: presets, checked and preprocessed data, LoRA, optimizer state.

    It precedes the Keras base class, `keras.Model` or, for models with a preprocessor,
    `keras_hub.models.Task`.

    KerasHub preprocesses raw data in a pipeline of `tf.data` or Grain. A `PyDataset`, which that
    pipeline does not support, is preprocessed batch by batch; data of a model without a
    preprocessor is passed to Keras.
    """

    def fit(self, x=None, y=None, batch_size=None, epochs=1, *, validation_data=None, **kwargs):
        """Trains the model on raw or preprocessed data; see `keras.Model.fit`."""
        warn_of_slow_float16(self.dtype_policy)
        check_bfloat16_training(self)
        x, validation_data = self._check_data(x), self._check_data(validation_data)
        kwargs["epochs"] = epochs
        if self._uses_pipeline(y, x, validation_data):
            # The pipeline is a dataset, which Keras cannot shuffle and warns about.
            kwargs = {"shuffle": False, **kwargs}
            return super().fit(x, y, batch_size, validation_data=validation_data, **kwargs)
        x, validation_data = self._preprocess_data(x), self._preprocess_data(validation_data)
        return keras.Model.fit(self, x, y, batch_size, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """Evaluates the model on raw or preprocessed data; see `keras.Model.evaluate`."""
        x = self._check_data(x)
        if self._uses_pipeline(y, x):
            return super().evaluate(x, y, batch_size, **kwargs)
        return keras.Model.evaluate(self, self._preprocess_data(x), y, batch_size, **kwargs)

    def predict(self, x=None, batch_size=None, **kwargs):
        """Computes outputs for raw or preprocessed data; see `keras.Model.predict`."""
        x = self._check_data(x)
        if self._uses_pipeline(None, x):
            return super().predict(x, batch_size, **kwargs)
        return keras.Model.predict(self, self._preprocess_data(x), batch_size, **kwargs)

    def _uses_pipeline(self, y, *data):
        """Returns whether KerasHub's pipeline preprocesses the data."""
        if getattr(self, "preprocessor", None) is None:
            return False
        return not any(isinstance(each, keras.utils.PyDataset) for each in data)

    def _preprocess_data(self, data):
        if getattr(self, "preprocessor", None) is None:
            return data
        if isinstance(data, keras.utils.PyDataset):
            return PreprocessedSequence(data, self.preprocess_samples)
        if hasattr(data, "element_spec"):
            return data.map(self.preprocess_samples)
        return data

    def make_train_function(self, force=False):
        """Compiles the training step; see `keras.Model.make_train_function`."""
        if keras.config.backend() == "tensorflow" and self.built and not self.optimizer.built:
            # TensorFlow traces a step twice if the first call creates variables.
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        super().make_train_function(force)

    def get_compile_config(self):
        config = super().get_compile_config()
        optimizer = getattr(self, "optimizer", None)  # None before the first `compile`.
        if not config:
            return config
        config = {**config, "optimizer_built": optimizer is not None and optimizer.built}
        # The machine that loads the model resolves "auto" anew.
        argument = getattr(self, "_jit_compile_argument", config["jit_compile"])
        return {**config, "jit_compile": argument}

    def compile_from_config(self, config):
        config = keras.saving.deserialize_keras_object(config)
        # The file contains no state of an optimizer that has not been used.
        optimizer_built = config.pop("optimizer_built", False)
        self.compile(**config)
        if optimizer_built and self.built:
            self.optimizer.build(self.trainable_variables)
