"""Gradients of a network's cross-entropy, for the terms that read them.

They are taken with respect to a place: the pixels of the run, or an endpoint.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from at_jax.input_gradients import input_gradient
from at_jax.losses import cross_entropy
from at_jax.objectives.places import added, submodule_of

IMAGES = 'images'  # the place of the pixels


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Differentiated:
  """A pass through a network whose loss was differentiated.

  Attributes:
    logits: `[B, K]`.
    gradients: a dict from a place, `IMAGES` or an endpoint's name, to the
      gradient there of each example's own cross-entropy, `[B, H, W, C]`.
  """

  logits: Any
  gradients: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Wanted:
  """Which gradients terms read.

  Attributes:
    student: places in the student.
    teacher: places in the teacher.
    flipped: whether those of the student at the mirrored images, too.
  """

  student: frozenset = frozenset()
  teacher: frozenset = frozenset()
  flipped: bool = False

  def __or__(self, other):
    return Wanted(
      self.student | other.student,
      self.teacher | other.teacher,
      self.flipped or other.flipped,
    )


def in_float32(network):
  """The network with activations in at least float32, as derivatives need."""
  dtype = jnp.promote_types(network.model.dtype, jnp.float32)
  if dtype == network.model.dtype:
    return network
  return dataclasses.replace(network, model=network.model.clone(dtype=dtype))


def differentiate(
  network, variables, images, labels, places, *, given_for=None, train=False
):
  """(what `Network.apply` returns, a `Differentiated`), in one pass.

  Activations and products are in float32 or better, whatever the network's
  dtype and the run's precision.

  Args:
    network: a `Network`.
    variables: its.
    images: `[B, H, W, C]`; gradients are with respect to these pixels.
    labels: `[B]`.
    places: `IMAGES` and names of endpoints.
    given_for: the `Network` the images are normalised for, by default this.
    train: as `Network.apply` has it.

  Raises:
    ValueError: see `submodule_of`.
  """
  network = in_float32(network)
  ends = {
    place: submodule_of(network, place, train)
    for place in sorted(places)
    if place != IMAGES
  }
  # By path: two names of one endpoint, a group and its last block, share one.
  zeros = {
    path: jnp.zeros((len(images), *shape)) for path, shape in ends.values()
  }
  at_pixels = {IMAGES: images} if IMAGES in places else {}

  def losses(inputs):
    addends, at_pixels = inputs
    pixels = at_pixels.get(IMAGES, images)
    if given_for:
      pixels = network.images_from(pixels, given_for)
    with added(addends), jax.default_matmul_precision('float32'):
      outputs = network.apply(variables, pixels, train=train)
    logits, _ = outputs[0] if train else outputs
    return cross_entropy(logits, labels), (outputs, logits)

  (found, gradients), (outputs, logits) = input_gradient(
    losses, (zeros, at_pixels), has_aux=True
  )
  gradients |= {place: found[path] for place, (path, _) in ends.items()}
  return outputs, Differentiated(logits, gradients)
