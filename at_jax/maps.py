"""Activation-based attention: maps of features, distances between features.

Source: Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017,
https://arxiv.org/abs/1612.03928, section 3.1 (called "the paper" below).
Axes: B batch, H height, W width, C channels, N = H*W.
"""

import sys

import jax
import jax.numpy as jnp

from at_jax._arrays import (
  at_least_float32,
  check_range,
  check_rank,
  check_same_shape,
  l2_normalize,
  norm_of_difference,
  unknown,
)

KINDS = ('sum_abs', 'sum_pow', 'max_pow')
FORMS = ('code', 'paper')
RESIZES = ('', 'bilinear')
MAX_INTEGER_POWER = 64  # multiplied out; anything else goes through a logarithm


def attention_map(features, *, kind='sum_pow', p=2):
  """Where a layer is active: one non-negative map per example.

  | kind | formula | in the paper |
  |---|---|---|
  | `sum_abs` | sum over channels of abs(A) (`p` is ignored) | F_sum |
  | `sum_pow` | sum over channels of abs(A)^p | F_sum^p, the default with p=2 |
  | `max_pow` | maximum over channels of abs(A)^p | F_max^p |

  Larger `p` puts more weight on the most active places. Channels are summed,
  not averaged; after `normalize_map` the two are the same.

  Args:
    features: activations A, `[B, H, W, C]`, of any real dtype.
    kind: one of the table.
    p: the power, any real number >= 1; abs(A)^p must not overflow.

  Returns:
    Maps `[B, H, W]` in float32 (float64 for float64 features).

  Raises:
    ValueError: features not of rank 4, an unknown kind, p below 1.

  Example:
    >>> import jax.numpy as jnp
    >>> features = jnp.array([[[[1., -2.], [0., 3.]]]])  # [1, 1, 2, 2]
    >>> attention_map(features).tolist()
    [[[5.0, 9.0]]]
    >>> attention_map(features, kind='max_pow', p=1).tolist()
    [[[2.0, 3.0]]]
  """
  check_rank('attention_map', features, '[B, H, W, C]')
  if kind not in KINDS:
    raise ValueError(unknown('kind of attention map', kind, KINDS))
  p = 1 if kind == 'sum_abs' else p
  check_range('The power p of attention_map', p, 1, sys.float_info.max)
  (features,) = at_least_float32(features)
  powers = _abs_power(features, p)
  if kind != 'max_pow':
    return jnp.sum(powers, axis=-1)
  # Not jnp.max: its gradient asks which channels equal the maximum. XLA may
  # compute them once more, rounded otherwise: none is equal, and it is 0 / 0.
  largest = jnp.argmax(powers, axis=-1, keepdims=True)
  return jnp.take_along_axis(powers, largest, axis=-1)[..., 0]


def normalize_map(maps, *, eps=1e-12):
  """Flattens each map and divides it by its Euclidean norm over positions.

  q = Q / max(norm(Q), eps). A map that is zero everywhere stays zero and has
  derivatives zero, where a plain division would give NaN gradients.

  Args:
    maps: Q, `[B, H, W]`.
    eps: floor of the norm, > 0.

  Returns:
    `[B, H*W]`, rows of norm 1 (0 for a dead map), at least float32.

  Raises:
    ValueError: maps not of rank 3.

  Example:
    >>> import jax.numpy as jnp
    >>> q = normalize_map(jnp.array([[[3., 4.]]]))
    >>> q.shape, f'{q[0, 0]:.2f} {q[0, 1]:.2f}'
    ((1, 2), '0.60 0.80')
  """
  check_rank('normalize_map', maps, '[B, H, W]')
  (maps,) = at_least_float32(maps)
  batch, height, width = maps.shape
  return l2_normalize(maps.reshape(batch, height * width), eps)


def map_distance(student_map, teacher_map, *, form='code'):
  """How far apart two attention maps are after normalisation, per example.

  | form | formula | source |
  |---|---|---|
  | `code` | mean over the N positions of (q_S - q_T)^2 | the authors' code |
  | `paper` | norm of q_S - q_T, not squared | the paper's equation 2 |

  The two differ in scale, so a weight (beta) does not carry over. With `code`
  and beta = 1000, a batch mean of this is the paper's "10^3 divided by the
  number of elements and the batch size". Neither beta nor the paper's 1/2 is
  in here. `code` lies in [0, 2/N]; both are 0, with derivatives 0, where the
  maps are equal (`code`: up to the square of a rounding when compiled; `paper`:
  exactly, and entries within 16 units of rounding count as equal).

  Args:
    student_map: `[B, H, W]`, not yet normalised.
    teacher_map: `[B, H, W]`. Its gradient is not stopped.
    form: `code` or `paper`.

  Returns:
    Distances `[B]`, at least float32.

  Raises:
    ValueError: a rank other than 3, two shapes, an unknown form.

  Example:
    >>> import jax.numpy as jnp
    >>> one, other = jnp.array([[[1., 0.]]]), jnp.array([[[0., 2.]]])
    >>> map_distance(one, other).tolist()
    [1.0]
    >>> f"{map_distance(one, other, form='paper')[0]:.3f}"
    '1.414'
  """
  check_rank('map_distance', student_map, '[B, H, W]')
  check_rank('map_distance', teacher_map, '[B, H, W]')
  hint = " at_distance(..., resize='bilinear') interpolates the larger one."
  only_size = jnp.shape(student_map)[:1] == jnp.shape(teacher_map)[:1]
  check_same_shape(
    'map_distance', student_map, teacher_map, hint=hint if only_size else ''
  )
  rows = map(normalize_map, at_least_float32(student_map, teacher_map))
  return _distance(*rows, form)


def at_distance(
  student, teacher, *, form='code', kind='sum_pow', p=2, resize=''
):
  """Attention transfer: distance of two layers' attention maps, per example.

  `map_distance(attention_map(student), attention_map(teacher))`. The layers
  may have different numbers of channels. The training loss of the authors'
  code is cross-entropy + 1000 * the batch mean of this, summed over layers.

  Args:
    student: the student's features, `[B, H, W, C_S]`.
    teacher: the teacher's, `[B, H', W', C_T]`. Its gradient is not stopped:
      pass `jax.lax.stop_gradient(teacher)` when both share parameters.
    form: `code` or `paper`, see `map_distance`.
    kind: see `attention_map`.
    p: see `attention_map`.
    resize: '' demands equal H and W; 'bilinear' interpolates the larger map to
      the smaller size (half-pixel centres, no antialiasing) before normalising.

  Returns:
    Distances `[B]`, at least float32.

  Raises:
    ValueError: wrong ranks, sizes that differ without `resize`, unknown names.

  Example:
    >>> import jax, jax.numpy as jnp
    >>> student = jax.random.normal(jax.random.key(0), (2, 4, 4, 8))
    >>> print(at_distance(student, -3 * student).round(6))
    [0. 0.]
  """
  if resize not in RESIZES:
    raise ValueError(unknown('resize', resize, RESIZES))
  student_map = attention_map(student, kind=kind, p=p)
  teacher_map = attention_map(teacher, kind=kind, p=p)
  if resize and student_map.shape[1:] != teacher_map.shape[1:]:
    size = tuple(map(min, student_map.shape[1:], teacher_map.shape[1:]))
    student_map = _bilinear(student_map, size)
    teacher_map = _bilinear(teacher_map, size)
  return map_distance(student_map, teacher_map, form=form)


def activation_distance(student, teacher, *, form='code'):
  """How far apart whole activations are: F-ActT, a FitNets-style baseline.

  Each tensor is flattened over height, width and channels and divided by its
  Euclidean norm per example, a = A / max(norm(A), 1e-12). With `code` this is
  the mean over the H*W*C entries of (a_S - a_T)^2, with `paper` the norm of
  a_S - a_T, as in `map_distance`. Signs count, and channels are paired one by
  one: a student of another width goes through a trained 1x1 convolution first
  (the training term `activation` owns one).

  Source: the paper's section 4.1.2, which leaves open over which axes the norm
  is taken.

  Args:
    student: activations, `[B, H, W, C]`, after any 1x1 regressor.
    teacher: `[B, H, W, C]`. Its gradient is not stopped.
    form: `code` or `paper`, see `map_distance`.

  Returns:
    Distances `[B]`, at least float32; `code` lies in [0, 4/(H*W*C)].

  Raises:
    ValueError: a rank other than 4, two shapes, an unknown form.

  Example:
    >>> import jax.numpy as jnp
    >>> one = jnp.array([[[[3., 0.]]]])
    >>> activation_distance(one, -2 * one).tolist()
    [2.0]
  """
  check_rank('activation_distance', student, '[B, H, W, C]')
  check_rank('activation_distance', teacher, '[B, H, W, C]')
  only_channels = jnp.shape(student)[:3] == jnp.shape(teacher)[:3]
  hint = ' A 1x1 regressor on the student makes channels agree.'
  check_same_shape(
    'activation_distance', student, teacher, hint=hint if only_channels else ''
  )
  rows = [
    l2_normalize(x.reshape(x.shape[0], -1), 1e-12)
    for x in at_least_float32(student, teacher)
  ]
  return _distance(*rows, form)


def _distance(student, teacher, form):
  """Distance of rows that are normalised, by `form`."""
  if form not in FORMS:
    raise ValueError(unknown('form of distance', form, FORMS))
  if form == 'paper':
    return norm_of_difference(student, teacher)
  difference = student - teacher
  return jnp.mean(difference * difference, axis=-1)


def _abs_power(x, p):
  """abs(x)^p, derivatives finite at 0: first for p >= 1, second for p >= 2."""
  if isinstance(p, jax.core.Tracer) or p != int(p) or p > MAX_INTEGER_POWER:
    p = p if isinstance(p, jax.core.Tracer) else float(p)
    return jnp.abs(x) ** p
  if int(p) % 2:
    x = jnp.abs(x)  # an even power needs none, and has no kink
  return jax.lax.integer_pow(x, int(p))


def _bilinear(maps, size):
  shape = (maps.shape[0], *size)
  return jax.image.resize(maps, shape, 'bilinear', antialias=False)
