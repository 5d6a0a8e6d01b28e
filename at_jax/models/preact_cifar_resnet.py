"""Pre-activation residual networks of bottlenecks for small images.

Source: He, Zhang, Ren and Sun, Identity Mappings in Deep Residual Networks,
ECCV 2016, https://arxiv.org/abs/1603.05027.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank
from at_jax.models.layers import batch_norm_from_1 as batch_norm
from at_jax.models.layers import conv, head
from at_jax.models.ran_modules import Unit


class PreactCifarResNet(nn.Module):
  """ResNet-164 and others of its kind, what RAN's paper compares with.

  Endpoints, sums before batch norm and ReLU (signed), for a 32x32 input:
    `group1` [B, 32, 32, 64], `group2` [B, 16, 16, 128], `group3`
    [B, 8, 8, 256]; `group1/block1` ... the output of every block, of which the
    group's is the last.

  Attributes:
    depth: 9n + 2, for n blocks in each of the three groups.
    num_classes: number of logits.
    dtype: of the activations; parameters and statistics stay float32.
  """

  depth: int = 164
  num_classes: int = 10
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    if self.depth < 11 or (self.depth - 2) % 9:
      raise ValueError(
        'A ResNet of bottlenecks for CIFAR has depth 9n + 2 (11, 29, 110, 164, '
        f'1001, ...), got {self.depth}.'
      )
    check_rank('PreactCifarResNet', images, '[B, H, W, C]')
    x = conv(16, 3, 1, dtype=self.dtype, name='conv0')(images)
    endpoints = {}
    for group, (features, stride) in enumerate(
      ((64, 1), (128, 2), (256, 2)), 1
    ):
      for block in range(1, (self.depth - 2) // 9 + 1):
        x = Unit(
          features,
          stride if block == 1 else 1,
          self.dtype,
          name=f'group{group}_block{block}',
        )(x, train=train)
        endpoints[f'group{group}/block{block}'] = x
      endpoints[f'group{group}'] = x
    norm = batch_norm(
      use_running_average=not train, dtype=self.dtype, name='bn'
    )
    x = jnp.mean(nn.relu(norm(x)), axis=(1, 2))
    return head(self.num_classes, dtype=self.dtype)(x), endpoints
