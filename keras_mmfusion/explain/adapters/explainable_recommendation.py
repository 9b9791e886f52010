"""Scores of users and items."""

import keras
import numpy as np
from keras import ops

from keras_mmfusion.datasets.io.identifiers import format_id
from keras_mmfusion.explain.adapters.image_inputs import GIVEN
from keras_mmfusion.explain.adapters.sample_checks import check_baselines, check_modalities
from keras_mmfusion.explain.explainable import Explainable


class ExplainableRecommendation(Explainable):
    """The score of an item for a user, as a function of the item's features.

    A graph connects the items: the features of the other items are unchanged.
    """

    @classmethod
    def from_sample(cls, model, inputs, target=None, baselines=None):
        """Reads a sample.

        Args:
            model: adapted `Recommender` that uses features.
            inputs: dict of the ids `"user"` and `"item"`.
            target: must be `None`: the target is the score.
            baselines: dict, modality -> features like those of `model.features`, or `None`.
        """
        check_modalities(model, inputs, ("user", "item"))
        if target is not None:
            raise ValueError(
                "`target` must be None for a recommender: its score of the item is explained. "
                f"Received: {target!r}"
            )
        if not model.feature_dims:
            raise ValueError(
                f"`model` must use the features of the items. The scores of a "
                f"{type(model).__name__} depend only on the interactions"
            )
        indices = {}
        for name, ids in (("user", model.user_ids), ("item", model.item_ids)):
            [index] = np.nonzero(ids == format_id(inputs[name]))
            if len(index) != 1:
                raise ValueError(
                    f"`inputs[{name!r}]` must be a {name} of the training data. Received: "
                    f"{inputs[name]!r}"
                )
            indices[f"{name}_index"] = index[0].astype("int32")
        item = indices["item_index"]
        features = {
            name: ops.convert_to_numpy(table)[item] for name, table in model.features.items()
        }
        zeros = {name: np.zeros_like(x) for name, x in features.items()}
        given = check_baselines(baselines, features)
        removal = dict.fromkeys(features, "replaced by 0, as the features of an item without any")
        removal |= dict.fromkeys(given, GIVEN)
        return cls(
            model,
            features,
            dict.fromkeys(features, "vector"),
            zeros | given,
            indices,
            f"the score of {inputs['item']} for {inputs['user']}",
            removal,
        )

    def _compute(self, values, keep, constants):
        values = {
            name: self.replace_removed(name, x, keep, constants) for name, x in values.items()
        }

        def score(features):
            return self._score(features, constants["user_index"][0], constants["item_index"][0])

        return ops.map(score, values)

    def _score(self, features, user, item):
        """Computes the score with other features of the item."""
        is_item = ops.expand_dims(ops.equal(ops.arange(self.model.num_items), item), 1)
        # The current values: on JAX those of the scope in which the function is compiled.
        state = {variable.path: (variable, variable.value) for variable in self.model.variables}
        for name, row in features.items():
            table = self.model.features[name]
            state[table.path] = (table, ops.where(is_item, row, table.value))
        with keras.StatelessScope(state_mapping=list(state.values())):
            users, items = self.model.compute_vectors(training=False)
        score = ops.sum(ops.take(users, user, axis=0) * ops.take(items, item, axis=0))
        return ops.cast(score, "float32")
