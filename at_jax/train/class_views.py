"""Where a network sees each class: a compiled function of its images."""

import functools

import jax
import jax.numpy as jnp

from at_jax.data.augment import normalise
from at_jax.objectives.taps import parts_of
from at_jax.train.looks import endpoint_shapes
from at_jax.train.scores import probabilities

PARTS = ('attention', 'scores', 'weighted', 'score', 'gate')


def has_class_maps(network):
  """Whether its endpoints have maps of classes, see `TripleAttention`."""
  return bool(parts_of('scores', endpoint_shapes(network)))


def check_class_maps(network):
  """Raises ValueError unless it has maps of classes."""
  if not has_class_maps(network):
    raise ValueError(
      f'{network.label} has no maps of classes: --what=gates is for networks '
      'with triple attention (a3net, attention_cnn), docs/triple_attention.md.'
    )


@functools.cache
def class_views(network, multi_label=False):
  """(variables, images) -> (probabilities, arrays of triple attention).

  Args:
    network: a `Network` with maps of classes.
    multi_label: see `probabilities`.

  Images are `[B, H, W, C]`, not yet normalised. Arrays, as far as the network
  has them, float32: for each place `attention/<place>` A, `scores/<place>` S
  and `weighted/<place>` M `[B, h, w, classes]`, `score/<place>`
  `[B, classes]`, `gate/<place>` u `[B, channels]`; `scale` `[B, L, classes]`,
  or of channels.
  """

  @jax.jit
  def views(variables, images):
    seen = normalise(images, network.mean, network.std)
    logits, ends = network.apply(variables, seen)
    found = {
      f'{part}/{place}': array.astype(jnp.float32)
      for part in PARTS
      for place, array in parts_of(part, ends).items()
    }
    if 'scale' in ends:
      found['scale'] = ends['scale'].astype(jnp.float32)
    return probabilities(logits, multi_label), found

  return views
