"""Where a network looks: compiled functions of its variables and images."""

import functools

import jax
import jax.numpy as jnp

from at_jax.data.augment import normalise
from at_jax.input_gradients import input_gradient
from at_jax.losses import cross_entropy
from at_jax.maps import attention_map
from at_jax.models.ran_modules import activated
from at_jax.objectives.gradients import IMAGES, differentiate, in_float32
from at_jax.objectives.taps import parts_of
from at_jax.train.scores import probabilities


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
def endpoint_shapes(network):
  """{endpoint: its shape for one image}, in evaluation; nothing is computed."""
  image = jax.ShapeDtypeStruct((1, *network.input_shape), jnp.float32)
  _, ends = jax.eval_shape(network.apply, network.variable_shapes, image)
  return {name: end.shape for name, end in ends.items()}


@functools.cache
def tap_maps(network, wanted, multi_label=False):
  """(variables, images) -> (probabilities, {label: attention map [B, h, w]}).

  Args:
    network: a `Network`.
    wanted: a tuple of (label, endpoint `[B, h, w, C]`, kind, p) of each map,
      see `attention_map`.
    multi_label: see `probabilities`.

  Images are `[B, H, W, C]`, not yet normalised.
  """

  @jax.jit
  def maps(variables, images):
    seen = normalise(images, network.mean, network.std)
    logits, ends = network.apply(variables, seen)
    found = {
      label: attention_map(ends[tap], kind=kind, p=p)
      for label, tap, kind, p in wanted
    }
    return probabilities(logits, multi_label), found

  return maps


def check_masks(network):
  """Raises ValueError unless it has soft masks."""
  if not parts_of('mask', endpoint_shapes(network)):
    raise ValueError(
      f'{network.label} has no masks: --what=masks is for residual attention '
      'networks (ran_cifar, ran56, ...), docs/residual_attention.md.'
    )


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


@functools.cache
def class_gradients(network, multi_label=False):
  """(variables, images, labels) -> (probabilities, classes, gradients).

  The gradient is that of what a class costs, -log of its probability, at the
  pixels as they come, not yet normalised: networks then compare. It is taken in
  float32 or better.

  Args:
    network: a `Network`.
    multi_label: see `probabilities`.

  Labels are integers `[B]`; for one below 0 the most probable class is taken.
  Classes are those that were taken, `[B]`; gradients are like images,
  `[B, H, W, C]`.
  """
  network = in_float32(network)

  @jax.jit
  def gradients(variables, images, labels):
    def losses(pixels):
      seen = normalise(pixels, network.mean, network.std)
      with jax.default_matmul_precision('float32'):
        logits, _ = network.apply(variables, seen)
      classes = jnp.where(labels < 0, jnp.argmax(logits, axis=-1), labels)
      if multi_label:
        own = jnp.take_along_axis(logits, classes[:, None], axis=-1)[:, 0]
        cost = jax.nn.softplus(-own)
      else:
        cost = cross_entropy(logits, classes)
      return cost, (logits, classes)

    found, (logits, classes) = input_gradient(losses, images, has_aux=True)
    return probabilities(logits, multi_label), classes, found

  return gradients
