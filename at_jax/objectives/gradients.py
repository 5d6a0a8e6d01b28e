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


def differentiate(
  network, variables, images, labels, places, *, given_for=None, train=False
):
  """(what `Network.apply` returns, a `Differentiated`), in one pass.

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
  inputs, paths = {}, {}
  for place in sorted(places):
    if place == IMAGES:
      inputs[IMAGES] = images
    else:
      paths[place], shape = submodule_of(network, place, train)
      inputs[place] = jnp.zeros((len(images), *shape))

  def losses(inputs):
    pixels = inputs.get(IMAGES, images)
    if given_for:
      pixels = network.images_from(pixels, given_for)
    with added({path: inputs[place] for place, path in paths.items()}):
      outputs = network.apply(variables, pixels, train=train)
    logits, _ = outputs[0] if train else outputs
    return cross_entropy(logits, labels), (outputs, logits)

  gradients, (outputs, logits) = input_gradient(losses, inputs, has_aux=True)
  return outputs, Differentiated(logits, gradients)
