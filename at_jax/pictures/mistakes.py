"""Images that a network got wrong: what they are, what it took them for."""

import math

from at_jax.pictures import save_png
from at_jax.pictures.cells import (
  GAP,
  LINE,
  MARGIN,
  draw_image,
  empty_page,
  end_page,
  fitted,
  write,
)
from at_jax.pictures.text import cut

CELL, ACROSS = 1.7, 6  # inches, and images side by side
TEXT = 2 * LINE + 0.1  # inches below an image
LETTERS = 25


def draw_mistakes(path, images, true, predicted, probabilities):
  """Draws images in lines of six, the true and the predicted class below.

  Args:
    path: the PNG to write.
    images: uint8 `[n, H, W, C]`, C 1 or 3, n > 0.
    true: n names of classes.
    predicted: n names.
    probabilities: of the predictions, `[n]`.

  Returns:
    The path.
  """
  figure = mistakes_figure(images, true, predicted, probabilities)
  return save_png(figure, path)


def mistakes_figure(images, true, predicted, probabilities):
  """The figure of `draw_mistakes`, not yet written."""
  across = min(ACROSS, len(images))
  down = math.ceil(len(images) / across)
  width = 2 * MARGIN + across * (CELL + GAP)
  figure, axes = empty_page(width, 2 * MARGIN + down * (CELL + TEXT))
  found = zip(images, true, predicted, probabilities, strict=True)
  for k, (image, name, answer, probability) in enumerate(found):
    line, column = divmod(k, across)
    left = MARGIN + column * (CELL + GAP)
    top = MARGIN + line * (CELL + TEXT)
    left_of_image, _, wide, tall = fitted(image, left, top, CELL)
    draw_image(axes, image, left_of_image, top, wide, tall)
    chance = f', {100 * probability:.1f} %'
    answer = cut(f'→ {answer}', LETTERS - len(chance)) + chance
    middle = left + CELL / 2
    write(axes, middle, top + CELL + LINE, cut(name, LETTERS), size=8)
    look = dict(size=8, color='#B33A00')
    write(axes, middle, top + CELL + 2 * LINE, answer, **look)
  end_page(figure, axes)
  return figure
