"""What the networks for small images share: convolution, batch norm, head.

The conventions are PyTorch's and those of the attention transfer authors' code.
"""

import functools

import flax.linen as nn

kaiming_normal = nn.initializers.variance_scaling(2.0, 'fan_in', 'normal')


def conv(features, kernel, stride, *, use_bias=False, **kwargs):
  """A convolution, by default without bias, padded as PyTorch pads.

  `SAME` would pad a strided convolution on the other side.
  """
  return nn.Conv(
    features,
    (kernel, kernel),
    strides=stride,
    padding=kernel // 2,
    use_bias=use_bias,
    kernel_init=kaiming_normal,
    **kwargs,
  )


# PyTorch's momentum 0.1 is 0.9 here. Scales begin uniform in [0, 1), as in the
# authors' code, not at 1.
batch_norm = functools.partial(
  nn.BatchNorm,
  momentum=0.9,
  epsilon=1e-5,
  scale_init=nn.initializers.uniform(1.0),
)

# The layer from pooled features to logits; its bias begins at 0.
head = functools.partial(nn.Dense, kernel_init=kaiming_normal, name='head')
