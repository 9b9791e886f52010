"""A progress bar of epochs for models that train with `fit`. Imports Keras."""

import keras

from keras_mmfusion._progress import progress_bars


class FitProgress(keras.callbacks.Callback):
    """Shows the finished epochs, their rate, the remaining time and the loss on stderr.

    Args:
        description: string.
    """

    def __init__(self, description="Training"):
        super().__init__()
        self.description = description

    def on_train_begin(self, logs=None):
        self._bars = progress_bars()
        self._task = self._bars.add_task(self.description, total=self.params["epochs"])
        self._bars.start()

    def on_epoch_end(self, epoch, logs=None):
        loss = f", loss {logs['loss']:.4g}" if "loss" in (logs or {}) else ""
        self._bars.update(self._task, description=f"{self.description}{loss}", advance=1)

    def on_train_end(self, logs=None):
        self._bars.stop()
