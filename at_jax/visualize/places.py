"""Which places of a network are shown: what --modules and --places say."""

import fnmatch

from at_jax._arrays import unknown


def matching(what, patterns, places):
  """Those of the places that a pattern names, in their order.

  Args:
    what: a place is called in messages.
    patterns: such as `group2/*`, separated by commas; '' is all.
    places: strings.

  Raises:
    ValueError: a pattern names none.
  """
  patterns = patterns.split(',') if patterns else ['*']
  for pattern in patterns:
    if not fnmatch.filter(places, pattern):
      raise ValueError(unknown(what, pattern, places))
  return [
    place
    for place in places
    if any(fnmatch.fnmatchcase(place, pattern) for pattern in patterns)
  ]
