"""Networks that answer with an image: their exact counts, and what each has to be able to do."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpipe.models
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import EDSR, SRCNN, WDSR, SRResNet, UNet
from tfpipe.models.images_out.reach import Reach, reach_of
from tfpipe.models.images_out.tiles import Tiles
from tfpipe.tasks import task_for

BUILDERS = (SRCNN, EDSR, WDSR, SRResNet, UNet)


def spec(scale: int, channels: tuple[int, int] = (3, 3)) -> ElementSpec:
    given, answered = channels
    label = Label("target", "image", (0, 0, answered), scale=scale)
    return ElementSpec((Feature("image", (0, 0, given), "uint8", "image"),), (label,))


def built(builder: ModelBuilder, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return builder.build(spec(builder.scale, **options))


@pytest.mark.parametrize(
    ("builder", "count"),
    [
        (SRCNN(scale=3), 20_099),
        (EDSR(scale=4), 1_517_571),
        (WDSR(scale=4), 615_088),
        (SRResNet(scale=4), 1_554_883),
    ],
)
def test_the_published_counts(builder: ModelBuilder, count: int) -> None:
    assert built(builder).count_params() == count


@pytest.fixture(params=BUILDERS, ids=lambda b: b.__name__)
def builder(request: pytest.FixtureRequest) -> Any:
    return request.param.example()


def test_an_image_of_any_size_becomes_one_of_its_size_times_the_scale(builder: Any) -> None:
    for channels in ((3, 3), (1, 1)):
        model = built(builder, channels=channels)
        for size in ((17, 23), (9, 9), (5, 31)):
            images = np.random.default_rng(0).integers(0, 256, (2, *size, channels[0]), np.uint8)
            answers = model(images, training=False)
            larger = tuple(builder.scale * side for side in size)
            assert answers.shape == (2, *larger, channels[1])
            assert answers.dtype == tf.float32
            assert np.isfinite(answers).all()


def test_it_learns_to_be_near_the_target(builder: Any) -> None:
    images = np.random.default_rng(0).integers(60, 200, (4, 12, 12, 3)).astype(np.uint8)
    images = np.repeat(np.repeat(images[:, :3, :3], 4, 1), 4, 2)
    targets = np.repeat(np.repeat(images, builder.scale, 1), builder.scale, 2)
    model, task = built(builder), task_for(spec(builder.scale))
    model.compile(keras.optimizers.Adam(0.01), task.loss_for(), metrics=task.metrics_for()[:1])
    losses = model.fit(images, targets, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_it_is_saved_and_loaded_and_given_back_by_json(builder: Any, tmp_path: Any) -> None:
    assert from_json(to_json(builder)) == builder
    model = built(builder)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).integers(0, 256, (1, 11, 13, 3), np.uint8)
    np.testing.assert_array_equal(model(images), loaded(images))


def test_other_data_is_refused(builder: Any) -> None:
    name = type(builder).__name__
    classes = spec(1).replace(labels=(Label("label", "class", (), ("a", "b")),))
    with pytest.raises(
        ModelError, match=rf"{name} answers with an image .* labels of kind 'class'"
    ):
        builder.check(classes)
    with pytest.raises(ModelError, match=rf"Declare model.scale={builder.scale + 1}, or data.shr"):
        builder.check(spec(builder.scale + 1))
    assert builder.contract


@pytest.mark.parametrize("kind", [EDSR, SRResNet, UNet])
def test_a_scale_that_is_not_made_in_steps_is_refused(kind: Any) -> None:
    with pytest.raises(ConfigError, match=r"scale=6 is neither a power of 2 nor 3. Use one, such"):
        kind(scale=6)
    assert built(kind.example().replace(scale=3)).output_shape[-1] == 3


def test_kernels_go_with_the_filters() -> None:
    with pytest.raises(ConfigError, match=r"SRCNN has 3 convolutions.* are 2"):
        SRCNN(kernels=(9, 5))
    with pytest.raises(ConfigError, match=r"should be odd"):
        SRCNN(kernels=(9, 2, 5))


def test_grey_becomes_colour() -> None:
    model = built(UNet.example(), channels=(1, 3))
    assert model(np.zeros((1, 10, 10, 1), np.uint8)).shape == (1, 10, 10, 3)


# Tiles


def whole_and_parts(model: keras.Model, scale: int, images: np.ndarray, side: int) -> Any:
    task, reach = task_for(spec(scale)), reach_of(model)
    tiles = Tiles(lambda x: task.answers(model(x)), reach, scale, 3, side)
    return task.answers(model(images)).numpy(), tf.function(tiles)(tf.constant(images)).numpy()


def test_parts_are_equal_to_the_whole(builder: Any) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 150, 131, 3), np.uint8)
    model = built(builder)
    reach = reach_of(model)
    assert reach is not None
    assert 2 * reach.pixels + 16 < 131
    whole, parts = whole_and_parts(model, builder.scale, images, 16)
    assert np.abs(whole.astype(int) - parts).max() <= 1


def test_the_reach_is_as_far_as_a_gradient_goes(builder: Any) -> None:
    """What is farther away than that changes nothing in the middle."""
    model = built(builder)
    reach, scale = reach_of(model), builder.scale
    side = 2 * reach.pixels + 2 * reach.multiple + 1
    side += -side % reach.multiple
    middle = side // 2 // reach.multiple * reach.multiple
    near = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype(np.float32)
    far = near.copy()
    low, high = middle - reach.pixels, middle + reach.pixels + 1
    outside = np.ones((side, side), bool)
    outside[max(0, low) : high, max(0, low) : high] = False
    far[0, outside] = 255 - far[0, outside]
    place = slice(scale * middle, scale * (middle + 1))
    a, b = (model(i)[0, place, place].numpy() for i in (near, far))
    np.testing.assert_allclose(a, b, atol=1e-2)


def test_the_reach_of_what_looks_everywhere_is_not_known() -> None:
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True)(inputs)
    assert reach_of(keras.Model(inputs, keras.layers.Multiply()([inputs, pooled]))) is None
    nested = keras.Sequential(
        [keras.layers.Conv2D(2, 5), keras.layers.Conv2D(2, 3, dilation_rate=2)]
    )
    assert reach_of(keras.Model(inputs, nested(inputs))) == Reach(4, 1)
    strided = keras.layers.Conv2D(2, 3, 2)(inputs)
    again = keras.layers.Conv2DTranspose(2, 2, 2)(keras.layers.Conv2D(2, 3)(strided))
    assert reach_of(keras.Model(inputs, again)) == Reach(5, 2)


def test_tiles_of_one_pixel_more_than_fit(builder: Any) -> None:
    model = built(builder)
    reach = reach_of(model)
    most = 16 + 2 * -(-reach.pixels // reach.multiple) * reach.multiple
    images = np.random.default_rng(2).integers(0, 256, (1, most + 1, 7, 3), np.uint8)
    whole, parts = whole_and_parts(model, builder.scale, images, 16)
    assert whole.shape == parts.shape
    assert np.abs(whole.astype(int) - parts).max() <= 1


def test_all_builders_are_tried() -> None:
    public = {getattr(tfpipe.models, name) for name in tfpipe.models.__all__}
    own = {b for b in public if b.__module__.startswith("tfpipe.models.images_out")}
    assert {b for b in own if issubclass(b, ModelBuilder)} == {*BUILDERS, tfpipe.models.GAN}
