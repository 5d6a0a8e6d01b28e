"""Exact evaluation: padded to whole batches, the padding masked out."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from at_jax.data.augment import normalise
from at_jax.gates import gate_statistics
from at_jax.localisation import area_in_boxes, energy_in_boxes, pointing_game
from at_jax.losses import cross_entropy
from at_jax.objectives.taps import parts_of
from at_jax.train.feed import batches_of
from at_jax.train.looks import attention_maps, responses
from at_jax.train.mesh import replicated, split

FEW = 10  # classes: five guesses of so many say little


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """Results per example, in the order of the data.

  Attributes:
    losses: cross-entropy, float32 `[N]`.
    predictions: int `[N]`.
    labels: int `[N]`.
    ranks: how many classes stand before the right one by their logits, `[N]`.
    classes: how many classes there are.
    boxed: whether an annotated box is in view, bool `[N]`; empty where the
      data have no boxes.
    areas: the boxes' share of the image, `[N]`.
    energies: {endpoint: share of its attention map in the boxes, `[N]`}.
    hits: {endpoint: whether its map's maximum is in a box, `[N]`}.
    branches: {branch: predictions `[N]`} of a network with several heads.
    responses: {group: mean absolute value of what it returns, `[N]`}.
    gates: {place: {statistic: `[N]`}} of soft masks, see `gate_statistics`.
  """

  losses: np.ndarray
  predictions: np.ndarray
  labels: np.ndarray
  ranks: np.ndarray
  classes: int
  boxed: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
  areas: np.ndarray | None = None
  energies: dict = dataclasses.field(default_factory=dict)
  hits: dict = dataclasses.field(default_factory=dict)
  branches: dict = dataclasses.field(default_factory=dict)
  responses: dict = dataclasses.field(default_factory=dict)
  gates: dict = dataclasses.field(default_factory=dict)

  @property
  def error(self):
    """Wrong predictions in percent."""
    return 100.0 * float(np.mean(self.predictions != self.labels))

  @property
  def loss(self):
    """Mean cross-entropy; no term of a transfer objective is in it."""
    return float(np.mean(self.losses, dtype=np.float64))

  @property
  def top5_error(self):
    """In percent: five guesses each; None where classes are few."""
    if self.classes <= FEW:
      return None
    return 100.0 * float(np.mean(self.ranks >= 5))

  def as_dict(self, prefix):
    """{'test_error': …, 'test_loss': …}; 'test_top5_error' of many classes."""
    found = {f'{prefix}_error': self.error, f'{prefix}_loss': self.loss}
    if self.top5_error is not None:
      found[f'{prefix}_top5_error'] = self.top5_error
    return found | {
      f'{prefix}_error/{branch}': error
      for branch, error in self.branch_errors().items()
    }

  def branch_errors(self):
    """{branch: percentage of wrong predictions}, of several heads."""
    return {
      branch: 100.0 * float(np.mean(predictions != self.labels))
      for branch, predictions in self.branches.items()
    }

  def class_errors(self):
    """Wrong predictions of each class in percent; None for one not seen."""
    wrong = self.predictions != self.labels
    seen = np.bincount(self.labels, minlength=self.classes)
    missed = np.bincount(self.labels[wrong], minlength=self.classes)
    return [
      100.0 * float(m) / float(n) if n else None
      for m, n in zip(missed, seen, strict=True)
    ]

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
    """What only some networks have: 'responses' of groups, 'masks', 'branches'.

    Means over all images, of branches errors in percent; {} for none of them.
    """
    found = {'responses': self.responses, 'masks': self.gates}
    found = jax.tree.map(lambda x: float(np.mean(x, dtype=np.float64)), found)
    found['branches'] = self.branch_errors()
    return {name: value for name, value in found.items() if value}


class Evaluator:
  """Evaluates one network on one split."""

  def __init__(self, network, examples, *, batch_size, mesh, precision):
    """Args:
    network: a `Network`.
    examples: a `Split`, which stays on the devices, or a `Streamed`.
    batch_size: changes the speed only.
    mesh: devices.
    precision: of matrix products and convolutions.
    """
    self._batches = batches_of(examples, batch_size=batch_size, mesh=mesh)
    self._classes = network.model.num_classes

    @functools.partial(jax.jit, out_shardings=replicated(mesh))
    def evaluate(variables, *data):
      batch = self._batches.take(*data)
      batch = jax.lax.with_sharding_constraint(batch, split(mesh))
      images = normalise(batch['image'], network.mean, network.std)
      with jax.default_matmul_precision(precision):
        logits, endpoints = network.apply(variables, images)
      losses = cross_entropy(logits, batch['label'])
      found = {
        'losses': jnp.where(batch['mask'], losses, 0.0),
        'predictions': jnp.argmax(logits, axis=-1),
        'labels': batch['label'],
        'ranks': _ranks(logits, batch['label']),
        'branches': {
          branch: jnp.argmax(own, axis=-1)
          for branch, own in parts_of('logits', endpoints).items()
        },
        'mask': batch['mask'],
        'responses': responses(endpoints),
        'gates': {
          place: gate_statistics(gate)
          for place, gate in parts_of('mask', endpoints).items()
        },
      }
      if 'boxes' in batch:
        found |= _looks(endpoints, batch['boxes'], images.shape[1:3])
      return found

    self._evaluate = evaluate

  def __call__(self, variables):
    """An `Evaluation` of the network with these variables."""
    parts = []
    for data in self._batches:
      parts.append(self._evaluate(variables, *data))
      # One batch late: the device is never waited for, and holds few batches.
      parts[-2:-1] = map(jax.device_get, parts[-2:-1])
    found = jax.tree.map(
      lambda *part: np.concatenate([np.asarray(p) for p in part]), *parts
    )
    mask = found.pop('mask')
    found = jax.tree.map(lambda values: values[mask], found)
    return Evaluation(classes=self._classes, **found)


def _ranks(logits, labels):
  """How many classes stand before the right one, `[B]`.

  Of equal logits the first stands first, as for `argmax`; where one is NaN, all
  classes stand before it.
  """
  classes = logits.shape[-1]
  own = jnp.take_along_axis(logits, labels[:, None], axis=-1)
  first = jnp.arange(classes)[None] < labels[:, None]
  ranks = jnp.sum((logits > own) | ((logits == own) & first), axis=-1)
  broken = jnp.any(jnp.isnan(logits), axis=-1)
  return jnp.where(broken, classes, ranks)


def _looks(endpoints, boxes, size):
  maps = attention_maps(endpoints)
  return {
    'boxed': jnp.any(boxes[..., 4] >= 0, axis=-1),
    'areas': area_in_boxes(boxes, size),
    'energies': {
      name: energy_in_boxes(map_, boxes, size) for name, map_ in maps.items()
    },
    'hits': {
      name: pointing_game(map_, boxes, size) for name, map_ in maps.items()
    },
  }
