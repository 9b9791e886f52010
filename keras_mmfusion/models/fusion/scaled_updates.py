import keras
from keras import ops

from keras_mmfusion._keras_internals import get_trainable_variables


def scale_updates(optimizer, get_scale):
    """Wraps an optimizer in `ScaledUpdates`; a `LossScaleOptimizer` stays outermost.

    On JAX, the updates inside a `LossScaleOptimizer` must have no side effects.
    """
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return ScaledUpdates(optimizer, get_scale)
    return keras.optimizers.LossScaleOptimizer(
        ScaledUpdates(optimizer.inner_optimizer, get_scale),
        optimizer.initial_scale,
        optimizer.dynamic_growth_steps,
    )


class ScaledUpdates(keras.optimizers.Optimizer):
    """Scales the updates of another optimizer, variable by variable.

    ```
    w_new = w + s (update(w, gradient) - w)
    ```

    The update is scaled, weight decay included, and not the gradient, as Adam is invariant to the
    scale of gradients. Schedules, callbacks and clipping apply to one inner optimizer, unlike in
    `keras.optimizers.MultiOptimizer`, which also fails if one of its optimizers gets no gradient,
    for example for a missing modality.

    Args:
        inner_optimizer: `keras.optimizers.Optimizer`, without `use_ema`.
        get_scale: function that maps a `keras.Variable` to its `s`, a float.
    """

    def __init__(self, inner_optimizer, get_scale, **kwargs):
        super().__init__(learning_rate=0.0, **kwargs)
        if inner_optimizer.use_ema:
            raise ValueError(
                "`use_ema` is not supported together with learning rate multipliers, as it would "
                f"average weights before their update is scaled. Received: {inner_optimizer!r}"
            )
        self.inner_optimizer = inner_optimizer
        self.get_scale = get_scale

    def build(self, variables):
        self.scales = [self.get_scale(variable) for variable in variables]
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
            for variable, scale in zip(get_trainable_variables(self), self.scales, strict=True)
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
