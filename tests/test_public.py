"""The public names: adding one is a decision, losing one is a break."""

import importlib

import pytest

import tfpipe

PUBLIC = {
    "tfpipe": [
        "FineTune",
        "Part",
        "Phase",
        "Pipeline",
        "bench",
        "check",
        "compare_models",
        "config",
        "data_bench",
        "data_show",
        "deferred",
        "errors",
        "evaluate",
        "export",
        "hp",
        "inspect",
        "keras",
        "predict",
        "profile",
        "resume",
        "run",
        "search",
        "serve",
        "verify",
    ],
    "tfpipe.data": [
        "Arrays",
        "COCO",
        "CSV",
        "DrawnObjects",
        "Generated",
        "ImageFiles",
        "ImageFolder",
        "ImagePairs",
        "Mlxtend",
        "Pairs",
        "Pictures",
        "Sample",
        "Sklearn",
        "Subset",
        "TFDS",
        "TFDSObjects",
        "Text",
        "TextCSV",
        "TextFolder",
        "VOC",
        "Windows",
        "YOLOText",
        "augment",
    ],
    "tfpipe.data.augment": [
        "brightness",
        "contrast",
        "crop",
        "cutout",
        "flip",
        "hue",
        "invert",
        "quarter_turn",
        "random_resized_crop",
        "rotate",
        "saturation",
        "shift",
        "zoom",
    ],
    "tfpipe.models": [
        "AlexNet",
        "Application",
        "Block",
        "CNN_2_4_6",
        "CharRNN",
        "ClassifierAsDetector",
        "ConvNet",
        "Custom",
        "DeepDream",
        "DenseNet",
        "Discriminator",
        "EDSR",
        "FeatureExtractor",
        "GAN",
        "GPT",
        "GoogLeNet",
        "Hub",
        "HubDetector",
        "HubStyle",
        "InceptionV3",
        "LeNet",
        "Linear",
        "MLP",
        "MobileNet",
        "NASNetMobile",
        "NiN",
        "RNNForecaster",
        "ResNet",
        "SRCNN",
        "SRResNet",
        "SSD",
        "Seq2Seq",
        "StyleTransfer",
        "TextClassifier",
        "Transformer",
        "UNet",
        "VGG",
        "VGG16",
        "WDSR",
        "WhitenedCNN",
        "YOLOv3",
    ],
    "tfpipe.declare.hp": ["Bool", "Choice", "Float", "Int", "Range"],
}


@pytest.mark.parametrize("module", PUBLIC)
def test_the_public_names(module):
    assert sorted(importlib.import_module(module).__all__) == PUBLIC[module]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_there(module):
    found = importlib.import_module(module)
    for name in found.__all__:
        assert getattr(found, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'tfpipe' has no attribute 'nothing'$"):
        _ = tfpipe.nothing


def test_the_public_classes_say_what_they_are_for():
    for module in ("tfpipe.data", "tfpipe.models", "tfpipe.data.augment"):
        found = importlib.import_module(module)
        for name in found.__all__:
            assert (getattr(found, name).__doc__ or "").strip()
