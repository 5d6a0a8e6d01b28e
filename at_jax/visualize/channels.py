"""Which channels of an array are shown: what the flag --channels says."""

import numpy as np

from at_jax.gates import strongest_channels

ALIKE = 0.05  # of a map's largest value: less cannot be seen


def channel_numbers(how, arrays, *, also='', distinct=False):
  """The numbers of the channels that one part of --channels names.

  Args:
    how: `top3` (those that differ most from place to place), `random3` (drawn
      with seed 0), or a number.
    arrays: `[B, h, w, C]`.
    also: what else the flag takes, for the message.
    distinct: leave those out of `top3` that look like a stronger one.

  Raises:
    ValueError: neither, or no such channel.
  """
  count = arrays.shape[-1]
  if how.startswith('top') and how[3:].isdecimal() and int(how[3:]):
    wanted = int(how[3:])
    numbers = strongest_channels(arrays, count if distinct else wanted)
    numbers = np.asarray(numbers).tolist()
    return _distinct(numbers, arrays, wanted) if distinct else numbers
  if how.startswith('random') and how[6:].isdecimal() and int(how[6:]):
    drawn = np.random.RandomState(0).permutation(count)[: int(how[6:])]
    return drawn.tolist()
  if how.isdecimal() and int(how) < count:
    return [int(how)]
  raise ValueError(
    f'--channels takes {also}top3, random3 or a number below {count}, the '
    f'channels there are, got {how!r}.'
  )


def _distinct(numbers, arrays, wanted):
  """The first of the channels that look like none before them."""
  maps, kept = np.asarray(arrays), []
  for number in numbers:
    map_ = maps[..., number]
    near = ALIKE * np.abs(map_).max()
    if all(np.abs(map_ - maps[..., k]).max() > near for k in kept):
      kept.append(number)
    if len(kept) == wanted:
      break
  return kept
