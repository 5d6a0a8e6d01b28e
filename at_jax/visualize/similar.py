"""How alike the maps of networks are: cosines summed up image by image."""

import json
import pathlib

import numpy as np

from at_jax._arrays import unknown
from at_jax.pictures.similarity import cosine

# What the means are saved as.
MAPS_ALIKE = 'similarity.json'
GRADIENTS_ALIKE = 'gradient_similarity.json'


class Similarity:
  """Cosines of each column's maps with those of one column.

  Args:
    columns: a list of `Column`.
    against: the name or title of one; '' is the last.

  Raises:
    ValueError: there is no such column, or no other one.
  """

  def __init__(self, columns, against=''):
    self._titles = {column.name: column.title for column in columns}
    by_title = {title: name for name, title in self._titles.items()}
    if against and len(columns) == 1:
      raise ValueError(
        f'--against={against} compares networks, and there is one: name more '
        'with --workdir or --rows.'
      )
    name = against or columns[-1].name
    self.against = by_title.get(name, name)
    if self.against not in self._titles:
      raise ValueError(unknown('network --against', against, self._titles))
    self._found = {n: {} for n in self._titles if n != self.against}

  @property
  def title(self):
    """Of the column that the others are compared with."""
    return self._titles[self.against]

  def __bool__(self):
    return bool(self._found)

  def add(self, maps):
    """Counts one image.

    Args:
      maps: {name of a column: {tap: `[h, w]`, or `[H, W, C]`}}; of two sizes
        the larger is brought to the smaller.

    Returns:
      {name of a column: {tap: its cosine}}; nan where a map is zero everywhere,
      nothing where a tap is missing.
    """
    target, cosines = maps[self.against], {}
    for name, found in self._found.items():
      cosines[name] = {
        tap: float(cosine(map_[None], target[tap][None])[0])
        for tap, map_ in maps[name].items()
        if tap in target
      }
      for tap, value in cosines[name].items():
        total, count = found.get(tap, (0.0, 0))
        known = np.isfinite(value)
        found[tap] = total + (value if known else 0), count + int(known)
    return cosines

  def means(self):
    """{name of a column: {tap: mean cosine, None where there is none}}."""
    return {
      name: {tap: total / n if n else None for tap, (total, n) in found.items()}
      for name, found in self._found.items()
    }

  def lines(self, taps):
    """Cells of the means, a line a column."""
    lines = [[f'mean cosine with {self.title}', *taps]]
    for name, means in self.means().items():
      values = [means.get(tap) for tap in taps]
      cells = ['–' if value is None else f'{value:.3f}' for value in values]
      lines.append([self._titles[name], *cells])
    return lines

  def save(self, path, **about):
    """Writes the means, and what they are of, as JSON."""
    found = dict(against=self.against, **about, cosine=self.means())
    pathlib.Path(path).write_text(json.dumps(found, indent=2) + '\n')


def note(cosines, tap):
  """What stands below a panel; '' for nothing."""
  if tap not in cosines:
    return ''
  value = cosines[tap]
  return f'cos {value:.2f}' if np.isfinite(value) else 'cos –: all zero'
