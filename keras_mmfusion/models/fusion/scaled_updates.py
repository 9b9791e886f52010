import keras
from keras import ops


def scaled_updates(optimizer, scale_of):
    """`ScaledUpdates` of an optimizer; of what a `LossScaleOptimizer` holds, if it is one.

    The scale of the loss stays outermost: where JAX has it, updates must be free of side effects.
    """
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return ScaledUpdates(optimizer, scale_of)
    return keras.optimizers.LossScaleOptimizer(
        ScaledUpdates(optimizer.inner_optimizer, scale_of),
        optimizer.initial_scale,
        optimizer.dynamic_growth_steps,
    )


class ScaledUpdates(keras.optimizers.Optimizer):
    """An optimizer whose updates of each variable are scaled, as by a learning rate of its own.

    ```
    w_new = w + s (update(w, gradient) - w)
    ```

    It is the update that is scaled, weight decay included, and not the gradient, to whose scale
    Adam is blind. Schedules, callbacks and clipping are those of the one inner optimizer, which
    `keras.optimizers.MultiOptimizer` has not; nor does it take a step in which some optimizer has
    no gradient at all, as that of a modality which a batch is without.

    Args:
        inner_optimizer: `keras.optimizers.Optimizer`, without `use_ema`.
        scale_of: function of a `keras.Variable` that returns its `s`, a float.
    """

    def __init__(self, inner_optimizer, scale_of, **kwargs):
        super().__init__(learning_rate=0.0, **kwargs)
        if inner_optimizer.use_ema:
            raise ValueError(
                "`use_ema` averages weights before their update is scaled: leave it out, or the "
                f"multipliers. Received: {inner_optimizer!r}"
            )
        self.inner_optimizer = inner_optimizer
        self.scale_of = scale_of

    def build(self, variables):
        self.scales = [self.scale_of(variable) for variable in variables]
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self):
        return self.inner_optimizer.variables

    def apply(self, grads, trainable_variables=None):
        if not self.built:
            self.build(list(trainable_variables))
        scaled = [
            (variable, scale, ops.copy(variable))
            for variable, scale in zip(self._trainable_variables, self.scales, strict=True)
            if scale != 1
        ]
        self.inner_optimizer.apply(grads, trainable_variables)
        for variable, scale, before in scaled:
            variable.assign(before + scale * (variable - before))

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self):
        return self.inner_optimizer.iterations

    def scale_loss(self, loss):
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list):
        self.inner_optimizer.finalize_variable_values(var_list)
