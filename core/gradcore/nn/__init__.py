"""Modules: layers, losses, containers and what they are made of, under PyTorch's names."""

from typing import TYPE_CHECKING

from gradcore.later import later
from gradcore.nn import functional, init, parameter, utils
from gradcore.nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from gradcore.nn.module import Module
from gradcore.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from gradcore.nn.activation import *
    from gradcore.nn.attention import *
    from gradcore.nn.cells import *
    from gradcore.nn.convolution import *
    from gradcore.nn.distance import *
    from gradcore.nn.dropout import *
    from gradcore.nn.fractional import *
    from gradcore.nn.lazy import *
    from gradcore.nn.linear import *
    from gradcore.nn.loss import *
    from gradcore.nn.normalization import *
    from gradcore.nn.pooling import *
    from gradcore.nn.rarer import *
    from gradcore.nn.recurrent import *
    from gradcore.nn.softmax import *
    from gradcore.nn.sparse import *
    from gradcore.nn.transformer import *
    from gradcore.nn.uninitialized import *
    from gradcore.nn.vision import *

_PARTS = {
    "activation": """
        CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid Mish
        PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softplus Softshrink Softsign Tanh
        Tanhshrink Threshold
    """,
    "attention": "MultiheadAttention",
    "cells": "GRUCell LSTMCell RNNCell",
    "convolution": "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d",
    "distance": """
        CosineEmbeddingLoss CosineSimilarity HingeEmbeddingLoss MarginRankingLoss
        PairwiseDistance TripletMarginLoss
    """,
    "dropout": "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d",
    "fractional": "FractionalMaxPool2d FractionalMaxPool3d",
    "lazy": """
        LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d
        LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d
        LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear
    """,
    "linear": "Bilinear Flatten Identity Linear Unflatten",
    "loss": """
        BCELoss BCEWithLogitsLoss CrossEntropyLoss GaussianNLLLoss HuberLoss KLDivLoss
        L1Loss MSELoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss PoissonNLLLoss
        SmoothL1Loss SoftMarginLoss
    """,
    "modules": "",
    "normalization": """
        BatchNorm1d BatchNorm2d BatchNorm3d GroupNorm InstanceNorm1d InstanceNorm2d
        InstanceNorm3d LayerNorm LocalResponseNorm RMSNorm
    """,
    "parallel": "parallel",
    "pooling": """
        AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d
        AdaptiveMaxPool2d AvgPool1d AvgPool2d AvgPool3d MaxPool1d MaxPool2d MaxPool3d
        MaxUnpool2d
    """,
    "rarer": """
        AdaptiveLogSoftmaxWithLoss AdaptiveMaxPool3d CTCLoss ChannelShuffle DataParallel
        FeatureAlphaDropout Fold LPPool1d LPPool2d LPPool3d MaxUnpool1d MaxUnpool3d
        MultiLabelMarginLoss SyncBatchNorm TripletMarginWithDistanceLoss Unfold
    """,
    "recurrent": "GRU LSTM RNN RNNBase",
    "softmax": "GLU LogSoftmax Softmax Softmax2d Softmin",
    "sparse": "Embedding EmbeddingBag",
    "transformer": """
        Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder
        TransformerEncoderLayer
    """,
    "uninitialized": "UninitializedBuffer UninitializedParameter",
    "vision": """
        CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d
        PixelShuffle PixelUnshuffle ReflectionPad1d ReflectionPad2d ReflectionPad3d
        ReplicationPad1d ReplicationPad2d ReplicationPad3d Upsample UpsamplingBilinear2d
        UpsamplingNearest2d ZeroPad1d ZeroPad2d ZeroPad3d
    """,
}
"""The names of each part, which is imported when one of them is first asked for."""

__getattr__, __dir__ = later(__name__, "torch.nn", _PARTS)

__all__ = [
    "Buffer",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "Sequential",
    "functional",
    "init",
    "parameter",
    "utils",
    *" ".join(_PARTS.values()).split(),
]
