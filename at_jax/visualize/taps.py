"""Which attention maps are made: what --taps, --kind and --p say."""

import itertools
from typing import NamedTuple

from at_jax._arrays import unknown
from at_jax.maps import KINDS
from at_jax.train.looks import endpoint_shapes
from at_jax.visualize.places import matching

SUM_ABS = 'sum_abs'  # the kind of map that has no power
USUAL_KIND, USUAL_P = 'sum_pow', 2.0


class TapMap(NamedTuple):
  """`attention_map(endpoints[tap], kind=kind, p=p)`, and what it is called."""

  label: str
  tap: str
  kind: str
  p: float


def tap_maps_of(columns, taps='', kind='', p=''):
  """The maps of every network.

  Args:
    columns: a list of `Column`.
    taps: patterns of endpoints, `group2,group3/block1`; '' is every group.
    kind: see `attention_map`; several are separated by commas.
    p: likewise; of several kinds every one that has a power takes each.

  Returns:
    {name of a column: a tuple of `TapMap`}. A map is called by its tap; where
    there are several of a tap, by `group3/sum_pow4`.

  Raises:
    ValueError: no such tap or kind, no number, or powers for kinds without.
  """
  forms = forms_of(kind, p)
  return {
    name: tuple(
      TapMap(tap if len(forms) == 1 else f'{tap}/{form}', tap, *about)
      for tap in own
      for form, about in forms.items()
    )
    for name, own in _taps(columns, taps).items()
  }


def forms_of(kind='', p=''):
  """{what it is called: (kind, power)} of every kind with every power.

  Args, and what is raised: see `tap_maps_of`.
  """
  kinds = (kind or USUAL_KIND).split(',')
  for one in kinds:
    if one not in KINDS:
      raise ValueError(unknown('--kind', one, KINDS))
  if p and set(kinds) == {SUM_ABS}:
    raise ValueError(f'--p={p} is a power, and kind={SUM_ABS} has none.')
  try:
    powers = [float(one) for one in p.split(',')] if p else [USUAL_P]
  except ValueError:
    raise ValueError(
      f'--p takes a number, or several: --p=2,4, got {p!r}.'
    ) from None
  forms = {}
  for one, power in itertools.product(kinds, powers):
    if one == SUM_ABS:
      forms[one] = one, USUAL_P
    else:
      forms[f'{one}{power:g}'] = one, power
  return forms


def features_of(network):
  """The endpoints that attention maps are made of, `[B, h, w, C]`."""
  return [n for n, shape in endpoint_shapes(network).items() if len(shape) == 4]


def _taps(columns, patterns):
  """{name of a column: a list of those of its endpoints that are wanted}."""
  features = {column.name: features_of(column.network) for column in columns}
  if patterns:
    every = list(dict.fromkeys(tap for own in features.values() for tap in own))
    wanted = set(matching('tap', patterns, every))
    return {
      name: [tap for tap in own if tap in wanted]
      for name, own in features.items()
    }
  return {name: _usual(own) for name, own in features.items()}


def _usual(taps):
  """The endpoints of groups; where there are none, all that stand alone."""
  alone = [tap for tap in taps if '/' not in tap]
  groups = [tap for tap in alone if tap.startswith('group')]
  return groups or alone or taps
