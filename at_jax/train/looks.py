"""Where a network looks: compiled functions of its variables and images."""

import functools

import jax
import jax.numpy as jnp

from at_jax.maps import attention_map
from at_jax.models.ran_modules import activated
from at_jax.objectives.gradients import IMAGES, differentiate
from at_jax.objectives.taps import parts_of


def attention_maps(endpoints):
  """{name: attention map [B, h, w]} of the endpoints of groups."""
  return {name: attention_map(end) for name, end in _groups(endpoints)}


def responses(endpoints):
  """{group: mean absolute value of what it returns, [B]}."""
  return {
    name: jnp.mean(jnp.abs(end), axis=(1, 2, 3), dtype=jnp.float32)
    for name, end in _groups(endpoints)
  }


def _groups(endpoints):
  """(name, features) of the endpoints of groups."""
  return [
    (name, end)
    for name, end in endpoints.items()
    if end.ndim == 4 and '/' not in name
  ]


@functools.cache
def group_maps(network):
  """(variables, images) -> attention maps of the group endpoints, by name."""

  @jax.jit
  def maps(variables, images):
    _, ends = network.apply(variables, images)
    return attention_maps(ends)

  return maps


@functools.cache
def mask_views(network):
  """(variables, images) -> (logits, {place: arrays around its mask}).

  The arrays, `[B, h, w, C]`: `split` a, `trunk` T, `mask` M, `product` M T,
  `fused` H and `active`, H as the next unit sees it, after batch norm and ReLU.
  A network without masks has an empty dict.
  """

  @jax.jit
  def views(variables, images):
    logits, ends = network.apply(variables, images)
    found = {}
    for place, mask in parts_of('mask', ends).items():
      trunk, fused = (ends[f'{part}/{place}'] for part in ('trunk', 'fused'))
      found[place] = dict(
        split=ends[f'split/{place}'],
        trunk=trunk,
        mask=mask,
        product=mask * trunk,
        fused=fused,
        active=activated(variables, place, fused, network.model.unit),
      )
    return logits, jax.tree.map(lambda x: x.astype(jnp.float32), found)

  return views


@functools.cache
def gradient_map(network, own):
  """(variables, images, labels) -> the gradient at the pixels, in eval mode.

  Args:
    network: a `Network`.
    own: the `Network` that the images are normalised for.
  """

  @jax.jit
  def gradient(variables, images, labels):
    _, passed = differentiate(
      network, variables, images, labels, {IMAGES}, given_for=own
    )
    return passed.gradients[IMAGES]

  return gradient
