"""Losses on logits: knowledge distillation.

Source, where nothing else is said: Hinton et al., Distilling the Knowledge in a
Neural Network, 2015, https://arxiv.org/abs/1503.02531. Axes: B batch, K
classes.
"""

import jax
import jax.numpy as jnp
import optax

from at_jax._arrays import (
  at_least_float32,
  check_range,
  check_rank,
  check_same_shape,
  plain_float,
)


def kd_divergence(student_logits, teacher_logits, *, temperature=4.0):
  """T^2 * KL(softmax(teacher / T) || softmax(student / T)), per example.

  The factor T^2 keeps the size of the gradients when T changes. Natural
  logarithm, summed over classes. (Until 2018 the attention transfer authors'
  code averaged over classes as well and doubled: 2/K of this.)

  Args:
    student_logits: `[B, K]`.
    teacher_logits: `[B, K]`. Their gradient is not stopped.
    temperature: T > 0.

  Returns:
    Divergences `[B]`, at least float32, >= 0 up to rounding.

  Raises:
    ValueError: a rank other than 2, two shapes, T not positive.

  Example:
    >>> import jax.numpy as jnp
    >>> teacher = jnp.array([[jnp.log(3.), 0.]])  # probabilities 3/4, 1/4
    >>> student = jnp.zeros((1, 2))
    >>> round(float(kd_divergence(student, teacher, temperature=1.)[0]), 4)
    0.1308
  """
  temperature, student, teacher = _soften(
    'kd_divergence', student_logits, teacher_logits, temperature
  )
  # A class that the teacher rules out (-inf) adds nothing: p log p is 0 at 0.
  difference = jnp.where(jnp.isneginf(teacher), 0.0, teacher - student)
  divergence = jnp.sum(jnp.exp(teacher) * difference, axis=-1)
  return temperature**2 * divergence


def soft_target_cross_entropy(
  student_logits, teacher_logits, *, temperature=10.0, t_squared=False
):
  """-sum of softmax(teacher / T) * log softmax(student / T), per example.

  Natural logarithm. With `t_squared` this is `kd_divergence` plus T^2 times the
  teacher's entropy; without, gradients shrink as 1/T^2 when T grows. TASN has
  no T^2: its part network teaches its master network at T = 10, with a weight
  of 2 beside the master's cross-entropy. (In its authors' code the gradient
  reaches the teacher, too, which the paper's one-way transfer excludes.)

  Args:
    student_logits: `[B, K]`.
    teacher_logits: `[B, K]`. Their gradient is not stopped.
    temperature: T > 0.
    t_squared: whether to multiply by T^2.

  Returns:
    Losses `[B]`, at least float32; never below the teacher's entropy, times T^2
    with `t_squared`.

  Raises:
    ValueError: a rank other than 2, two shapes, T not positive.

  Example:
    >>> import jax.numpy as jnp
    >>> teacher = jnp.array([[jnp.log(3.), 0.]])  # probabilities 3/4, 1/4
    >>> loss = soft_target_cross_entropy(teacher, teacher, temperature=1.)
    >>> f'{loss[0]:.4f}'  # their entropy
    '0.5623'

  References:
    Zheng et al., Looking for the Devil in the Details: Learning Trilinear
    Attention Sampling Network for Fine-grained Image Recognition, CVPR 2019,
    https://arxiv.org/abs/1903.06150.
  """
  temperature, student, teacher = _soften(
    'soft_target_cross_entropy', student_logits, teacher_logits, temperature
  )
  # A class that the teacher rules out adds nothing, whatever the student says.
  logs = jnp.where(jnp.isneginf(teacher), 0.0, student)
  loss = -jnp.sum(jnp.exp(teacher) * logs, axis=-1)
  return temperature**2 * loss if t_squared else loss


def kd_loss(
  student_logits, teacher_logits, labels, *, temperature=4.0, alpha=0.9
):
  """alpha * kd_divergence + (1 - alpha) * cross-entropy, per example.

  Args:
    student_logits: `[B, K]`.
    teacher_logits: `[B, K]`. Their gradient is not stopped.
    labels: integer classes, `[B]`.
    temperature: T of the divergence; the cross-entropy is at T = 1.
    alpha: weight of the teacher, in [0, 1]; at 0 the loss is cross-entropy.

  Returns:
    Losses `[B]`, at least float32.

  Raises:
    ValueError: wrong shapes, labels that are no integers, alpha or T out of
      range.

  Example:
    >>> import jax.numpy as jnp
    >>> logits = jnp.zeros((1, 10))
    >>> loss = kd_loss(logits, logits, jnp.array([3]), alpha=0.)
    >>> f'{loss[0]:.3f}'
    '2.303'
  """
  check_range('The weight alpha of kd_loss', alpha, 0, 1)
  divergence = kd_divergence(
    student_logits, teacher_logits, temperature=temperature
  )
  return alpha * divergence + (1 - alpha) * cross_entropy(
    student_logits, labels
  )


def cross_entropy(logits, labels):
  """-log softmax(logits)[label], per example.

  Args:
    logits: `[B, K]`.
    labels: integer classes, `[B]`.

  Returns:
    Losses `[B]`, at least float32.

  Raises:
    ValueError: wrong shapes, labels that are no integers.

  Example:
    >>> import jax.numpy as jnp
    >>> f'{cross_entropy(jnp.zeros((1, 2)), jnp.array([1]))[0]:.3f}'
    '0.693'
  """
  check_rank('cross_entropy', logits, '[B, K]')
  labels = jnp.asarray(labels)
  if labels.shape != logits.shape[:1] or not jnp.issubdtype(
    labels.dtype, jnp.integer
  ):
    raise ValueError(
      f'Labels must be integer classes of shape [B] = {logits.shape[:1]}, got '
      f'{labels.dtype} of shape {labels.shape}.'
    )
  (logits,) = at_least_float32(logits)
  return optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)


def _soften(name, student_logits, teacher_logits, temperature):
  """(T, log-probabilities of the student at T, and of the teacher), checked."""
  check_rank(name, student_logits, '[B, K]')
  check_rank(name, teacher_logits, '[B, K]')
  check_same_shape(
    name,
    student_logits,
    teacher_logits,
    hint=' Distillation needs a teacher of the same classes.',
  )
  check_range(f'The temperature of {name}', temperature, 1e-6, 1e6)
  temperature = plain_float(temperature)
  student, teacher = (
    jax.nn.log_softmax(logits / temperature)
    for logits in at_least_float32(student_logits, teacher_logits)
  )
  return temperature, student, teacher
