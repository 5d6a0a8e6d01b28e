"""Terms that read gradients: attention as what the loss listens to.

The paper's weight of each is beta/2; see `at_jax/input_gradients.py`.
"""

import jax.numpy as jnp

from at_jax._arrays import at_least_float32, squared_or_norm_of_difference
from at_jax.input_gradients import (
  gradient_distance,
  gradient_penalty,
  symmetry_distance,
)
from at_jax.objectives.gradients import IMAGES, Wanted
from at_jax.objectives.taps import check_taps, pair_endpoints

PIXELS = ((IMAGES, IMAGES),)


def grad_at(forward, *, taps=(), squared=True):
  """The student's input gradient is to be the teacher's.

  Args:
    forward: a `Forward`.
    taps: pairs (student's endpoint, teacher's endpoint) at which to take the
      gradients; none: at the pixels, as in the paper. Both endpoints need one
      shape, and to be what a submodule returns.
    squared: see `at_jax.gradient_distance`.
  """
  forward.check_classes('grad_at')
  parts = {}
  pairs = pair_endpoints(
    'grad_at',
    taps or PIXELS,
    forward.student_pass.gradients,
    forward.teacher_pass.gradients,
  )
  for name, (student, teacher) in pairs.items():
    if student.shape != teacher.shape:
      raise ValueError(
        f'The term grad_at at {name!r} wants gradients of one shape, the '
        f"student's is {student.shape[1:]}, the teacher's {teacher.shape[1:]}. "
        'Name endpoints of one shape, or none: pixels always agree.'
      )
    distance = gradient_distance(student, teacher, squared=squared)
    parts[name] = jnp.mean(distance)
  return sum(parts.values()), parts if taps else {}


def wanted_by_grad_at(settings):
  taps = settings.get('taps') or PIXELS
  check_taps('grad_at', taps)
  student, teacher = zip(*taps, strict=True)
  return Wanted(student=frozenset(student), teacher=frozenset(teacher))


def min_l2(forward, *, squared=True):
  """Double backpropagation (Drucker and LeCun): small input gradients."""
  gradient = forward.student_pass.gradients[IMAGES]
  return jnp.mean(gradient_penalty(gradient, squared=squared)), {}


def wanted_by_min_l2(settings):
  del settings
  return Wanted(student=frozenset({IMAGES}))


def symmetry(forward, *, squared=True, outputs=1.0):
  """The gradient at a mirrored image is to be the mirrored gradient.

  Args:
    forward: a `Forward`.
    squared: see `at_jax.symmetry_distance`; of the outputs as well.
    outputs: weight, within this term, of the l2 distance between the logits of
      the image and of the mirrored one. The paper has it and gives no weight.
  """
  one, other = forward.student_pass, forward.flipped_pass
  distance = symmetry_distance(
    one.gradients[IMAGES], other.gradients[IMAGES], squared=squared
  )
  logits = at_least_float32(one.logits, other.logits)
  between = squared_or_norm_of_difference(*logits, squared)
  parts = {'gradients': jnp.mean(distance), 'outputs': jnp.mean(between)}
  return parts['gradients'] + outputs * parts['outputs'], parts


def wanted_by_symmetry(settings):
  del settings
  return Wanted(student=frozenset({IMAGES}), flipped=True)
