"""Residual attention networks, for CIFAR and for ImageNet.

Source: Wang et al., Residual Attention Network for Image Classification, CVPR
2017, https://arxiv.org/abs/1704.06904. The ImageNet networks are those of its
authors' Caffe files. Their CIFAR networks were never released: `RANCifar` is
the layout that gives the paper's counts of parameters.
"""

import flax.linen as nn

from at_jax.models.layers import conv
from at_jax.models.ran_network import RAN
from at_jax.resize import max_pool_ceil


class RANCifar(RAN):
  """Attention-56, 92, 128, 164, 236 (modules 1, 2, 3, 4, 6) for small images.

  The depth is 36 modules + 20; Attention-452 is modules=6, p=2, t=4, r=3. A
  stem of one 3x3 convolution, stages that end in one more unit, masks with 3,
  2 and 1 pools. Images of 8x8 pixels or more. The paper states neither stem,
  widths, pools nor the places of the two units of a stage outside modules;
  these give its 1.9M parameters for Attention-92 and 5.1M for 236 (100
  classes), while nothing known gives its 8.6M for 452 (here 10.2M).

  Endpoints as in `RAN`, for a 32x32 input and the default width:
    `group1` [B, 32, 32, 64], `group2` [B, 16, 16, 128], `group3`
    [B, 8, 8, 256]; the five of each module have the shape of their group, for
    instance `mask/group1/module1`.

  Attributes: those of `RAN`.
  """

  closing = 1


class RANCifarWide(RAN):
  """The network that most ports call Attention-92 for CIFAR; not the paper's.

  12,170,730 parameters where the paper's has 1.9M: do not compare its error
  with the paper's row. Modules 1, 2, 3 as on ImageNet, twice the channels, a
  batch norm in the stem, masks with 2, 1 and no pools, three last units without
  stride. Images of 4x4 pixels or more. The masks are those of the paper's
  authors: their `Interp` layers do not add what some ports add.

  Endpoints as in `RAN`, for a 32x32 input and the default width:
    `group1` [B, 32, 32, 128], `group2` [B, 16, 16, 256], `group3`
    [B, 8, 8, 512], `group4` [B, 8, 8, 1024]; the five of each module have the
    shape of their group, for instance `mask/group3/module2`.

  Attributes: those of `RAN`.
  """

  modules: int | tuple[int, ...] = (1, 2, 3)
  width: int = 128

  pools = (2, 1, 0)
  last = 1

  def stem(self, images, train):
    x = conv(self.width // 4, 3, 1, dtype=self.dtype, name='conv0')(images)
    return nn.relu(self.norm('bn0', train)(x))


class RANImageNet(RAN):
  """Attention-56 (modules 1, 1, 1) and Attention-92 (1, 2, 3) for photographs.

  A stem of a 7x7 convolution with stride 2, batch norm, ReLU and a pool, masks
  with 3, 2 and 1 pools, three last units with stride 2. Images of 31x31 pixels
  or more (224, 299, 320 in the paper).

  Endpoints as in `RAN`, for a 224x224 input and the default width:
    `group1` [B, 56, 56, 256], `group2` [B, 28, 28, 512], `group3`
    [B, 14, 14, 1024], `group4` [B, 7, 7, 2048]; the five of each module have
    the shape of their group, for instance `mask/group2/module1`.

  Attributes: those of `RAN`.
  """

  width: int = 256
  num_classes: int = 1000

  last = 2

  def stem(self, images, train):
    x = conv(self.width // 4, 7, 2, dtype=self.dtype, name='conv0')(images)
    return max_pool_ceil(nn.relu(self.norm('bn0', train)(x)))

  def first_side(self, side):
    return (side + 1) // 2 // 2


class RANNext(RANImageNet):
  """AttentionNeXt-56 and 92: ResNeXt units, 32 groups, ReLU after the sums.

  The first 1x1 convolution of a mask's head and the global average come without
  batch norm and ReLU before them; sums in a mask and H get no ReLU. `width` is
  a multiple of 64.

  Endpoints as in `RANImageNet`; T, and all `group…`, are >= 0.

  Attributes: those of `RAN`.
  """

  unit = 'next'
