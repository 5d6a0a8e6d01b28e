"""Where a network looked, image by image: what all evaluations have."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from at_jax.gates import gate_statistics
from at_jax.localisation import area_in_boxes, energy_in_boxes, pointing_game
from at_jax.objectives.taps import parts_of
from at_jax.train.headline import Headline
from at_jax.train.looks import attention_maps, responses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
  """The part of an evaluation that does not depend on the kind of labels.

  A kind of evaluation adds a `headline`; `numbers()`, {name: number} of what is
  worth knowing after every epoch; `result(prefix, class_names)`, what is
  measured once, at the end; and `kept(class_names)`, {file name: arrays} of
  what was said of each image, to lie beside the run.

  Attributes:
    boxed: whether an annotated box is in view, bool `[N]`; empty where the
      data have no boxes.
    areas: the boxes' share of the image, `[N]`.
    energies: {endpoint: share of its attention map in the boxes, `[N]`}.
    hits: {endpoint: whether its map's maximum is in a box, `[N]`}.
    responses: {group: mean absolute value of what it returns, `[N]`}.
    gates: {place: {statistic: `[N]`}} of soft masks, see `gate_statistics`.
  """

  headline: ClassVar[Headline]

  boxed: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
  areas: np.ndarray | None = None
  energies: dict = dataclasses.field(default_factory=dict)
  hits: dict = dataclasses.field(default_factory=dict)
  responses: dict = dataclasses.field(default_factory=dict)
  gates: dict = dataclasses.field(default_factory=dict)

  def as_dict(self, prefix):
    """`numbers()` under the names of a split: {'test_loss': …, …}."""
    return {f'{prefix}_{name}': x for name, x in self.numbers().items()}

  def localisation(self):
    """Where the network looks, over the images that have a box; {} for none.

    Returns:
      {'images': how many, 'area': mean share of the image that boxes cover in
      percent, 'energy': {endpoint: mean share of attention in them, percent},
      'pointing': {endpoint: maxima in a box, percent}}.
    """
    if not np.any(self.boxed):
      return {}

    def percent(values):
      return 100.0 * float(np.mean(values[self.boxed], dtype=np.float64))

    return {
      'images': int(np.sum(self.boxed)),
      'area': percent(self.areas),
      'energy': {name: percent(x) for name, x in self.energies.items()},
      'pointing': {name: percent(x) for name, x in self.hits.items()},
    }

  def looks(self):
    """What only some networks have: 'responses' of groups, 'masks'.

    Means over all images; {} for none of them.
    """
    found = {'responses': self.responses, 'masks': self.gates}
    found = jax.tree.map(lambda x: float(np.mean(x, dtype=np.float64)), found)
    return {name: value for name, value in found.items() if value}


def see(endpoints, batch, size):
  """The fields of `Seen` for a batch of images of `size`, inside jit."""
  found = {
    'responses': responses(endpoints),
    'gates': {
      place: gate_statistics(gate)
      for place, gate in parts_of('mask', endpoints).items()
    },
  }
  if 'boxes' not in batch:
    return found
  boxes, maps = batch['boxes'], attention_maps(endpoints)
  return found | {
    'boxed': jnp.any(boxes[..., 4] >= 0, axis=-1),
    'areas': area_in_boxes(boxes, size),
    'energies': {
      name: energy_in_boxes(map_, boxes, size) for name, map_ in maps.items()
    },
    'hits': {
      name: pointing_game(map_, boxes, size) for name, map_ in maps.items()
    },
  }
