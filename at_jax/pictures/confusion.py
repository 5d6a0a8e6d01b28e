"""What the images of each class were taken for: matrices side by side."""

import dataclasses
import math

import numpy as np

from at_jax.pictures import plain, save_png
from at_jax.pictures.text import cut

FEW = 20  # classes whose names and numbers can be read
PAGE = 14.4  # inches
SMALLEST, CELL = 2.4, 0.2  # inches: of a matrix, of a cell with a number
TICKS = (0, 1, 5, 20, 50, 100)  # percent


@dataclasses.dataclass
class Matrix:
  """One network's.

  Attributes:
    title: stands over it.
    counts: how many images of a true class (line) were taken for which class
      (column), int `[C, C]`.
    names: of the C classes.
  """

  title: str
  counts: np.ndarray
  names: list


def confusion_matrix(labels, predictions, classes):
  """How many examples of each class (line) were taken for which (column).

  >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
  [[1, 1], [0, 1]]
  """
  places = np.asarray(labels, np.int64) * classes + np.asarray(predictions)
  counts = np.bincount(places, minlength=classes * classes)
  return counts.reshape(classes, classes)


def percentages(counts):
  """Of each line's sum, float `[C, C]`; of a class without images all 0."""
  total = counts.sum(axis=1, keepdims=True)
  return 100 * counts / np.maximum(total, 1)


def draw_confusion(path, matrices):
  """Draws matrices, at most three a line, in percent of each true class.

  Colours are on a scale of square roots: a class that loses one image in a
  hundred is seen to. Of at most 20 classes names and numbers are written.

  Args:
    path: the PNG to write.
    matrices: a list of `Matrix`, not empty.

  Returns:
    The path.
  """
  return save_png(confusion_figure(matrices), path)


def confusion_figure(matrices):
  """The figure of `draw_confusion`, not yet written."""
  from matplotlib.figure import Figure

  across = 2 if len(matrices) == 4 else min(3, len(matrices))
  down = math.ceil(len(matrices) / across)
  few = [len(m.names) for m in matrices if len(m.names) <= FEW]
  side = max(SMALLEST, CELL * max(few, default=FEW))
  size = across * (side + 0.7) + 0.8, down * (side + 0.7)
  figure = Figure(figsize=(min(PAGE, size[0]), size[1]))
  figure.set_layout_engine('constrained', w_pad=0.05, h_pad=0.05)
  axes = figure.subplots(down, across, squeeze=False).ravel()
  for matrix, own in zip(matrices, axes, strict=False):
    shown = _draw(own, matrix, letters=int(side / 0.07))
  for spare in axes[len(matrices) :]:
    spare.set_axis_off()
  bar = figure.colorbar(shown, ax=axes, shrink=0.8, aspect=30, ticks=TICKS)
  bar.set_label('% of the true class', fontsize=8)
  bar.ax.tick_params(labelsize=7)
  return figure


def _draw(axes, matrix, letters):
  from matplotlib.colors import PowerNorm

  shares, count = percentages(matrix.counts), len(matrix.names)
  scale = dict(cmap='Blues', norm=PowerNorm(0.5, 0, 100))
  # Pixels of many classes: a smoothing filter would hide single cells.
  shown = axes.imshow(shares, interpolation='nearest', **scale)
  axes.set_title(plain(cut(matrix.title, letters)), fontsize=9)
  axes.set_xlabel('predicted', fontsize=8)
  axes.set_ylabel('true', fontsize=8)
  axes.tick_params(labelsize=7, length=2)
  if count > FEW:
    return shown
  names = [plain(cut(name, 14)) for name in matrix.names]
  upright = max(map(len, names)) > 2
  axes.set_xticks(range(count), names, rotation=90 * upright)
  axes.set_yticks(range(count), names)
  for i, j in np.argwhere(matrix.counts):
    share = shares[i, j]
    axes.text(
      j,
      i,
      f'{share:.1f}' if share < 9.95 else f'{share:.0f}',
      ha='center',
      va='center',
      fontsize=5.5,
      color='white' if share > 35 else 'black',
    )
  return shown
