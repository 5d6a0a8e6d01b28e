"""A model together with what its images look like."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from at_jax.data.augment import of_images
from at_jax.objectives.paths import covered, covers


@dataclasses.dataclass(frozen=True)
class Network:
  """A model, the normalisation it was (or is being) trained with, its input.

  Attributes:
    model: a `flax.linen` module, `(logits, endpoints)`.
    mean: on the scale 0 to 255, per channel or, nested, per pixel.
    std: likewise.
    input_shape: `(height, width, channels)`.
    label: what people call it, for messages and tables.
    frozen_norms: parameter paths (see `paths.covers`) whose batch norms use
      their running statistics in train mode too, and update none.
  """

  model: nn.Module
  mean: tuple
  std: tuple
  input_shape: tuple[int, int, int]
  label: str
  frozen_norms: tuple[str, ...] = ()

  def apply(self, variables, images, *, train=False, key=None):
    """(logits, endpoints), and the new batch_stats when `train`.

    A `key` is for what a model draws in training.
    """
    if not train:
      return self.model.apply(variables, images, train=False)
    with nn.intercept_methods(self._freeze_norms):
      outputs, changed = self.model.apply(
        variables,
        images,
        train=True,
        mutable=['batch_stats'],
        rngs=None if key is None else {'draw': key},
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

  @functools.cached_property
  def output_shapes(self):
    """(logits, endpoints) of two images in training, as shapes, at no cost."""
    images = jax.ShapeDtypeStruct((2, *self.input_shape), jnp.float32)
    outputs, _ = jax.eval_shape(
      lambda variables, images: self.apply(
        variables, images, train=True, key=jax.random.key(0)
      ),
      self.variable_shapes,
      images,
    )
    return outputs

  @property
  def per_pixel(self):
    """Whether each pixel has a mean of its own, which fixes the image size."""
    return isinstance(self.mean[0], tuple)

  def side(self, size=0):
    """Height and width of square images: `size`, or 0 for that of training.

    Raises:
      ValueError: the network takes images of one size only.
    """
    own = self.input_shape[0]
    if self.per_pixel and size not in (0, own):
      raise ValueError(
        f'size={size}: {self.label} subtracts the mean of each pixel, so it '
        f'takes images of {own} pixels only.'
      )
    return size or own

  @property
  def mixes_images(self):
    """Whether batch norm makes one image depend on the others in training."""
    stats = self.variable_shapes['batch_stats']
    return not all(jax.tree.leaves(covered(self.frozen_norms, stats)))

  def _freeze_norms(self, next_function, args, kwargs, context):
    module = context.module
    if isinstance(module, nn.BatchNorm) and covers(
      self.frozen_norms, module.path
    ):
      # Modules refuse to be changed, but this one was made for this call.
      object.__setattr__(module, 'use_running_average', True)
    return next_function(*args, **kwargs)

  def images_from(self, images, other):
    """Images normalised for `other`, normalised for this network instead."""
    if (self.mean, self.std) == (other.mean, other.std):
      return images
    mean, std, own_mean, own_std = map(
      of_images, (other.mean, other.std, self.mean, self.std)
    )
    return (images * std + mean - own_mean) / own_std
