"""Where a network looks: compiled functions of its variables and images."""

import functools

import jax

from at_jax.maps import attention_map
from at_jax.objectives.gradients import IMAGES, differentiate


def attention_maps(endpoints):
  """{name: attention map [B, h, w]} of the endpoints of groups."""
  return {
    name: attention_map(end)
    for name, end in endpoints.items()
    if end.ndim == 4 and '/' not in name
  }


@functools.cache
def group_maps(network):
  """(variables, images) -> attention maps of the group endpoints, by name."""

  @jax.jit
  def maps(variables, images):
    _, ends = network.apply(variables, images)
    return attention_maps(ends)

  return maps


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
