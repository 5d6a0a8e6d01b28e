"""Cross-entropies with weights for classes of different frequency.

A3Net (https://doi.org/10.1016/j.media.2020.101846) minimises a weighted
cross-entropy and, as far as is known, does not say with which weights. Axes: B
batch, C classes.
"""

import jax
import jax.numpy as jnp

from at_jax._arrays import at_least_float32, check_rank, check_same_shape
from at_jax.losses import cross_entropy


def weighted_cross_entropy(logits, labels, class_weights):
  """w[label] * -log softmax(logits)[label], per example; for one label each.

  Nothing is normalised: a mean over examples weighted to a mean of 1 divides by
  the mean of w[label]. Usual weights are N / (C N_c), for N_c examples of class
  c among the N of the training set.

  Args:
    logits: `[B, C]`.
    labels: integer classes, `[B]`.
    class_weights: w, `[C]`, >= 0.

  Returns:
    Losses `[B]`, at least float32.

  Raises:
    ValueError: wrong shapes, labels that are no integers.

  Example:
    >>> import jax.numpy as jnp
    >>> logits, weights = jnp.zeros((1, 2)), jnp.array([1., 10.])
    >>> loss = weighted_cross_entropy(logits, jnp.array([1]), weights)
    >>> f'{loss[0]:.3f}'
    '6.931'
  """
  losses = cross_entropy(logits, labels)
  _check_weights('class_weights', class_weights, logits)
  losses, weights = at_least_float32(losses, class_weights)
  return weights[jnp.asarray(labels)] * losses


def weighted_sigmoid_cross_entropy(
  logits, labels, positive_weights, negative_weights
):
  """-w+ y log p - w- (1 - y) log(1 - p), p = sigmoid(logits); for many labels.

  Every class is a decision of its own. Usual weights, with P_c positive and N_c
  negative examples of class c in the training set: N_c / (P_c + N_c) for w+ and
  P_c / (P_c + N_c) for w-. (From memory, CheXNet's; those of Wang et al., 2017,
  are counted anew in every batch, where there may be no positive at all.)

  Args:
    logits: `[B, C]`.
    labels: y of the same shape, 0 or 1: integers, bools or floats.
    positive_weights: w+, `[C]`, >= 0.
    negative_weights: w-, `[C]`, >= 0.

  Returns:
    Losses `[B, C]`, at least float32.

  Raises:
    ValueError: a rank other than 2, two shapes, weights of another shape.

  Example:
    >>> import jax.numpy as jnp
    >>> labels = jnp.array([[1, 0]])
    >>> rare, common = jnp.array([.9, .9]), jnp.array([.1, .1])
    >>> loss = weighted_sigmoid_cross_entropy(
    ...   jnp.zeros((1, 2)), labels, rare, common)
    >>> [f'{x:.3f}' for x in loss[0]]
    ['0.624', '0.069']
  """
  name = 'weighted_sigmoid_cross_entropy'
  check_rank(name, logits, '[B, C]')
  check_rank(name, labels, '[B, C]')
  check_same_shape(
    name, logits, labels, hint=' Labels are 0 or 1 for each class.'
  )
  _check_weights('positive_weights', positive_weights, logits)
  _check_weights('negative_weights', negative_weights, logits)
  logits, positive, negative = at_least_float32(
    logits, positive_weights, negative_weights
  )
  labels = jnp.asarray(labels, logits.dtype)
  present = positive[None] * labels * -jax.nn.log_sigmoid(logits)
  absent = negative[None] * (1 - labels) * -jax.nn.log_sigmoid(-logits)
  return present + absent


def _check_weights(name, weights, logits):
  if jnp.shape(weights) != jnp.shape(logits)[1:]:
    raise ValueError(
      f'{name} wants one weight for each class, [C] = {jnp.shape(logits)[1:]}, '
      f'got {jnp.shape(weights)}.'
    )
