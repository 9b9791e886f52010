"""An optimizer step for any loss, compiled on JAX, with a moving average of the weights."""

import contextlib

import keras


class TrainingStep:
    """Updates a model's weights with the gradient of a function of tensors.

    Args:
        model: built `keras.Model`.
        optimizer: `keras.optimizers.Optimizer`.
    """

    def __init__(self, model, optimizer):
        self.model = model
        self.optimizer = optimizer
        optimizer.build(model.trainable_variables)
        self._steps = {}
        self.restart_average()

    def restart_average(self):
        """Restarts the moving average from the current weights."""
        self.average = [_copy(v.value) for v in self.model.trainable_variables]

    def __call__(self, loss, learning_rate, momentum, *inputs):
        """Takes a step.

        Args:
            loss: function of the inputs that returns a scalar; compiled once for each function.
            learning_rate: float.
            momentum: float. The momentum of the average.
            *inputs: arrays and tensors.

        Returns:
            The loss, a scalar tensor.
        """
        self.optimizer.learning_rate = learning_rate
        if loss not in self._steps:
            make = {"jax": self._jax_step, "torch": self._torch_step}[keras.config.backend()]
            self._steps[loss] = make(loss)
        return self._steps[loss](momentum, *inputs)

    @contextlib.contextmanager
    def use_averaged_weights(self):
        """Context manager in which the model has the moving average of its weights."""
        variables = self.model.trainable_variables
        weights = [_copy(v.value) for v in variables]
        for variable, value in zip(variables, self.average, strict=True):
            variable.assign(_copy(value))
        try:
            yield
        finally:
            for variable, value in zip(variables, weights, strict=True):
                variable.assign(value)

    def _jax_step(self, loss):
        import jax

        trained = self.model.trainable_variables
        others = self.model.non_trainable_variables
        optimizer = self.optimizer

        def compute_loss(weights, values, inputs):
            mapping = [*zip(trained, weights, strict=True), *zip(others, values, strict=True)]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                value = loss(*inputs)
            return value, [scope.get_current_value(variable) for variable in others]

        def step(state, momentum, inputs):
            weights, values, memory, average = state
            # The loss function also returns updated state, such as the seeds of dropout.
            (value, values), gradients = jax.value_and_grad(compute_loss, has_aux=True)(
                weights, values, inputs
            )
            weights, memory = optimizer.stateless_apply(memory, gradients, weights)
            average = [
                momentum * a + (1 - momentum) * w for a, w in zip(average, weights, strict=True)
            ]
            return (weights, values, memory, average), value

        compiled = jax.jit(step, donate_argnums=0)

        def run(momentum, *inputs):
            groups = (trained, others, optimizer.variables)
            state = [[variable.value for variable in group] for group in groups]
            (*new, self.average), value = compiled((*state, self.average), momentum, inputs)
            for group, group_values in zip(groups, new, strict=True):
                for variable, new_value in zip(group, group_values, strict=True):
                    variable.assign(new_value)
            return value

        return run

    def _torch_step(self, loss):
        import torch

        trained = self.model.trainable_variables

        def run(momentum, *inputs):
            weights = [variable.value for variable in trained]
            for weight in weights:
                weight.grad = None
            value = loss(*(keras.ops.convert_to_tensor(x) for x in inputs))
            value.backward()
            gradients = [
                torch.zeros_like(weight) if weight.grad is None else weight.grad
                for weight in weights
            ]
            with torch.no_grad():
                self.optimizer.apply(gradients, trained)
                torch._foreach_lerp_(self.average, [v.value.data for v in trained], 1 - momentum)
            return value.detach()

        return run


def _copy(value):
    if keras.config.backend() == "torch":
        return value.detach().clone()
    return keras.ops.copy(value)
