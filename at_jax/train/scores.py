"""What a network says of images: compiled, and in words."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from at_jax.data.augment import normalise


def probabilities(logits, multi_label=False):
  """Of each class, `[B, classes]`, float32.

  One label an image, softmax; of labels that do not exclude each other, a
  sigmoid each.
  """
  logits = logits.astype(jnp.float32)
  if multi_label:
    return jax.nn.sigmoid(logits)
  return jax.nn.softmax(logits, axis=-1)


@functools.cache
def scorer(network, precision='default', multi_label=False):
  """(variables, images) -> `probabilities`.

  Args:
    network: a `Network`.
    precision: of matrix products and convolutions.
    multi_label: see `probabilities`.

  Images are uint8 `[B, H, W, C]`, not yet normalised.
  """

  @jax.jit
  def scores(variables, images):
    images = normalise(images, network.mean, network.std)
    with jax.default_matmul_precision(precision):
      logits, _ = network.apply(variables, images)
    return probabilities(logits, multi_label)

  return scores


def best_classes(chances, class_names, count):
  """[(class, probability)] of one image, best first.

  Of equal ones the first stands first, as for `argmax`.

  >>> best_classes([0.2, 0.5, 0.3], 'abc', 2)
  [('b', 0.5), ('c', 0.3)]
  """
  order = np.argsort(-np.asarray(chances), kind='stable')[:count]
  return [(class_names[k], float(chances[k])) for k in order]


def in_words(chances, class_names):
  """'tulip, probability 0.93'."""
  ((name, chance),) = best_classes(chances, class_names, 1)
  return f'{name}, probability {chance:.2f}'
