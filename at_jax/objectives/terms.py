"""The terms a transfer objective can sum up, by name.

A term is a function `term(forward, **settings) -> (value, parts)`: the mean
over the batch, unweighted, and the pieces worth logging by name.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from at_jax._arrays import unknown
from at_jax.losses import cross_entropy, kd_divergence
from at_jax.maps import at_distance


@dataclasses.dataclass(frozen=True)
class Forward:
  """What both networks made of one batch, for the terms to read."""

  labels: Any
  student_logits: Any
  student_ends: dict[str, Any]
  teacher_logits: Any = None
  teacher_ends: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Term:
  function: Callable
  needs_teacher: bool


def ce(forward):
  """Cross-entropy with the labels."""
  return jnp.mean(cross_entropy(forward.student_logits, forward.labels)), {}


def kd(forward, *, temperature=4.0):
  """Knowledge distillation: T^2 KL(teacher || student).

  The paper's loss alpha * kd + (1 - alpha) * ce is weight alpha here and
  weight 1 - alpha at `ce`.
  """
  student, teacher = forward.student_logits, forward.teacher_logits
  if student.shape != teacher.shape:
    raise ValueError(
      f'The term kd needs a teacher of the same classes: the student has '
      f'{student.shape[-1]}, the teacher {teacher.shape[-1]}. Leave kd out, or '
      'name another teacher.'
    )
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
  if not taps:
    raise ValueError(
      "The term at has no taps: name pairs of endpoints, common.same('group1', "
      "'group2', 'group3')."
    )
  parts = {}
  for own, other in taps:
    student = endpoint(forward.student_ends, own, "student's")
    teacher = endpoint(forward.teacher_ends, other, "teacher's")
    if student.shape[1:3] != teacher.shape[1:3] and not resize:
      raise ValueError(
        f"Attention maps of different size: the student's {own!r} is "
        f"{_size(student)}, the teacher's {other!r} {_size(teacher)}. Pair "
        "endpoints of one size, or set resize='bilinear' in the term at."
      )
    distance = at_distance(
      student, teacher, form=form, kind=kind, p=p, resize=resize
    )
    name = own if own == other else f'{own}~{other}'
    if name in parts:
      raise ValueError(
        f'The term at has the tap {name!r} twice: raise its weight instead.'
      )
    parts[name] = jnp.mean(distance)
  return sum(parts.values()), parts


def endpoint(endpoints, name, whose):
  """An endpoint by name; ValueError with the nearest and all if it is not."""
  if name not in endpoints:
    raise ValueError(unknown(f'endpoint (the {whose})', name, endpoints))
  return endpoints[name]


def _size(array):
  return f'{array.shape[1]}x{array.shape[2]}'


TERMS = {
  'ce': Term(ce, needs_teacher=False),
  'kd': Term(kd, needs_teacher=True),
  'at': Term(at, needs_teacher=True),
}
