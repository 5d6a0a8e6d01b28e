"""Gates of channels and of scales: are they open, and whose?"""

import numpy as np

from at_jax.pictures import plain, save_png
from at_jax.pictures.cells import COLOUR_MAP, cut
from at_jax.pictures.curves import COLOURS

BINS = 40
NUMBERED = 20  # columns; more have no room for numbers
LETTERS = 6  # longer names of classes are written aslant


def draw_gates(path, views, class_names):
  """Draws histograms of channel gates over a heat map of scale gates.

  Args:
    path: the PNG to write.
    views: arrays as `train.class_views` has them, of n images: `gate/<place>`
      `[n, D]`, `scale` `[n, L, C]`; of others only the names count.
    class_names: of all classes.

  Returns:
    The path; None where there are no gates.
  """
  channels = {
    name.removeprefix('gate/'): gates
    for name, gates in views.items()
    if name.startswith('gate/')
  }
  scale = views.get('scale')
  if not channels and scale is None:
    return None
  scales = () if scale is None else _scale_names(views, scale.shape[1])
  return save_png(gates_figure(channels, scale, scales, class_names), path)


def _scale_names(views, count):
  """Names of the scales, in order: those of places that are as many."""
  for part in ('gate', 'score', 'scores'):
    names = sorted(n for n in views if n.startswith(f'{part}/'))
    if len(names) == count:
      return [name.partition('/')[2] for name in names]
  return [f'scale {k + 1}' for k in range(count)]


def spread(gates):
  """(standard deviation over channels, over images) of gates `[n, D]`.

  That of the channels' means, and the mean over channels of that of images.
  """
  return float(gates.mean(0).std()), float(gates.std(0).mean())


def gates_figure(channels, scale, scales, class_names):
  """The figure of `draw_gates`, not yet written.

  Args:
    channels: {place: gates `[n, D]`}.
    scale: `[n, L, C]`, or None.
    scales: L names.
    class_names: as many as C, unless those are channels.

  Scale gates: mean over the images, with the standard deviation written into
  each cell; where columns are too many for that, in a heat map of its own.
  """
  from matplotlib.figure import Figure

  heats = {} if scale is None else _heats(np.asarray(scale))
  names = [cut(name, 1.4) for name in class_names]
  slanted = max(map(len, names), default=0) > LETTERS
  tall = 0.9 + 0.42 * len(scales) + 0.6 * slanted
  heights = [2.6] * bool(channels) + [tall] * len(heats)
  columns = 0 if scale is None else min(NUMBERED, scale.shape[2])
  width = max(4.4, 3.6 * len(channels), 2.0 + 0.62 * columns)
  figure = Figure(figsize=(min(14.4, width), sum(heights)))
  figure.set_layout_engine('constrained', w_pad=0.08, h_pad=0.08)
  parts = figure.subfigures(len(heights), 1, height_ratios=heights)
  parts = list(np.atleast_1d(parts))
  if channels:
    plots = parts.pop(0).subplots(1, len(channels), squeeze=False)[0]
    for axes, (place, gates) in zip(plots, channels.items(), strict=True):
      _draw_histogram(axes, place, np.asarray(gates))
  for part, (title, heat) in zip(parts, heats.items(), strict=True):
    _draw_heat(part, title, heat, scales, names)
  return figure


def _heats(scale):
  """{title: (values `[L, C]`, text of each cell or None)}."""
  count, _, columns = scale.shape
  mean, sd = scale.mean(0), scale.std(0)
  over = f'over {count} image{"s" * (count != 1)}'
  if columns > NUMBERED:
    return {
      f'scale gates, mean {over}': (mean, None),
      f'scale gates, standard deviation {over}': (sd, None),
    }
  pairs = zip(mean.ravel(), sd.ravel(), strict=True)
  text = np.array([f'{m:.2f}\n± {s:.2f}' for m, s in pairs])
  title = f'scale gates, mean ± standard deviation {over}'
  return {title: (mean, text.reshape(mean.shape))}


def _draw_histogram(axes, place, gates):
  images, channels = gates.shape
  values = gates.ravel()
  axes.hist(
    values,
    np.linspace(0, 1, BINS + 1),
    weights=np.full(len(values), 100 / len(values)),
    color=COLOURS[2],
  )
  axes.axvline(values.mean(), color=COLOURS[1], lw=1.4)
  of_channels, of_images = spread(gates)
  axes.set_title(
    plain(
      f'{place}: {channels} channels, {images} images\nmean {values.mean():.2f}'
      f', sd over channels {of_channels:.2g}, over images {of_images:.2g}'
    ),
    fontsize=8,
  )
  axes.set_xlim(0, 1)
  axes.set_xlabel('channel gate u', fontsize=8)
  axes.set_ylabel('% of gates', fontsize=8)
  axes.tick_params(labelsize=7)
  axes.spines[['top', 'right']].set_visible(False)


def _draw_heat(figure, title, heat, scales, class_names):
  axes, (values, text) = figure.subplots(), heat
  image = axes.imshow(values, cmap=COLOUR_MAP, vmin=0, vmax=1, aspect='auto')
  axes.set_title(title, fontsize=8)
  axes.set_yticks(range(len(scales)), map(plain, scales), fontsize=8)
  of_classes = values.shape[1] == len(class_names)
  if of_classes and text is not None:
    slanted = max(map(len, class_names)) > LETTERS
    looks = dict(rotation=30, ha='right') if slanted else {}
    names = map(plain, class_names)
    axes.set_xticks(range(len(class_names)), names, fontsize=8, **looks)
  else:
    axes.set_xlabel('class' if of_classes else 'channel', fontsize=8)
    axes.tick_params(axis='x', labelsize=7)
  for place, words in np.ndenumerate([] if text is None else text):
    colour = 'black' if values[place] > 0.6 else 'white'
    looks = dict(ha='center', va='center', size=7, color=colour)
    axes.text(*place[::-1], words, **looks)
  figure.colorbar(image, ax=axes, pad=0.01).ax.tick_params(labelsize=7)
