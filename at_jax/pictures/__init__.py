"""Pictures: arrays in, PNG out. Nothing here knows of configs or workdirs."""

import io
import os
import pathlib
import warnings

LARGEST = 700_000  # bytes: a page of pictures stays quick to load and to commit


def save_png(figure, path, *, dpi=110, largest=LARGEST):
  """Writes a `matplotlib.figure.Figure` whole or not at all.

  Args:
    figure: the figure; it is rendered by Agg, so no display is needed, and
      empty afterwards.
    path: where the PNG goes; a reader never meets a half-written one.
    dpi: pixels per inch; lowered where the file would be too large.
    largest: the file's size in bytes that `dpi` makes way for.

  Returns:
    The path, as `pathlib.Path`.
  """
  path = pathlib.Path(path)
  data = _render(figure, dpi)
  while len(data) > largest and dpi > 50:
    dpi *= max(0.7, 0.98 * (largest / len(data)) ** 0.5)
    data = _render(figure, dpi)
  _empty(figure)
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  part.write_bytes(data)
  os.replace(part, path)
  return path


def plain(text):
  """Text that matplotlib shows as it stands: no mathematics, never hidden.

  >>> plain('5 $ a run')
  '5 \\\\$ a run'
  """
  text = str(text).replace('$', r'\$')
  return f' {text}' if text.startswith('_') else text


def _render(figure, dpi):
  import numpy as np
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from PIL import Image

  figure.set_dpi(dpi)
  canvas = FigureCanvasAgg(figure)
  with warnings.catch_warnings():
    # A class name in a script that the font lacks is drawn as boxes; the
    # reader of the log can do nothing about it.
    warnings.filterwarnings('ignore', message='.*[Gg]lyph')
    canvas.draw()
  picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
  file = io.BytesIO()
  # Level 7 takes more than twice as long, for 2 % fewer bytes.
  picture.save(file, format='png', compress_level=5, dpi=(dpi, dpi))
  return file.getvalue()


def _empty(figure):
  """Lets go of all pixels.

  Artists, figure and canvas hold each other: of picture after picture they
  would fill the memory until Python next looks for such cycles.
  """
  from matplotlib.backend_bases import FigureCanvasBase

  figure.clear()
  FigureCanvasBase(figure)  # takes the place of the one with the pixels
