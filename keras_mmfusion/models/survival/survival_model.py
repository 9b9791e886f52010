import keras
from keras import ops

from keras_mmfusion.losses.hazard_loss import HazardLoss, check_boundaries
from keras_mmfusion.models.fusion.fusion_export import export_modalities
from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.survival.survival_curves import compute_risks, compute_survival


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SurvivalModel(FusionModel):
    """Predicts survival curves from several modalities, such as genes and clinical records.

    ```
    z      = Dense(fusion(h_1, ..., h_n))     logits of the hazards of time intervals
    S(b_k) = Π_{l <= k} (1 - σ(z_l))          the probability of no event until boundary b_k
    ```

    Between boundaries, the hazard is constant. The model is a `FusionModel` whose outputs are `z`,
    and is trained with `HazardLoss`, which `compile` uses by default. For a single risk without
    curves, train a `FusionModel` with `Dense(1)` and `CoxLoss`.

    Args:
        encoders, fusion, modality_dropout: see `FusionModel`.
        boundaries: sequence of increasing positive floats. The ends of the intervals, in the unit
            of the times; see `HazardLoss`.

    Call arguments:
        inputs, training: see `FusionModel`.

    Output shape:
        `(batch, intervals)`, logits.

    Raises:
        ValueError: as `FusionModel`; if the boundaries are not positive and increasing.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> from keras_mmfusion.encoders import FeatureGroupEncoder, TableEncoder
    >>> from keras_mmfusion.models import SurvivalModel
    >>> model = SurvivalModel(
    ...     {
    ...         "expression": FeatureGroupEncoder(8, groups=[[0, 1], [2, 3, 4]]),
    ...         "clinical": TableEncoder(8, columns=(None, 2)),
    ...     },
    ...     FusionBlock(("expression", "clinical"), combine="concat", dim=8),
    ...     boundaries=(12.0, 24.0, 60.0),
    ... )
    >>> rng = np.random.default_rng(0)
    >>> inputs = {"expression": rng.normal(size=(6, 5)), "clinical": np.full((6, 2), np.nan)}
    >>> inputs["clinical_mask"] = np.zeros(6, "bool")  # no clinical record is known
    >>> model.compile("adam")
    >>> targets = np.array([[10, 1], [30, 0], [25, 1], [80, 0], [5, 1], [50, 1]])
    >>> history = model.fit(inputs, targets, verbose=0)
    >>> model.predict_survival(inputs, times=[6.0, 24.0]).shape
    (6, 2)

    Reference:
        Gensheimer and Narasimhan, "A Scalable Discrete-Time Survival Model for Neural Networks",
        2019.
    """

    def __init__(self, encoders, fusion, boundaries, modality_dropout=0.0, **kwargs):
        boundaries = check_boundaries(boundaries)
        head = keras.layers.Dense(len(boundaries), dtype=kwargs.get("dtype"), name="hazards")
        super().__init__(encoders, fusion, head, modality_dropout, **kwargs)
        self.boundaries = boundaries

    def compile(self, optimizer="rmsprop", loss="auto", **kwargs):
        """Configures training; see `FusionModel.compile`. The default loss is `HazardLoss`."""
        super().compile(
            optimizer, HazardLoss(self.boundaries) if loss == "auto" else loss, **kwargs
        )

    def predict_survival(self, inputs, times=None, batch_size=32):
        """Predicts the probability of no event until given times.

        Args:
            inputs: dict of arrays, see `call`.
            times: sequence of numbers from 0 to the last boundary. Defaults to the boundaries.
            batch_size: int.

        Returns:
            Float64 array `(samples, times)`.

        Raises:
            ValueError: if a time is negative or after the last boundary.
        """
        logits = self.predict(inputs, batch_size=batch_size, verbose=0).astype("float64")
        return compute_survival(logits, self.boundaries, times)

    def predict_risks(self, inputs, batch_size=32):
        """Predicts risks: the expected time lost before the last boundary.

        It is the last boundary minus the restricted mean survival time, the area under the
        survival curve.

        Args:
            inputs: dict of arrays, see `call`.
            batch_size: int.

        Returns:
            Float64 array `(samples,)`, higher for an earlier event.
        """
        logits = self.predict(inputs, batch_size=batch_size, verbose=0).astype("float64")
        return compute_risks(logits, self.boundaries)

    def export(self, folder, inputs, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        `serving_default` takes each modality and its mask, `False` where it is missing, and
        returns `survival`, the probability of no event until each boundary, which the manifest
        lists. `shares` returns the `shares` of the modalities.

        Args:
            folder, inputs, manifest: see `FusionModel.export`.

        Returns:
            The path of the new version.
        """

        def predict_curves(inputs):
            log_survival = -ops.cumsum(ops.softplus(self(inputs, training=False)), axis=1)
            return {"survival": ops.exp(log_survival)}

        functions = {
            "serving_default": predict_curves,
            "shares": lambda inputs: {"shares": self.compute_shares(inputs)},
        }
        manifest = {**(manifest or {}), "boundaries": list(self.boundaries)}
        return export_modalities(self, functions, inputs, folder, manifest)

    def get_config(self):
        config = {**super().get_config(), "boundaries": list(self.boundaries)}
        del config["head"]
        return config

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        encoders = {name: deserialize(encoder) for name, encoder in config["encoders"].items()}
        return cls(**{**config, "encoders": encoders, "fusion": deserialize(config["fusion"])})
