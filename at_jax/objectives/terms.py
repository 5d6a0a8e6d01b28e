"""The terms a transfer objective can sum up, by name.

A term is a function `term(forward, **settings) -> (value, parts)` of a
`Forward`, what both networks made of a batch: its mean over the batch,
unweighted, and the pieces worth logging by name.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from at_jax.losses import cross_entropy, kd_divergence
from at_jax.maps import activation_distance, at_distance
from at_jax.objectives.gradient_terms import (
  grad_at,
  min_l2,
  symmetry,
  wanted_by_grad_at,
  wanted_by_min_l2,
  wanted_by_symmetry,
)
from at_jax.objectives.gradients import Wanted
from at_jax.objectives.taps import check_sizes


@dataclasses.dataclass(frozen=True)
class Term:
  """A term and what it needs.

  Attributes:
    function: `(forward, **settings) -> (value, parts)`.
    needs_teacher: whether it reads the teacher's side of `forward`.
    init: `(key, forward, **settings) -> parameters` of its own, where it has
      any; `forward` then holds shapes, not arrays.
    wants: settings -> the gradients it reads, a `Wanted`.
  """

  function: Callable
  needs_teacher: bool
  init: Callable | None = None
  wants: Callable = lambda settings: Wanted()


def ce(forward):
  """Cross-entropy with the labels."""
  return jnp.mean(cross_entropy(forward.student_logits, forward.labels)), {}


def kd(forward, *, temperature=4.0):
  """Knowledge distillation: T^2 KL(teacher || student).

  The paper's loss alpha * kd + (1 - alpha) * ce is weight alpha here and
  weight 1 - alpha at `ce`.
  """
  forward.check_classes('kd')
  student, teacher = forward.student_logits, forward.teacher_logits
  return jnp.mean(kd_divergence(student, teacher, temperature=temperature)), {}


def at(forward, *, taps=(), form='code', kind='sum_pow', p=2.0, resize=''):
  """Activation-based attention transfer, summed over pairs of endpoints.

  Args:
    forward: a `Forward`.
    taps: pairs (student's endpoint, teacher's endpoint).
    form: see `at_jax.at_distance`, like the rest.
    kind: likewise.
    p: likewise.
    resize: likewise.
  """
  parts = {}
  pairs = forward.pairs('at', taps)
  if not resize:
    check_sizes(pairs, "set resize='bilinear' in the term at")
  for name, (student, teacher) in pairs.items():
    distance = at_distance(
      student, teacher, form=form, kind=kind, p=p, resize=resize
    )
    parts[name] = jnp.mean(distance)
  return sum(parts.values()), parts


def activation(forward, *, taps=(), form='code'):
  """Transfer of whole activations (F-ActT), summed over pairs of endpoints.

  Where a pair differs in channels, the student's side goes through a 1x1
  convolution without bias, trained along with the student and not part of it.

  Args:
    forward: a `Forward`.
    taps: pairs (student's endpoint, teacher's endpoint).
    form: see `at_jax.activation_distance`.
  """
  parts = {}
  pairs = forward.pairs('activation', taps)
  check_sizes(pairs, "use the term at with resize='bilinear'")
  for name, (student, teacher) in pairs.items():
    if student.shape[-1] != teacher.shape[-1]:
      kernel = forward.parameters[_parameter(name)]
      student = jnp.einsum(
        'bhwc,cd->bhwd', student, kernel, precision='highest'
      )
    parts[name] = jnp.mean(activation_distance(student, teacher, form=form))
  return sum(parts.values()), parts


def regressors(key, forward, *, taps=(), form='code'):
  """Kernels `[C_S, C_T]` of the 1x1 convolutions of the term `activation`."""
  del form
  kernels = {}
  pairs = forward.pairs('activation', taps)
  for index, (name, pair) in enumerate(pairs.items()):
    channels = tuple(side.shape[-1] for side in pair)
    if channels[0] != channels[1]:
      kernels[_parameter(name)] = jax.nn.initializers.he_normal()(
        jax.random.fold_in(key, index), channels
      )
  return kernels


def _parameter(name):
  return name.replace('/', '_')  # parameters are files of a checkpoint


TERMS = {
  'ce': Term(ce, needs_teacher=False),
  'kd': Term(kd, needs_teacher=True),
  'at': Term(at, needs_teacher=True),
  'activation': Term(activation, needs_teacher=True, init=regressors),
  'grad_at': Term(grad_at, needs_teacher=True, wants=wanted_by_grad_at),
  'min_l2': Term(min_l2, needs_teacher=False, wants=wanted_by_min_l2),
  'symmetry': Term(symmetry, needs_teacher=False, wants=wanted_by_symmetry),
}
