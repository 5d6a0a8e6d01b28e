"""What every public function of arrays does first, and norms safe at zero."""

import difflib
import operator
import sys

import jax
import jax.numpy as jnp


def at_least_float32(*arrays):
  """Arrays of one dtype, float32 or wider: sums of bfloat16 lose the answer."""
  dtype = jnp.promote_types(jnp.result_type(*arrays), jnp.float32)
  return tuple(jnp.asarray(array, dtype) for array in arrays)


def check_rank(name, array, layout):
  """Raises ValueError unless `array` has the axes of `layout`, '[B, H, W]'."""
  if jnp.ndim(array) != layout.count(',') + 1:
    raise ValueError(f'{name} wants shape {layout}, got {jnp.shape(array)}.')


def check_same_shape(name, one, other, *, hint=''):
  """Raises ValueError unless both shapes agree: nothing broadcasts silently."""
  if jnp.shape(one) != jnp.shape(other):
    raise ValueError(
      f'{name} wants two arrays of one shape, got {jnp.shape(one)} and '
      f'{jnp.shape(other)}.{hint}'
    )


def check_range(name, value, low, high):
  """Raises ValueError unless low <= value <= high; traced values pass."""
  if not (isinstance(value, jax.core.Tracer) or low <= value <= high):
    below = '' if high == sys.float_info.max else f' and <= {high:g}'
    raise ValueError(f'{name} must be >= {low:g}{below}, got {value}.')


def check_size(name, size, what='a size'):
  """(height, width) as integers; ValueError unless they are two, and >= 1."""
  try:
    height, width = map(operator.index, size)
  except (TypeError, ValueError):
    height = width = 0
  if min(height, width) < 1:
    raise ValueError(
      f'{name} wants {what} of two integers >= 1, (height, width), got '
      f'{size!r}.'
    )
  return height, width


def plain_float(value):
  """`float(value)`, since a NumPy scalar would widen float32; or the tracer."""
  return value if isinstance(value, jax.core.Tracer) else float(value)


def unknown(what, name, choices):
  """The text for a name that is not among `choices`: the nearest, and all."""
  choices = [str(choice) for choice in choices]
  if not choices:
    return (
      f'Unknown {what} {name!r}: there are none. Set it in the config file.'
    )
  lower = {choice.lower(): choice for choice in choices}
  near = difflib.get_close_matches(str(name).lower(), lower, n=1, cutoff=0.5)
  guess = f' Did you mean {lower[near[0]]!r}?' if near else ''
  return f'Unknown {what} {name!r}.{guess} There are: {", ".join(choices)}.'


def safe_norm(x):
  """Euclidean norm over the last axis: 0 with derivatives 0 where `x` is 0.

  The squares are taken of x divided by its largest entry, so they neither
  overflow nor vanish. No gradient goes through that entry: the norm does not
  depend on it, so its derivatives of every order are exact without it.
  """
  top, scaled, squared = _scaled_square_sum(x)
  return jnp.where(squared != 0, top * _sqrt_or_one(squared), 0.0)


def norm_of_difference(x, y):
  """Norm of x - y over the last axis: 0 with derivatives 0 where they agree.

  Agreement is up to rounding: a compiler may round the two sides of equal rows
  differently, and the norm, unlike its square, has a full-sized gradient for
  any difference.
  """
  difference = x - y
  noise = 16 * jnp.finfo(difference.dtype).eps
  size = jnp.maximum(jnp.abs(x), jnp.abs(y))
  equal = jnp.abs(difference) <= noise * size
  return safe_norm(jnp.where(equal, 0.0, difference))


def squared_or_norm_of_difference(x, y, squared):
  """Squared norm of x - y over the last axis, or `norm_of_difference`."""
  if squared:
    return jnp.sum((x - y) ** 2, axis=-1)
  return norm_of_difference(x, y)


def l2_normalize(x, eps):
  """x / max(norm(x), eps) over the last axis; 0, with derivatives 0, at 0."""
  top, scaled, squared = _scaled_square_sum(x)
  norm = _sqrt_or_one(squared)  # in units of top
  return scaled / jnp.maximum(norm, eps / top)[..., None]


def divide_by_largest(x):
  """(largest absolute entry of the last axis, x divided by it; 0 stays 0).

  No gradient goes through that entry, which is right where the result is used
  in ways that do not depend on the scale. Of zeros it is 1.
  """
  top = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1))
  # Of a larger one the reciprocal, with which compilers divide, is 0.
  top = jnp.minimum(top, 1 / jnp.finfo(x.dtype).tiny)
  alive = top != 0  # true for NaN: a diverged network must not look dead
  top = jnp.where(alive, top, 1.0)
  # `where` on the quotient too: a dead row must not let gradients through.
  return top, jnp.where(alive[..., None], x / top[..., None], 0.0)


def _scaled_square_sum(x):
  top, scaled = divide_by_largest(x)
  return top, scaled, jnp.sum(scaled * scaled, axis=-1)


def _sqrt_or_one(squared):
  """sqrt, and the constant 1 at 0, where the derivative of sqrt is infinite."""
  return jnp.sqrt(jnp.where(squared != 0, squared, 1.0))
