"""A model together with what its images look like."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Network:
  """A model, the normalisation it was (or is being) trained with, its input.

  Attributes:
    model: a `flax.linen` module, `(logits, endpoints)`.
    mean: per channel, on the scale 0 to 255.
    std: likewise.
    input_shape: `(height, width, channels)`.
    label: what people call it, for messages and tables.
  """

  model: nn.Module
  mean: tuple[float, ...]
  std: tuple[float, ...]
  input_shape: tuple[int, int, int]
  label: str

  def apply(self, variables, images, *, train=False):
    """(logits, endpoints), and the new batch_stats when `train`."""
    if not train:
      return self.model.apply(variables, images, train=False)
    outputs, changed = self.model.apply(
      variables, images, train=True, mutable=['batch_stats']
    )
    return outputs, changed.get('batch_stats', {})

  def init(self, key):
    """Variables {'params': ..., 'batch_stats': ...}."""
    image = jnp.zeros((1, *self.input_shape), jnp.float32)
    variables = self.model.init(key, image, train=False)
    return {
      'params': variables['params'],
      'batch_stats': variables.get('batch_stats', {}),
    }

  @functools.cached_property
  def variable_shapes(self):
    """What `init` returns, as shapes: nothing is computed."""
    return jax.eval_shape(self.init, jax.random.key(0))

  def images_from(self, images, other):
    """Images normalised for `other`, normalised for this network instead."""
    if (self.mean, self.std) == (other.mean, other.std):
      return images
    mean, std, own_mean, own_std = (
      jnp.asarray(x, jnp.float32).reshape(1, 1, 1, -1)
      for x in (other.mean, other.std, self.mean, self.std)
    )
    return (images * std + mean - own_mean) / own_std
