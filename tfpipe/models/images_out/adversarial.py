"""A network that makes images, trained against one that tells them from true ones."""

from typing import Any

import keras
import tensorflow as tf

from tfpipe.tasks.metrics.pixels import aligned

Batch = tuple[tf.Tensor, ...]  # images, targets, and weights where there are any


class Adversarial(keras.Model):
    """Two networks with an optimizer each; what they answer and save is the generator.

    A step makes images of a batch once. The generator then goes down the loss that it is compiled
    with, plus `weight` times the cross-entropy of its images being taken for true; the
    discriminator goes down the cross-entropy of both kinds. `loss` is the first part of the
    generator's, so that it stands beside the validation's.

    Args:
        generator: makes images of images.
        discriminator: gives a logit for each image.
        weight: of the adversarial part.
        label_smoothing: true images are taken for true by 1 less this.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        weight: float,
        label_smoothing: float,
    ) -> None:
        super().__init__(name="gan")
        self.generator, self.discriminator = generator, discriminator
        self._weight, self._smoothing = weight, label_smoothing
        self.alone = False  # whether the generator is trained by itself, before
        self.adversarial_loss = keras.metrics.Mean(name="adversarial_loss")
        self.discriminator_loss = keras.metrics.Mean(name="discriminator_loss")
        self.inputs, self.outputs = generator.inputs, generator.outputs
        self.built = True

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.generator(images, training=training)

    def compile(self, optimizer: Any = "rmsprop", **options: Any) -> None:
        """Compile the generator, and the discriminator with another optimizer of the same kind."""
        super().compile(optimizer=optimizer, **options)
        kind = type(self.optimizer)
        self.rival_optimizer = kind.from_config(self.optimizer.get_config())
        for own, network in zip(self.optimizers, self.networks, strict=True):
            own.build(network.trainable_variables)

    @property
    def networks(self) -> tuple[keras.Model, keras.Model]:
        """The generator and the discriminator."""
        return self.generator, self.discriminator

    @property
    def optimizers(self) -> list[Any]:
        """That of the generator and that of the discriminator."""
        return [self.optimizer, self.rival_optimizer]

    def save(self, filepath: Any, *args: Any, **options: Any) -> None:
        """Save the generator, which is what a trained model is wanted for."""
        self.generator.save(filepath, *args, **options)

    def train_step(self, data: Batch) -> dict[str, Any]:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        if self.alone:
            return self._train_alone(x, y, weight)
        with tf.GradientTape(persistent=True) as tape:
            made = self.generator(x, training=True)
            content = self.compute_loss(x, y, made, weight, training=True)
            true, images = aligned(y, made)
            of_made = self.discriminator(images, training=True)
            of_true = self.discriminator(true, training=True)
            fooling = _crossentropy(of_made, 1.0)
            telling = _crossentropy(of_true, 1.0 - self._smoothing) + _crossentropy(of_made, 0.0)
            losses = (
                self.optimizer.scale_loss(content + self._weight * fooling),
                self.rival_optimizer.scale_loss(telling),
            )
        for loss, network, own in zip(losses, self.networks, self.optimizers, strict=True):
            gradients = tape.gradient(loss, network.trainable_variables)
            own.apply(gradients, network.trainable_variables)
        del tape
        self._loss_tracker.update_state(content, sample_weight=tf.shape(y)[0])
        self.adversarial_loss.update_state(fooling)
        self.discriminator_loss.update_state(telling)
        return self.compute_metrics(x, y, made, sample_weight=weight)

    def _train_alone(self, x: tf.Tensor, y: tf.Tensor, weight: tf.Tensor | None) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            made = self.generator(x, training=True)
            loss = self.compute_loss(x, y, made, weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.generator.trainable_variables
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(y)[0])
        return self._without_rival(self.compute_metrics(x, y, made, sample_weight=weight))

    def test_step(self, data: Batch) -> dict[str, Any]:
        return self._without_rival(super().test_step(data))

    def _without_rival(self, logs: dict[str, Any]) -> dict[str, Any]:
        """Return what was measured of the generator alone."""
        own = (self.adversarial_loss.name, self.discriminator_loss.name)
        return {name: value for name, value in logs.items() if name not in own}


def answering(model: keras.Model) -> keras.Model:
    """Return what of a trained model answers: of two networks the generator."""
    return model.generator if isinstance(model, Adversarial) else model


def _crossentropy(logits: tf.Tensor, truth: float) -> tf.Tensor:
    """Return the mean cross-entropy of logits whose truth is a number from 0 to 1."""
    each = tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), truth), logits)
    return tf.reduce_mean(each)
