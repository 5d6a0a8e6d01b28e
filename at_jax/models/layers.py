"""What the networks share: convolution, batch norm, head.

The conventions are PyTorch's and those of the attention transfer authors' code.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp

from at_jax.resize import max_pool_ceil

kaiming_normal = nn.initializers.variance_scaling(2.0, 'fan_in', 'normal')


def conv(
  features,
  kernel,
  stride,
  *,
  use_bias=False,
  kernel_init=kaiming_normal,
  **kwargs,
):
  """A convolution, by default without bias, padded as PyTorch pads.

  `SAME` would pad a strided convolution on the other side.
  """
  return nn.Conv(
    features,
    (kernel, kernel),
    strides=stride,
    padding=kernel // 2,
    use_bias=use_bias,
    kernel_init=kernel_init,
    conv_general_dilated=_pointwise if kernel == stride == 1 else None,
    **kwargs,
  )


def _pointwise(x, kernel, strides, padding, *, precision=None, **layout):
  """A 1x1 convolution as the product of two matrices that it is.

  On CPUs the gradients of XLA's 1x1 convolution, or of a product of more axes,
  transpose whole batches, which takes longer than the product itself.
  """
  del strides, padding, layout
  rows = x.reshape(-1, x.shape[-1])
  product = jnp.matmul(rows, kernel[0, 0], precision=precision)
  return product.reshape(*x.shape[:-1], -1)


# PyTorch's momentum 0.1 is 0.9 here. Scales begin uniform in [0, 1), as in the
# authors' code, not at 1.
batch_norm = functools.partial(
  nn.BatchNorm,
  momentum=0.9,
  epsilon=1e-5,
  scale_init=nn.initializers.uniform(1.0),
)
# Where no authors' code says otherwise scales begin at 1, as in PyTorch.
batch_norm_from_1 = functools.partial(
  batch_norm, scale_init=nn.initializers.ones
)

# The layer from pooled features to logits; its bias begins at 0.
HEAD = 'head'
head = functools.partial(nn.Dense, kernel_init=kaiming_normal, name=HEAD)


class HeadInput:
  """For `nn.intercept_methods`: remembers what `head` is given, `[B, C]`."""

  features = None

  def __call__(self, call, args, kwargs, context):
    if context.module.name == HEAD and context.method_name == '__call__':
      self.features = args[0]
    return call(*args, **kwargs)


def max_pool_after_relu(x):
  """PyTorch's pool of its stems: 3x3, stride 2, padding 1, of entries >= 0.

  In ceil mode after a zero, which no entry is below, before the first row and
  column.
  """
  return max_pool_ceil(jnp.pad(x, ((0, 0), (1, 0), (1, 0), (0, 0))))
