"""How numbers are written on pictures."""

import numpy as np


def short(value, digits=2):
  """So many digits, or all before the point; from 10,000 on, and below 0.001,
  with an exponent.

  >>> print(*map(short, (0.0123, -541.2, 9999, 86828, -1.7e-5, -0.0)))
  0.012 −541 9999 8.7e4 −1.7e−5 0
  """
  if not np.isfinite(value):
    return str(float(value)).replace('-', '−')
  mantissa, exponent = f'{value:.{digits - 1}e}'.split('e')
  shown = float(f'{mantissa}e{exponent}') + 0.0  # never −0
  if abs(shown) >= 10**digits:
    shown = round(float(value))
  if shown == 0 or 1e-3 <= abs(shown) < 1e4:
    text = f'{shown:.{max(4, digits)}g}'
  else:
    text = f'{float(mantissa):.{digits}g}e{int(exponent)}'
  return text.replace('-', '−')


def is_constant(low, high):
  """Whether values differ by no more than float32 rounds off."""
  return abs(high - low) <= 1e-6 * max(abs(low), abs(high))


def span(low, high):
  """The least and the largest of some values, with digits that tell them apart.

  >>> print(span(0.81, 5683), span(0.371, 0.374), span(1, 1), sep=', ')
  0.81 … 5683, 0.371 … 0.374, constant 1
  """
  if is_constant(low, high):
    return f'constant {short(high, 4)}'
  digits = 2
  while short(low, digits) == short(high, digits) and digits < 8:
    digits += 1
  return f'{short(low, digits)} … {short(high, digits)}'


def ends_of(map_):
  """(least, largest) value."""
  return float(np.min(map_)), float(np.max(map_))
