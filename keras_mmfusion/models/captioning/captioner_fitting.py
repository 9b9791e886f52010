import keras

from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.compiled_function import is_faster_with_xla, resolve_jit_compile


class CaptionerFitting:
    """Mixin of what `fit` of a captioner accepts and how it is configured; precedes `TaskModel`.

    The model has a `text_decoder` and a `preprocessor`.
    """

    def _check_data(self, data):
        # KerasHub's pipeline would raise errors without the index of an invalid caption.
        inputs = data[0] if isinstance(data, tuple) and data else data
        if isinstance(inputs, dict) and "captions" in inputs:
            captions = inputs["captions"]
            is_ids = getattr(getattr(captions, "dtype", None), "kind", "O") in "iu"
            if not is_ids:
                check_texts(captions, "captions")
        return super()._check_data(data)

    def _list_features(self, inputs):
        names = ("images", "image_tokens") if isinstance(inputs, dict) else ()
        return [(name, None, inputs[name], None) for name in names if name in inputs]

    def _uses_pipeline(self, y, *data):
        # Targets are computed from raw captions: if given, the inputs are preprocessed already.
        return y is None and super()._uses_pipeline(y, *data)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        if y is not None:  # See `_uses_pipeline`.
            return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        return super().preprocess_samples(x, y, sample_weight)

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        loss_weights=None,
        metrics=None,
        weighted_metrics="auto",
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
    ):
        """Configures the model for training; see `keras.Model.compile`.

        The defaults are AdamW with a learning rate of 1e-4, cross-entropy with label smoothing of
        0.1, and token accuracy.

        On TensorFlow, `jit_compile="auto"` uses XLA for training on a GPU, and for the search of
        `generate` if the decoder caches keys and values as a `TextDecoder` does; on a CPU only if
        its dim is below 512. XLA removes the overhead of small operations, but multiplies large
        matrices more slowly on a CPU. Convolutions of image encoders are many times slower, so
        training on a CPU is without XLA.
        """
        self._jit_compile_argument = jit_compile
        if optimizer == "auto":
            optimizer = keras.optimizers.AdamW(1e-4, weight_decay=0.01, clipnorm=1.0)
        if loss == "auto":
            loss = SmoothedCrossEntropy(label_smoothing=0.1)
        if weighted_metrics == "auto":
            weighted_metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        super().compile(
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=resolve_jit_compile(jit_compile),
            auto_scale_loss=auto_scale_loss,
        )
        self.reset_compiled_functions()

    @property
    def _jit_compile_search(self):
        """Whether TensorFlow compiles the search with XLA, which does not support all layers."""
        if self._jit_compile_argument == "auto":
            caches = hasattr(self.text_decoder, "step")  # Keys and values.
            return caches and is_faster_with_xla(self.text_decoder.dim)
        return self._jit_compile_argument
