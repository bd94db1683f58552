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
from tfpipe.models.linear import Linear
from tfpipe.models.mlp import MLP
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
    "GPT",
    "MLP",
    "VGG",
    "VGG16",
    "AlexNet",
    "Application",
    "Block",
    "CharRNN",
    "ConvNet",
    "Custom",
    "DenseNet",
    "GoogLeNet",
    "Hub",
    "InceptionV3",
    "LeNet",
    "Linear",
    "MobileNet",
    "NASNetMobile",
    "NiN",
    "RNNForecaster",
    "ResNet",
    "Seq2Seq",
    "TextClassifier",
    "Transformer",
    "WhitenedCNN",
]
