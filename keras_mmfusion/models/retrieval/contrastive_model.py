import itertools

import keras
import keras_hub
from keras import ops

from keras_mmfusion._keras_internals import aggregate_loss
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.encoders.image_encoder import ImageEncoder
from keras_mmfusion.layers.flatten_feature_map import flatten_feature_map
from keras_mmfusion.losses.info_nce_loss import InfoNCELoss
from keras_mmfusion.losses.pair_loss import cosine_similarities
from keras_mmfusion.metrics.keras_ranking import RecallAtK
from keras_mmfusion.models.compiled_function import resolve_jit_compile
from keras_mmfusion.models.retrieval.embedding import embed_batches, find_nearest
from keras_mmfusion.models.retrieval.gather_replicas import gather_replicas
from keras_mmfusion.models.retrieval.retrieval_export import export_retrieval
from keras_mmfusion.models.retrieval.retrieval_preprocessor import RetrievalPreprocessor
from keras_mmfusion.models.retrieval.zero_shot import TEMPLATES, classify_images, embed_labels
from keras_mmfusion.models.task_model import TaskModel


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ContrastiveModel(TaskModel, keras_hub.models.Task):
    """Encoders of several modalities, trained so that matching inputs have similar embeddings.

    ```
    e_m = projector_m(encoder_m(x_m))     for each modality m
    loss = Σ_{m < n} pair_loss(e_m, e_n)  over the pairs of modalities
    ```

    Row `i` of each modality matches row `i` of the others; the other rows of the batch are
    negatives. With `tf.distribute` the negatives come from all replicas, with `keras.distribution`
    from all devices. `fit` reports the recall within the batch, in both directions. A `PyDataset`
    or `tf.data.Dataset` should shuffle the data itself; raw arrays are not shuffled.

    Args:
        encoders: dict, modality -> layer or model. It returns tokens `(batch, tokens, dim)`, a
            feature map `(batch, height, width, channels)`, a vector `(batch, dim)`, or a KerasHub
            backbone's dict with `"sequence_output"`. Without a projector, a vector of the
            shared space.
        loss: a `keras_mmfusion.losses.PairLoss`, or another loss of two batches of embeddings.
            Defaults to `InfoNCELoss()`. Its `logit_scale` is trained and saved with the model.
        projectors: dict, modality -> layer such as `SharedSpaceProjector`, called with `mask`. A
            modality whose encoder returns vectors of the shared space needs none.
        preprocessor: `RetrievalPreprocessor`, another preprocessing layer, or `None` for
            preprocessed data.

    Call arguments:
        inputs: dict, modality -> input of its encoder. The mask of its tokens, `(batch, tokens)`,
            is `"<modality>_mask"`, or the `"padding_mask"` of a dict input. An entry
            `"<modality>_tokens"` replaces a modality by tokens that are already encoded.

    Output shape:
        A dict, modality -> `(batch, dim)`, not normalized; `embed` returns unit vectors.

    Raises:
        ValueError: if there are fewer than two modalities, if a projector has an unknown name, or
            if an input is missing.

    Example:

    >>> import keras, numpy as np
    >>> from keras_mmfusion.layers import SharedSpaceProjector
    >>> from keras_mmfusion.models import ContrastiveModel
    >>> model = ContrastiveModel(
    ...     {"image": keras.layers.Dense(16), "text": keras.layers.Embedding(50, 16)},
    ...     projectors={name: SharedSpaceProjector(8) for name in ("image", "text")},
    ... )
    >>> data = {"image": np.random.rand(4, 5, 7), "text": np.random.randint(50, size=(4, 3))}
    >>> history = model.fit(data, batch_size=4, verbose=0)
    >>> indices, scores = model.retrieve({"text": data["text"]}, {"image": data["image"]}, k=2)
    >>> indices.shape
    (4, 2)

    Reference:
        Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
        2021, section 2.
    """

    backbone_cls = ImageEncoder
    preprocessor_cls = RetrievalPreprocessor
    recalls = (1, 5)

    def __init__(self, encoders, loss=None, projectors=None, preprocessor=None, **kwargs):
        super().__init__(compile=False, **kwargs)
        projectors = dict(projectors or {})
        names = tuple(encoders) if isinstance(encoders, dict) else ()
        if len(names) < 2 or not all(isinstance(n, str) and n.isidentifier() for n in names):
            raise ValueError(
                "`encoders` must be a dict of at least two modalities, name -> encoder, such as "
                f"{{'image': ..., 'text': ...}}. Received: {encoders!r}"
            )
        unknown = sorted(set(projectors) - set(names))
        if unknown:
            raise ValueError(
                f"`projectors` has {unknown[0]!r}, which is not a modality of "
                f"`encoders`: {', '.join(map(repr, names))}."
            )
        self.modalities = names
        for name in names:
            setattr(self, f"{name}_encoder", encoders[name])
            if name in projectors:
                setattr(self, f"{name}_projector", projectors[name])
        self.pair_loss = InfoNCELoss() if loss is None else loss
        if getattr(self.pair_loss, "logit_scale", None) is not None:
            self.logit_scale = self.pair_loss.logit_scale
        self.preprocessor = preprocessor
        self.dtype_policy = next(iter((projectors or encoders).values())).dtype_policy
        self.pairs = list(itertools.combinations(names, 2))
        self.recall_metrics = {
            (query, candidate, k): RecallAtK(k, name=f"{query}_to_{candidate}_recall_at_{k}")
            for pair in self.pairs
            for query, candidate in (pair, pair[::-1])
            for k in self.recalls
        }
        self.compile()
        if all(isinstance(encoder, keras.Model) and encoder.built for encoder in encoders.values()):
            self.build({name: encoder.input_shape for name, encoder in encoders.items()})

    @property
    def encoders(self):
        """The encoders, a dict by modality."""
        return {name: getattr(self, f"{name}_encoder") for name in self.modalities}

    @property
    def projectors(self):
        """The projectors, a dict by modality."""
        projectors = {name: getattr(self, f"{name}_projector", None) for name in self.modalities}
        return {name: layer for name, layer in projectors.items() if layer is not None}

    @property
    def backbone(self):
        """The first modality's encoder."""
        return getattr(self, f"{self.modalities[0]}_encoder") if self._has_modalities() else None

    def _has_modalities(self):
        return "modalities" in self.__dict__  # The base class reads `backbone` before `__init__`.

    def build(self, inputs_shape):
        """Builds every part by a symbolic call, so that all weights exist before loading."""
        inputs = {
            name: keras.tree.map_shape_structure(
                lambda shape: keras.KerasTensor((None, *shape[1:]), dtype="float32"), shape
            )
            for name, shape in inputs_shape.items()
        }
        self.compute_embeddings(inputs)
        self.built = True

    def call(self, inputs, training=None):
        given = {name.removesuffix("_tokens") for name in inputs}
        missing = [name for name in self.modalities if name not in given]
        if missing:
            raise ValueError(
                f"`inputs` lacks {missing[0]!r}. A {type(self).__name__} is called with all "
                f"modalities; use `embed` for one. Received: {', '.join(map(repr, inputs))}"
            )
        return self.compute_embeddings(inputs, training=training)

    def compute_embeddings(self, inputs, training=None):
        """Computes the embeddings of the modalities in `inputs`, a dict by modality."""
        embeddings = {}
        for name in self.modalities:
            mask = inputs.get(f"{name}_mask")
            tokens = inputs.get(f"{name}_tokens")
            if tokens is None:
                if name not in inputs:
                    continue
                if mask is None and isinstance(inputs[name], dict):
                    mask = inputs[name].get("padding_mask")
                tokens = self._encode(name, inputs[name], training)
            projector = getattr(self, f"{name}_projector", None)
            if projector is not None:
                tokens = projector(tokens, mask=mask, training=training)
            embeddings[name] = tokens
        return embeddings

    def _encode(self, name, inputs, training):
        tokens = getattr(self, f"{name}_encoder")(inputs, training=training)
        if isinstance(tokens, dict):
            tokens = tokens["sequence_output"]
        return flatten_feature_map(tokens)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        embeddings = {name: gather_replicas(y_pred[name]) for name in self.modalities}
        if sample_weight is not None:
            sample_weight = gather_replicas(sample_weight)
        loss = sum(
            self.pair_loss(embeddings[a], embeddings[b], sample_weight) for a, b in self.pairs
        )
        return loss + sum(aggregate_loss(self, extra) for extra in self.losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        embeddings = {name: gather_replicas(y_pred[name]) for name in self.modalities}
        for (query, candidate, _), metric in self.recall_metrics.items():
            if embeddings[query].shape[-1] == embeddings[candidate].shape[-1]:
                scores = cosine_similarities(
                    *(ops.cast(embeddings[name], "float32") for name in (query, candidate))
                )
                metric.update_state(ops.eye(ops.shape(scores)[0]), scores)
        return self.get_metrics_result()

    def embed(self, modality, inputs, batch_size=32):
        """Computes unit vectors in the shared space.

        Args:
            modality: string, one of the modalities.
            inputs: with a preprocessor, raw data: one sentence or several; one image or several
                (paths, files, bytes, PIL images, arrays), which are read batch by batch. Without,
                an array or dict of arrays, the input of the encoder.
            batch_size: int.

        Returns:
            A float32 NumPy array `(inputs, dim)`, also for a single input.

        Raises:
            ValueError: if an image cannot be read or a text is not a string; the message has its
                index.
        """
        return embed_batches(self, modality, inputs, batch_size)

    def retrieve(self, queries, candidates, k=5, batch_size=32):
        """Finds the candidates with the highest cosine similarity to each query.

        Args:
            queries: dict with one modality, such as `{"text": ["a dog runs"]}`; or an array
                returned by `embed`.
            candidates: the same for the other modality, such as `{"image": paths}`.
            k: int. Maximum number of candidates for each query.
            batch_size: int.

        Returns:
            Two NumPy arrays `(queries, k)`: the indices of the candidates, best first, and their
            cosine similarities.
        """
        return find_nearest(self, queries, candidates, k, batch_size)

    def classify(self, images, labels, templates=TEMPLATES, batch_size=32):
        """Classifies images by labels that are given as texts, without training (zero-shot).

        The probabilities are those of the loss: with `InfoNCELoss`, they sum to 1 over the labels;
        with `SigLIPLoss`, each label has its own, independent of the others.

        Args:
            images: one image or several, as for `embed`.
            labels: strings, such as `["cat", "dog"]`, or the array of `embed_labels`.
            templates: string or strings with `{}` for the label. The vector of a label is the mean
                over the templates.
            batch_size: int.

        Returns:
            A NumPy array `(images, labels)` of probabilities.

        Raises:
            ValueError: if the model has no images and texts, its loss defines no probabilities, or
                a template has no `{}`.
        """
        return classify_images(self, images, labels, templates, batch_size)

    def embed_labels(self, labels, templates=TEMPLATES, batch_size=32):
        """Computes the vectors of labels, to use them in several calls of `classify`.

        Args:
            labels, templates, batch_size: as for `classify`.

        Returns:
            A float32 NumPy array `(labels, dim)` of unit vectors.
        """
        return embed_labels(self, labels, templates, batch_size)

    def export(self, folder, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        `serving_default` takes `image_bytes`, image files, and returns unit-length `embeddings` and
        `error_codes`. `embed_tokens` takes the `token_ids` and the `padding_mask` of preprocessed
        texts. With a `ClipTokenizer` or a `WordPieceTokenizer`, as in CLIP and BLIP, `embed_texts`
        takes `texts`, strings; the operations of the other tokenizers are not part of TensorFlow
        Serving.

        Args:
            folder: string or path. The version goes into its subfolder `1`, the next one into `2`.
            manifest: dict or `None`. Further entries of `manifest.json`.

        Returns:
            The path of the new version.
        """
        return export_retrieval(self, folder, manifest)

    def _check_data(self, data):
        # The pipeline would convert other values to words, or raise errors without their index.
        inputs = data[0] if isinstance(data, tuple) and data else data
        if self.preprocessor is not None and isinstance(inputs, dict) and "text" in inputs:
            check_texts(inputs["text"], "text")
        return super()._check_data(data)

    def compile(
        self,
        optimizer="auto",
        jit_compile="auto",
        run_eagerly=False,
        steps_per_execution=1,
        auto_scale_loss=True,
    ):
        """Configures training; the loss and the metrics are part of the model.

        Args:
            optimizer: `keras.optimizers.Optimizer`, its name, or `"auto"` for AdamW with a
                learning rate of 1e-4.
            jit_compile: bool or `"auto"`. On TensorFlow, `"auto"` uses XLA only on a GPU, because
                convolutions are many times slower with XLA on a CPU.
            run_eagerly, steps_per_execution, auto_scale_loss: see `keras.Model.compile`.
        """
        self._jit_compile_argument = jit_compile
        if optimizer == "auto":
            optimizer = keras.optimizers.AdamW(1e-4, weight_decay=0.01, clipnorm=1.0)
        super().compile(
            optimizer=optimizer,
            loss=None,
            jit_compile=resolve_jit_compile(jit_compile),
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            auto_scale_loss=auto_scale_loss,
        )
        self.reset_compiled_functions()

    def reset_compiled_functions(self):
        self.embedding_functions = {}

    def compile_from_config(self, config):
        # The loss and the metrics are part of the model.
        names = ("loss", "loss_weights", "metrics", "weighted_metrics")
        super().compile_from_config({k: x for k, x in config.items() if k not in names})

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "encoders": {name: serialize(each) for name, each in self.encoders.items()},
            "loss": serialize(self.pair_loss),
            "projectors": {name: serialize(each) for name, each in self.projectors.items()},
            "preprocessor": serialize(self.preprocessor),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        config = dict(config)
        for parts in ("encoders", "projectors"):
            config[parts] = {name: deserialize(each) for name, each in config[parts].items()}
        for part in ("loss", "preprocessor"):
            if isinstance(config[part], dict):
                config[part] = deserialize(config[part])
        return cls(**config)
