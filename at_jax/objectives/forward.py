"""Both networks on one batch: what the terms of an objective read."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from at_jax._arrays import unknown
from at_jax.objectives.gradients import Wanted, differentiate, in_float32
from at_jax.objectives.network import Network
from at_jax.objectives.taps import pair_endpoints

GRADIENT_BNS = ('running', 'batch')


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Forward:
  """What both networks made of one batch, for the terms to read."""

  labels: Any
  student_logits: Any
  student_ends: dict[str, Any]
  teacher_logits: Any = None
  teacher_ends: dict[str, Any] = dataclasses.field(default_factory=dict)
  # `Differentiated`, where a term wants gradients: the student's at the images
  # and at the mirrored ones, the teacher's at the images.
  student_pass: Any = None
  flipped_pass: Any = None
  teacher_pass: Any = None
  # Of the term that reads this, as its `init` made them; trained along.
  parameters: dict[str, Any] = dataclasses.field(default_factory=dict)

  def pairs(self, term, taps):
    """See `pair_endpoints`."""
    return pair_endpoints(term, taps, self.student_ends, self.teacher_ends)

  def check_classes(self, term):
    """Raises ValueError unless both networks know the same classes."""
    shapes = [x.shape for x in (self.student_logits, self.teacher_logits)]
    if shapes[0] != shapes[1]:
      own, others = (shape[-1] for shape in shapes)
      raise ValueError(
        f'The term {term} needs a teacher of the same classes: the student has '
        f'{own}, the teacher {others}. Leave {term} out, or name another '
        'teacher.'
      )


@dataclasses.dataclass(frozen=True)
class Networks:
  """Student and teacher, and which of their gradients are wanted.

  Attributes:
    student: a `Network`.
    teacher: a `Network` or None.
    wanted: a `Wanted`.
    gradient_bn: see `transfer`.
  """

  student: Network
  teacher: Network | None
  wanted: Wanted = Wanted()
  gradient_bn: str = ''

  def check(self):
    """ValueError where batch norm meets gradients and nobody says how."""
    if self.gradient_bn and self.gradient_bn not in GRADIENT_BNS:
      what = 'config.objective.gradient_bn'
      raise ValueError(unknown(what, self.gradient_bn, GRADIENT_BNS))
    mixed = self.student.mixes_images
    if self.wanted.student and not self.gradient_bn and mixed:
      raise ValueError(
        f'{self.student.label} has batch norm, and a term takes its input '
        "gradient: say config.objective.gradient_bn='running' (a second pass, "
        "with running statistics: each image's gradient is its own) or 'batch' "
        '(statistics of the batch: gradients of all images mix).'
      )

  def __call__(self, variables, teacher_variables, images, labels):
    """One batch, the student in train mode: (`Forward`, new batch_stats)."""
    own, student = self.wanted.student, self.student
    train = self.gradient_bn != 'running' or not student.mixes_images
    at_images = at_flipped = None
    differentiated = functools.partial(
      differentiate, student, variables, labels=labels, places=own, train=train
    )
    if own:
      outputs, at_images = differentiated(images=images)
    if self.wanted.flipped:
      _, at_flipped = differentiated(images=images[:, :, ::-1])
    if not own or not train or in_float32(student) != student:
      outputs = student.apply(variables, images, train=True)
    (logits, ends), batch_stats = outputs
    forward = Forward(
      labels, logits, ends, student_pass=at_images, flipped_pass=at_flipped
    )
    if self.teacher:
      asked = self._ask_teacher(teacher_variables, images, labels)
      forward = dataclasses.replace(forward, **jax.lax.stop_gradient(asked))
    return forward, batch_stats

  def shapes(self):
    """A `Forward` of shapes: the networks are traced, nothing runs."""
    variables = [
      network.variable_shapes if network else {}
      for network in (self.student, self.teacher)
    ]
    images = jax.ShapeDtypeStruct((2, *self.student.input_shape), jnp.float32)
    labels = jax.ShapeDtypeStruct((2,), jnp.int32)
    return jax.eval_shape(self, *variables, images, labels)[0]

  def _ask_teacher(self, variables, images, labels):
    """The teacher's fields of `Forward`, in eval mode."""
    teacher, places, passed = self.teacher, self.wanted.teacher, None
    if places:
      outputs, passed = differentiate(
        teacher, variables, images, labels, places, given_for=self.student
      )
    # What other terms read does not depend on whether gradients are taken.
    if not places or in_float32(teacher) != teacher:
      pixels = teacher.images_from(images, self.student)
      outputs = teacher.apply(variables, pixels)
    logits, ends = outputs
    return dict(teacher_logits=logits, teacher_ends=ends, teacher_pass=passed)
