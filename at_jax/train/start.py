"""Where a run begins: in weights that another run or `convert` left."""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np

from at_jax.models.layers import HEAD
from at_jax.objectives.paths import names_of
from at_jax.train.weights import load_weights


@dataclasses.dataclass(frozen=True)
class Start:
  """What a network begins with instead of its initial variables.

  Attributes:
    variables: {path of a leaf, a tuple of names: array}.
    digests: {parameter path: digest of the weights that went there}.
    notes: lines that a user should see.
  """

  variables: dict[tuple[str, ...], Any]
  digests: dict[str, str]
  notes: tuple[str, ...]

  def apply(self, variables):
    """The network's variables, overwritten where there is something."""
    return jax.tree.map_with_path(
      lambda path, own: self.variables.get(names_of(path), own), variables
    )


def find_start(folders, network):
  """The `Start` that `config.start` describes; an empty one for none.

  Args:
    folders: {parameter path: weights folder}. At the path '' stand the weights
      of the whole network, at another one those of a submodule. Later entries
      overwrite earlier ones.
    network: the `Network` to be trained.

  Raises:
    FileNotFoundError, ValueError: see `load_weights`; or weights that do not
      fit. The last layer, `head`, may have another size: it begins anew.
  """
  shapes = {
    names_of(path): leaf.shape
    for path, leaf in jax.tree.leaves_with_path(network.variable_shapes)
  }
  variables, digests, notes = {}, {}, []
  for path, folder in folders.items():
    weights = _load(folder, network)
    given = _placed(weights.variables, path)
    wrong = _wrong(given, path, shapes)
    heads = {name[:-1] for name in wrong if name[-2] == HEAD}
    others = [name for name in wrong if name[:-1] not in heads]
    if others:
      raise ValueError(_misfit(others, given, shapes, path, folder, network))
    for head in sorted(heads):
      given = {k: v for k, v in given.items() if k[:-1] != head}
      here = any(name[:-1] == head for name in shapes)
      notes.append(
        f'start: {"/".join(head[1:])} begins anew, it has another size in '
        f'{folder}'
        if here
        else f'start: the head in {folder} is left out, {"/".join(head[1:])} '
        'is none of this network'
      )
    notes += _other_images(weights.network, network, folder)
    variables |= given
    digests[path] = weights.digest
  return Start(variables, digests, tuple(notes))


def _load(folder, network):
  try:
    return load_weights(pathlib.Path(folder).expanduser())
  except FileNotFoundError as error:
    raise FileNotFoundError(
      f'{error} {network.label} begins with it (config.start); without, start= '
      'or teacher_start= after the name of the config, it begins from scratch.'
    ) from None


def _placed(variables, path):
  """{path of a leaf in the network: array}."""
  inside = tuple(path.split('/')) if path else ()
  placed = {}
  for key, array in jax.tree.leaves_with_path(variables):
    collection, *names = names_of(key)
    placed[(collection, *inside, *names)] = array
  return placed


def _wrong(given, path, shapes):
  """Leaves at `path` that one side lacks or has in another shape, in order."""
  inside = tuple(path.split('/')) if path else ()
  wanted = {
    name: shape
    for name, shape in shapes.items()
    if name[1 : 1 + len(inside)] == inside
  }
  return [
    name
    for name in sorted(wanted.keys() | given.keys())
    if name not in given or np.shape(given[name]) != wanted.get(name)
  ]


def _misfit(names, given, shapes, path, folder, network):
  """The text of an error, with the first leaves that do not fit."""
  lines = [
    f'{"/".join(name)}: {_shape(given, name)} there, '
    f'{shapes.get(name, "nothing")} here'
    for name in names[:8]
  ]
  if len(names) > len(lines):
    lines.append(f'and {len(names) - len(lines)} more')
  where = f' at {path!r}' if path else ''
  return (
    f'The weights in {folder} do not fit {network.label}{where}:\n  '
    + '\n  '.join(lines)
    + '\nName weights of the same model, or the path of the submodule that '
    "they are for: config.start = {'path': folder}."
  )


def _shape(given, name):
  return np.shape(given[name]) if name in given else 'nothing'


def _other_images(theirs, own, folder):
  """A note where the weights saw differently normalised images."""
  if (theirs.mean, theirs.std) == (own.mean, own.std):
    return []
  return [
    f'start: {folder} was trained on images of {_scale(theirs)}, this run uses '
    f'{_scale(own)}'
  ]


def _scale(network):
  """Mean and std in words."""
  per_pixel = "each pixel's own mean"
  mean = per_pixel if network.per_pixel else f'mean {network.mean}'
  return f'{mean} and std {network.std}'
