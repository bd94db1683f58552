"""Every shipped pipeline runs on generated data, and has the numbers it claims."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tfpipe.data.input_fn import steps_per_epoch
from tfpipe.data.splits import sizes
from tfpipe.declare.loading import load
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.base import base_of, unfreeze
from tfpipe.models.parameter_count import count, parameters, trainable_parameters

PIPELINES = Path(__file__).parents[1] / "pipelines"

# file::Class -> parameters, trainable parameters
PARAMETERS = {
    "cifar10_cnn.py": (552_362, 551_466),
    "cifar10_cnn.py::Cifar10CNN2": (1_060_138, 1_060_138),
    "cifar10_cnn.py::Cifar10CNN4": (591_274, 591_274),
    "cifar10_cnn.py::Cifar10CNN6": (550_570, 550_570),
    "cifar10_cnn.py::Cifar10CNN6Dropout": (550_570, 550_570),
    "cifar10_lenet.py": (62_006, 62_006),
    "cifar10_fast.py": (4_608_312, 4_604_440),
    "cifar10_fast.py::Cifar10Published": (1_973_944, 1_971_352),
    "cifar10_fast.py::Cifar10Minutes": (570_296, 568_728),
    "fashion_fast.py": (1_152_680, 1_150_856),
    "fashion_fast.py::FashionThreeMinutes": (560_808, 559_496),
    "fashion_fast.py::FashionOneMinute": (290_664, 289_736),
    "mnist_fast.py": (1_152_680, 1_150_856),
    "mnist_fast.py::MnistThreeMinutes": (560_808, 559_496),
    "mnist_fast.py::MnistOneMinute": (290_664, 289_736),
    "mnist_mlp.py": (235_146, 235_146),
    "mnist_cnn.py": (1_199_882, 1_199_882),
    "mnist_webapp_cnn.py": (730_602, 730_602 - 256),
    "fashion_mnist_mlp.py": (101_770, 101_770),
    "digits_mlp.py": (60_202, 60_202),
    "digits_mlp.py::DigitsMLPThree": (58_442, 58_442),
    "digits_mlp.py::DigitsMLPDropout": (60_202, 60_202),
    "planar.py": (17, 17),
    "planar.py::PlanarLine": (3, 3),
    "playground.py": (25, 25),
    "playground.py::PlaygroundXor": (25, 25),
    "playground.py::PlaygroundGaussian": (25, 25),
    "playground.py::PlaygroundSpiral": (25, 25),
    "playground.py::SpiralOfProducts": (57, 57),
    "playground.py::SpiralDeep": (393, 393),
    "linear_workflow.py": (4, 4),
    "logistic_images.py": (12_289, 12_289),
    "boston_mlp.py": (301, 301),
    "autompg_mlp.py": (4_929, 4_929),
    "churn_mlp.py": (11_905, 11_905),
    "wine_mlp.py": (833, 833),
    "imdb_text.py": (160_033, 160_033),
    "stackoverflow_text.py": (160_084, 160_084),
    "sine_mlp.py": (61, 61),
    "forecast_rnn.py::SineForecast": (3_888, 3_888),
    "forecast_rnn.py::DemandForecast": (3_822, 3_822),
    "xor.py": (9, 9),
    "time_machine.py::TimeMachineRNN": (291_356, 291_356),
    "time_machine.py::TimeMachineRandom": (291_356, 291_356),
    "time_machine.py::TimeMachineSmallRNN": (80_156, 80_156),
    "time_machine.py::TimeMachineGRU": (226_844, 226_844),
    "time_machine.py::TimeMachineLSTM": (299_036, 299_036),
    "time_machine.py::TimeMachineDeepLSTM": (824_348, 824_348),
    "time_machine.py::TimeMachineBiLSTM": (2_172_956, 2_172_956),
    "char_gpt.py": (806_016, 806_016),  # 814,976 with the 65 characters of the real text
    "char_gpt.py::CharGPTLarge": (3_201_280, 3_201_280),
    "super_resolution.py::SRCNNx3": (20_099, 20_099),
    "super_resolution.py::SRCNNx4": (20_099, 20_099),
    "super_resolution.py::EDSRx4": (1_517_571, 1_517_571),
    "super_resolution.py::EDSRx4Small": (232_963, 232_963),
    "super_resolution.py::WDSRx4": (615_088, 615_088),
    "super_resolution.py::WDSRx4Small": (167_680, 167_680),
    "srgan.py::SRGANSmall": (3_709_956, 3_707_524),
    "tiny_imagenet_vgg.py": (2_579_284, 2_576_532),
    "tiny_imagenet_vgg.py::TinyImageNetBlocks": (336_420, 335_460),
    "ssd_tiny.py": (1_012_360, 1_010_376),
    "blood_cells.py": (1_012_360, 1_010_376),
    "blood_cells.py::BloodCellsPretrained": (1_026_184, 1_024_200),
    "raccoon.py": (1_012_360, 1_010_376),
    "raccoon.py::RaccoonPretrained": (1_026_184, 1_024_200),
    "style_transfer.py": (26_497, 26_496),  # the picture's values, and how many epochs have begun
    "style_transfer.py::StyleTransferAdam": (26_497, 26_496),
    "style_transfer.py::StyleTransferOwn": (26_497, 26_496),
    "deep_dream.py": (75_331, 75_330),
    "deep_dream.py::DeepDreamOwn": (75_331, 75_330),
    "stylize_hub.py": (26_497, 26_496),
    "hub_detector.py": (0, 0),  # those of the module, which a stand-in does not have
    "classifier_as_detector.py": (65_177, 0),  # of a stand-in
    "translation.py": (31_520, 31_520),  # of generated pairs
    "translation.py::Numbers": (118_368, 118_368),
    "translation.py::NumbersTransformer": (241_952, 241_952),
    "applications_benchmark.py": (3_239_114, 10_250),
    "vgg16_cats_vs_dogs.py": (14_846_273, 131_585),
    "flowers_vgg16.py": (21_142_612, 6_427_924),
    "nasnet_rock_paper_scissors.py": (4_272_887, 3_171),
    "inception_tiny_imagenet.py": (22_212_584, 22_178_152),
    "yolov3.py::YOLOv3Raccoon": (61_576_342, 32_310),
    "fashion_modern.py::FashionAlexNet": (46_764_746, 46_764_746),
    "fashion_modern.py::FashionAlexNetSmall": (24_744_650, 24_744_650),
    "fashion_modern.py::FashionVGG11": (43_093_322, 43_093_322),
    "fashion_modern.py::FashionVGG11Small": (22_121_802, 22_121_802),
    "fashion_modern.py::FashionNiN": (1_992_166, 1_992_166),
    "fashion_modern.py::FashionNiNSmall": (1_992_166, 1_992_166),
    "fashion_modern.py::FashionGoogLeNet": (5_977_530, 5_977_530),
    "fashion_modern.py::FashionGoogLeNetSmall": (5_977_530, 5_977_530),
    "fashion_modern.py::FashionResNet18": (11_186_186, 11_178_378),
    "fashion_modern.py::FashionResNet18Small": (11_186_186, 11_178_378),
    "fashion_modern.py::FashionDenseNet": (764_834, 758_226),
    "fashion_modern.py::FashionDenseNetSmall": (764_834, 758_226),
    "fashion_three_ways.py::Scratch": (24_114_826, 24_061_706),
    "fashion_three_ways.py::FineTuned": (24_114_826, 24_061_706),
    "fashion_three_ways.py::Frozen": (24_114_826, 527_114),
    "fashion_three_ways.py::Pretrained": (24_114_826, 24_061_706),
}

# Large networks take minutes to train; they are built once, and a smaller one, or smaller images,
# stand in for them in the run: file -> what makes that one short.
STAND_IN = "model=MobileNet(weights=None, size=(32, 32), alpha=0.25, dropout=0.5)"
QUARTER = ["model.name=MobileNet", "model.alpha=0.25", "epochs=1"]


def small(side: int) -> list[str]:
    """Return what makes the images of a data set of one size smaller, and a run short."""
    return [f"data.size=[{side},{side}]", f"data.resize=[{side},{side}]", "epochs=1"]


DETECTORS = (
    "ssd_tiny.py",
    "blood_cells.py",
    "blood_cells.py::BloodCellsPretrained",
    "raccoon.py",
    "raccoon.py::RaccoonPretrained",
)
LARGE: dict[str, list[str]] = {
    **{name: ["data.size=[64,64]", "epochs=1"] for name in DETECTORS},
    "classifier_as_detector.py": ["data.size=[240,320]", "epochs=1"],
    "applications_benchmark.py": [STAND_IN, "epochs=1"],
    "vgg16_cats_vs_dogs.py": [STAND_IN, "steps_per_epoch=1", "epochs=1"],
    "flowers_vgg16.py": [STAND_IN, "epochs=1"],
    "nasnet_rock_paper_scissors.py": [
        STAND_IN,
        "fine_tune.phases.0.epochs=1",
        "fine_tune.phases.1.epochs=1",
        "fine_tune.phases.1.unfreeze=5",
    ],
    "inception_tiny_imagenet.py": [STAND_IN, "epochs=1"],
    "yolov3.py::YOLOv3Raccoon": [
        "data.size=(64, 64)",
        "fine_tune.phases.0.epochs=1",
        "fine_tune.phases.1.epochs=1",
    ],
    "fashion_modern.py::FashionAlexNet": [*small(67), "model.width=0.1", "model.units=[16]"],
    "fashion_modern.py::FashionAlexNetSmall": [*small(67), "model.width=0.1", "model.units=[16]"],
    "fashion_modern.py::FashionVGG11": [*small(32), "model.width=0.1", "model.units=[16]"],
    "fashion_modern.py::FashionVGG11Small": [*small(32), "model.width=0.1", "model.units=[16]"],
    "fashion_modern.py::FashionNiN": [*small(67), "model.width=0.1"],
    "fashion_modern.py::FashionNiNSmall": [*small(67), "model.width=0.1"],
    "fashion_modern.py::FashionGoogLeNet": [*small(32), "model.width=0.1"],
    "fashion_modern.py::FashionGoogLeNetSmall": [*small(32), "model.width=0.1"],
    "fashion_modern.py::FashionResNet18": [*small(32), "model.width=0.1"],
    "fashion_modern.py::FashionResNet18Small": [*small(32), "model.width=0.1"],
    "fashion_modern.py::FashionDenseNet": [*small(32), "model.growth=8"],
    "fashion_modern.py::FashionDenseNetSmall": [*small(32), "model.growth=8"],
    "fashion_three_ways.py::Pretrained": QUARTER,
    "fashion_three_ways.py::Scratch": QUARTER,
    "fashion_three_ways.py::FineTuned": QUARTER,
    "fashion_three_ways.py::Frozen": QUARTER,
}

# Those that only predict: file -> overrides by which they do so in a test, with a small network.
PREDICT: dict[str, tuple[str, ...]] = {
    "inception_predict.py": ("model=MobileNet(weights=None, head='imagenet', alpha=0.25)",),
    "mobilenet_hub.py": (
        "model=MobileNet(weights=None, head='imagenet', alpha=0.25)",
        "data.classes=imagenet",
    ),
}

# What the data sets hold where a test may not read them.
STORED = {
    "cifar10": {"train": 50_000, "test": 10_000},
    "mnist": {"train": 60_000, "test": 10_000},
    "fashion_mnist": {"train": 60_000, "test": 10_000},
    "imdb": {"train": 25_000, "test": 25_000},
    "churn": {"train": 10_000},
    "wine": {"train": 4_898},
    "cifar10, 7%": {"train": 3_500, "train[7%:10%]": 1_500},
    "cats_vs_dogs": {"train": 18_610, "train[80%:90%]": 2_326, "train[90%:]": 2_326},
    "rock_paper_scissors": {"train": 2_520, "test": 372},
    "tiny_imagenet": {"train": 100_000, "val": 10_000},
}

# file -> where its sizes are from (None: its own data is at hand), splits, steps in an epoch
SIZES: dict[str, tuple[str | None, dict[str, int], int]] = {
    "cifar10_cnn.py": (
        "cifar10",
        {"train": 47_500, "validation": 2_500, "test": 10_000},
        1_484,
    ),
    "cifar10_lenet.py": ("cifar10", {"train": 50_000, "test": 10_000}, 12_500),
    "cifar10_fast.py": ("cifar10", {"train": 50_000, "test": 10_000}, 97),
    "fashion_fast.py": ("fashion_mnist", {"train": 60_000, "test": 10_000}, 234),
    "fashion_modern.py::FashionAlexNet": (
        "fashion_mnist",
        {"train": 57_000, "validation": 3_000, "test": 10_000},
        446,
    ),
    "fashion_modern.py::FashionResNet18Small": (
        "fashion_mnist",
        {"train": 57_000, "validation": 3_000, "test": 10_000},
        223,
    ),
    "mnist_fast.py": ("mnist", {"train": 60_000, "test": 10_000}, 234),
    "mnist_mlp.py": ("mnist", {"train": 60_000, "test": 10_000}, 1_875),
    "mnist_cnn.py": ("mnist", {"train": 54_000, "validation": 6_000, "test": 10_000}, 1_688),
    "digits_mlp.py": (None, {"train": 1_707, "test": 90}, 100),
    "playground.py": (None, {"train": 250, "test": 250}, 250),
    "planar.py": (None, {"train": 400, "test": 400}, 500),
    "linear_workflow.py": (None, {"train": 800, "validation": 200}, 25),
    "boston_mlp.py": (None, {"train": 323, "validation": 81, "test": 102}, 11),
    "churn_mlp.py": ("churn", {"train": 6_300, "validation": 700, "test": 3_000}, 197),
    "wine_mlp.py": ("wine", {"train": 3_428, "test": 1_470}, 100),
    "imdb_text.py": ("imdb", {"train": 20_000, "validation": 5_000, "test": 25_000}, 625),
    "sine_mlp.py": (None, {"train": 600, "validation": 100, "test": 296}, 38),
    "applications_benchmark.py": ("cifar10, 7%", {"train": 3_500, "validation": 1_500}, 110),
    "vgg16_cats_vs_dogs.py": (
        "cats_vs_dogs",
        {"train": 18_610, "validation": 2_326, "test": 2_326},
        100,
    ),
    "nasnet_rock_paper_scissors.py": (
        "rock_paper_scissors",
        {"train": 2_268, "validation": 252, "test": 372},
        71,
    ),
    "inception_tiny_imagenet.py": (
        "tiny_imagenet",
        {"train": 100_000, "validation": 10_000},
        3_125,
    ),
}


def each(names: Iterable[str]) -> list[Any]:
    """Return the names as parameters: of each file's classes the first is run, CI runs all."""
    seen: set[str] = set()
    parameters = []
    for name in names:
        file = name.partition("::")[0]
        parameters.append(pytest.param(name, marks=[pytest.mark.ci] if file in seen else []))
        seen.add(file)
    return parameters


def test_every_pipeline_has_its_numbers_here() -> None:
    known = {n.partition("::")[0] for n in (*PARAMETERS, *PREDICT)}
    assert {p.name for p in PIPELINES.glob("*.py")} == known


@pytest.mark.parametrize("name", each(name for name in PARAMETERS if name not in LARGE))
def test_every_pipeline_runs_on_generated_data_with_its_parameters(tfpipe: Any, name: str) -> None:
    pipeline = load(str(PIPELINES / name)).pipeline
    few = ["steps_per_epoch=4"] if pipeline.steps_per_epoch else []
    size = str(max(320, pipeline.batch_size))
    once = ["epochs=1"]
    if pipeline.fine_tune:
        once = [f"fine_tune.phases.{i}.epochs=1" for i in range(len(pipeline.fine_tune.phases))]
    answer = tfpipe("run", PIPELINES / name, "--sample", size, *once, *few, "--no-export")
    assert answer.code == 0, answer.err
    (run,) = Path("runs").glob("*/*")
    parameters, trainable = PARAMETERS[name]
    assert json.loads((run / "status.json").read_text())["parameters"] == parameters
    shown = f" · {parameters:,} parameter" + ("" if parameters == 1 else "s")
    if trainable != parameters:
        shown += f" ({trainable:,} trainable)"
    assert shown + "\n" in answer.out


@pytest.mark.parametrize("name", PREDICT)
def test_every_pipeline_that_only_predicts_names_what_is_in_a_picture(
    tfpipe: Any, name: str, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    answer = tfpipe("predict", PIPELINES / name, "a.png", *PREDICT[name], "--json")
    assert answer.code == 0, answer.err
    (found,) = json.loads(answer.out)
    assert len(found["classes"]) == 5


@pytest.mark.parametrize("name", each(LARGE))
def test_large_networks_have_their_parameters(name: str) -> None:
    pipeline = load(str(PIPELINES / name)).pipeline
    features, label = pipeline.data.element()
    model: Any = pipeline.model
    own = "weights" in model.fields()
    model = model.replace(weights=None) if own else model.offline()[0]
    built = model.build(ElementSpec(features, (label,)))
    if pipeline.fine_tune:
        unfreeze(base_of(built), pipeline.fine_tune.phases[0].unfreeze)
    assert (parameters(built), trainable_parameters(built)) == PARAMETERS[name]
    if name == "nasnet_rock_paper_scissors.py":
        assert count(base_of(built).weights) == 4_269_716
        unfreeze(base_of(built), pipeline.fine_tune.phases[1].unfreeze)
        assert trainable_parameters(built) == 70_051
        assert parameters(built) - 70_051 == 4_202_836


# Of those that differ in the images' size alone one is run; the three ways are run below.
@pytest.mark.parametrize(
    "name",
    each(n for n in LARGE if "three_ways" not in n and ("Small" not in n or "ResNet" in n)),
)
def test_pipelines_of_large_networks_run_on_generated_data(tfpipe: Any, name: str) -> None:
    size = 240 if "imagenet" in name else 40  # it has 200 classes
    few = ["--sample", size, "batch_size=8", "steps_per_epoch=1", *LARGE[name]]
    answer = tfpipe("run", PIPELINES / name, *few, "--no-export")
    assert answer.code == 0, answer.err
    (run,) = Path("runs").glob("*/*")
    rows = (run / "metrics.csv").read_text().splitlines()[1:]
    assert len(rows) == (2 if "nasnet" in name or "yolo" in name else 1)
    if "nasnet" in name:
        assert (run / "report" / "phase_curves.png").is_file()


@pytest.mark.ci
def test_three_ways_from_weights_of_ones_own_are_compared_in_one_figure(tfpipe: Any) -> None:
    file, weights, runs = "fashion_three_ways.py", "", []
    for way in ("Pretrained", "Scratch", "FineTuned", "Frozen"):
        own = [] if way in ("Pretrained", "Scratch") else [f"model.weights={weights}"]
        words = ["--sample", 64, "batch_size=8", "steps_per_epoch=2", *QUARTER, *own]
        answer = tfpipe("run", PIPELINES / f"{file}::{way}", *words, "--no-export")
        assert answer.code == 0, answer.err
        (run,) = Path("runs").glob(f"*{way}/*")
        weights = weights or str(run / "checkpoints" / "best.keras")
        assert ("computed once" in answer.out) == (way == "Frozen")
        runs.append(run)
    answer = tfpipe("runs", "compare", *runs[1:], "--figure", "curves.svg", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["figure"] == "curves.svg"
    assert Path("curves.svg").is_file()


@pytest.mark.parametrize(
    ("name", "size", "total", "trainable"),
    [("VGG16", 160, 14_848_586, 133_898), ("InceptionV3", 75, 22_329_898, 527_114)],
)
def test_other_networks_on_the_three_ways(name: str, size: int, total: int, trainable: int) -> None:
    words = [f"model.name={name}", f"model.size=[{size},{size}]", "model.weights=none"]
    pipeline = load(f"{PIPELINES / 'fashion_three_ways.py'}::Frozen", words).pipeline
    assert pipeline.data is not None
    assert pipeline.model is not None
    features, label = pipeline.data.element()
    built = pipeline.model.build(ElementSpec(features, (label,)))
    assert (parameters(built), trainable_parameters(built)) == (total, trainable)


# In folders as they are published


def put(path: Path, shape: tuple[int, ...]) -> None:
    """Write a JPEG of noise."""
    pixels = np.random.default_rng(list(path.name.encode())).integers(0, 256, shape, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "JPEG")


def run_in_folder(tfpipe: Any, name: str, *words: str) -> tuple[Any, Path]:
    """Train a pipeline for one epoch from random weights, evaluate and export it."""
    answer = tfpipe("run", PIPELINES / name, "batch_size=8", "epochs=1", *words)
    assert answer.code == 0, answer.err
    (exported,) = Path("saved_models").glob("*/1")
    return answer, exported


def test_flowers_in_folders(tfpipe: Any) -> None:
    for split, size in (("train", 8), ("valid", 3), ("test", 3)):
        for folder in ("1", "10", "2"):
            for number in range(size):
                put(Path(f"flowers/{split}/{folder}/{split}_{number}.jpg"), (40, 50 + number, 3))
    names = {"1": "pink primrose", "2": "hard-leaved orchid", "10": "globe thistle"}
    Path("cat_to_name.json").write_text(json.dumps(names))
    words = ("data.path=flowers", "data.size=[32,32]", "data.resize=[36,36]", "data.classes=3")
    answer, exported = run_in_folder(tfpipe, "flowers_vgg16.py", "model.weights=none", *words)
    assert "24 train, 9 validation, 9 test · 3 classes" in answer.out
    labels = (exported / "assets" / "labels.txt").read_text().splitlines()
    assert labels == ["pink primrose", "globe thistle", "hard-leaved orchid"]  # 10 before 2: text
    (image,) = json.loads((exported / "assets" / "contract.json").read_text())["inputs"]
    assert (image["shape"], image["kept"], image["resize"]) == ([32, 32, 3], [36, 36], [36, 36])


def test_tiny_imagenet_in_its_own_layout(tfpipe: Any) -> None:
    lines = []
    for number in range(16):
        wnid = ("n01443537", "n01629819")[number % 2]
        put(Path(f"tiny/train/{wnid}/images/{wnid}_{number}.JPEG"), (64, 64, 3))
        put(Path(f"tiny/val/images/val_{number}.JPEG"), (64, 64, 3))
        put(Path(f"tiny/test/images/test_{number}.JPEG"), (64, 64, 3))
        lines.append(f"val_{number}.JPEG\t{wnid}\t0\t0\t62\t62\n")
    Path("tiny/val/val_annotations.txt").write_text("".join(lines))
    Path("tiny/words.txt").write_text("n01443537\tgoldfish\nn01629819\tsalamander\n")
    before = sorted(Path("tiny").rglob("*"))
    words = ("data.path=tiny", "data.size=[75,75]", "data.resize=[86,86]", "data.classes=2")
    answer, exported = run_in_folder(tfpipe, "inception_tiny_imagenet.py", STAND_IN, *words)
    assert "16 train, 16 validation · 2 classes" in answer.out
    assert sorted(Path("tiny").rglob("*")) == before  # nothing is moved
    assert (exported / "assets" / "labels.txt").read_text() == "goldfish\nsalamander\n"


@pytest.mark.parametrize("name", SIZES)
def test_splits_and_steps_are_the_published_ones(name: str) -> None:
    stored, expected, steps = SIZES[name]
    pipeline = load(str(PIPELINES / name)).pipeline
    data: Any = pipeline.data
    validation = data.validation if stored is None or data.validation != "auto" else 0.1
    if stored is None:
        found = pipeline.spec().splits
    else:
        found = sizes(STORED[stored], validation, data.test)
    assert found == expected
    assert steps == steps_per_epoch(
        found["train"], pipeline.batch_size, pipeline.drop_remainder, pipeline.steps_per_epoch
    )


def test_epochs_of_steps_add_up_to_the_published_steps() -> None:
    published = {
        "planar.py": 10_000,
        "digits_mlp.py": 2_000,
        "wine_mlp.py": 2_000,
        "vgg16_cats_vs_dogs.py": 500,
        "char_gpt.py": 2_000,
    }
    for name, steps in published.items():
        pipeline = load(str(PIPELINES / name)).pipeline
        assert pipeline.steps_per_epoch is not None
        assert pipeline.epochs * pipeline.steps_per_epoch == steps


def test_inception_predicts_as_published() -> None:
    pipeline = load(str(PIPELINES / "inception_predict.py")).pipeline
    assert pipeline.data is not None
    (image,), label = pipeline.data.element()
    assert (image.shape, image.resize) == ((299, 299, 3), (299, 299))
    assert len(label.classes) == 1_000
    assert repr(pipeline.model) == "InceptionV3(head='imagenet')"
