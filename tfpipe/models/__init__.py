"""Model builders: each reads an element spec and makes a Keras model that gives logits."""

from tfpipe.models.cnn.alexnet import AlexNet
from tfpipe.models.cnn.cnn_2_4_6 import CNN_2_4_6
from tfpipe.models.cnn.convnet import Block, ConvNet
from tfpipe.models.cnn.densenet import DenseNet
from tfpipe.models.cnn.googlenet import GoogLeNet
from tfpipe.models.cnn.lenet import LeNet
from tfpipe.models.cnn.nin import NiN
from tfpipe.models.cnn.resnet import ResNet
from tfpipe.models.cnn.vgg import VGG
from tfpipe.models.custom import Custom
from tfpipe.models.detection.classifier_as_detector import ClassifierAsDetector
from tfpipe.models.detection.hub_detector import HubDetector
from tfpipe.models.detection.ssd import SSD
from tfpipe.models.detection.yolov3 import YOLOv3
from tfpipe.models.images_out.discriminator import Discriminator
from tfpipe.models.images_out.edsr import EDSR
from tfpipe.models.images_out.feature_extractor import FeatureExtractor
from tfpipe.models.images_out.gan import GAN
from tfpipe.models.images_out.srcnn import SRCNN
from tfpipe.models.images_out.srresnet import SRResNet
from tfpipe.models.images_out.unet import UNet
from tfpipe.models.images_out.wdsr import WDSR
from tfpipe.models.linear import Linear
from tfpipe.models.mlp import MLP
from tfpipe.models.pictures.deep_dream import DeepDream
from tfpipe.models.pictures.hub_style import HubStyle
from tfpipe.models.pictures.style_transfer import StyleTransfer
from tfpipe.models.pretrained.application import Application
from tfpipe.models.pretrained.hub import Hub
from tfpipe.models.pretrained.named_networks import VGG16, InceptionV3, MobileNet, NASNetMobile
from tfpipe.models.sequence.char_rnn import CharRNN
from tfpipe.models.sequence.gpt import GPT
from tfpipe.models.sequence.rnn_forecaster import RNNForecaster
from tfpipe.models.sequence.seq2seq import Seq2Seq
from tfpipe.models.sequence.transformer import Transformer
from tfpipe.models.text_classifier import TextClassifier
from tfpipe.models.whitened_cnn.builder import WhitenedCNN

__all__ = [
    "CNN_2_4_6",
    "EDSR",
    "GAN",
    "GPT",
    "MLP",
    "SRCNN",
    "SSD",
    "VGG",
    "VGG16",
    "WDSR",
    "AlexNet",
    "Application",
    "Block",
    "CharRNN",
    "ClassifierAsDetector",
    "ConvNet",
    "Custom",
    "DeepDream",
    "DenseNet",
    "Discriminator",
    "FeatureExtractor",
    "GoogLeNet",
    "Hub",
    "HubDetector",
    "HubStyle",
    "InceptionV3",
    "LeNet",
    "Linear",
    "MobileNet",
    "NASNetMobile",
    "NiN",
    "RNNForecaster",
    "ResNet",
    "SRResNet",
    "Seq2Seq",
    "StyleTransfer",
    "TextClassifier",
    "Transformer",
    "UNet",
    "WhitenedCNN",
    "YOLOv3",
]
