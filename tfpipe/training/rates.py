"""Learning rates that fall with the depth of a layer (Howard and Ruder, 2018, arXiv:1801.06146)."""

from typing import Any

from tfpipe.models.base import trained_depths


def fall_with_depth(optimizer: Any, base: Any, factor: float) -> None:
    """Multiply the learning rate of each trained layer of a base by a power of a factor.

    The last layer has the factor, the one before it its square, and so on. What scales a gradient
    does not scale Adam's steps, so the rate of each step is scaled, and weight decay with it.

    Args:
        optimizer: a Keras optimizer, before its first step.
        base: the base, its trainable layers chosen.
        factor: above 0, at most 1.
    """
    if factor == 1.0:
        return
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # float16 scales the loss
    factors: dict[Any, float] = {}
    for depth, layer in trained_depths(base):
        factors |= {optimizer._var_key(v): factor**depth for v in layer.trainable_weights}
    step, decay = optimizer.update_step, optimizer._apply_weight_decay

    def of(variable: Any) -> float:
        return factors.get(optimizer._var_key(variable), 1.0)

    def scaled_step(gradient: Any, variable: Any, learning_rate: Any) -> Any:
        return step(gradient, variable, learning_rate * of(variable))

    def scaled_decay(variables: list[Any]) -> None:
        whole = optimizer.weight_decay
        for variable in variables if whole is not None else ():
            optimizer.weight_decay = whole * of(variable)
            decay([variable])
        optimizer.weight_decay = whole

    optimizer.update_step = scaled_step
    optimizer._apply_weight_decay = scaled_decay
