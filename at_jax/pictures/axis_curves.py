"""From densities to positions along one axis, as plots."""

import numpy as np

from at_jax.pictures.cells import FOOT, inset
from at_jax.pictures.numbers import ends_of, span

LEFT, BETWEEN, BELOW = 0.55, 0.4, 0.4  # inches, for numbers and labels
DENSITY, ARROWS = '#21918c', '#c2410c'


def draw_axis(figure, place, name, axis, chosen):
  """Draws densities, and under them how their sum leads to positions.

  Arrows begin at equal shares of the mass, meet the cumulated density, and end
  at the positions that are read.

  Args:
    figure: gets two axes.
    place: left, top, width and height in inches from the upper left.
    name: of what is sampled, 'row' or 'column'.
    axis: a `samples.Axis`.
    chosen: indices of the positions that get an arrow.
  """
  left, top, width, height = place
  left, width = left + LEFT, width - LEFT - 0.1
  third = (height - FOOT - BETWEEN - BELOW) / 3
  top += FOOT
  densities = _axes(figure, left, top, width, third)
  curve = _axes(figure, left, top + third + BETWEEN, width, 2 * third)
  _draw_densities(densities, name, axis)
  _draw_curve(curve, name, axis, chosen)


def _axes(figure, left, top, width, height):
  axes = inset(figure, (left, top, width, height))
  axes.tick_params(labelsize=7, length=2)
  axes.spines[['top', 'right']].set_visible(False)
  return axes


def _draw_densities(axes, name, axis):
  borders = np.arange(len(axis.density) + 1) - 0.5
  axes.stairs(
    axis.density, borders, fill=True, color=DENSITY, alpha=0.6, label='capped'
  )
  axes.stairs(axis.marginal, borders, color='0.25', lw=0.9, label='marginal')
  high = float(np.max(axis.density))
  # A far higher marginal leaves the plot: what is sampled by is to be seen.
  high = max(high, min(float(np.max(axis.marginal)), 2 * high))
  axes.set(xlim=(borders[0], borders[-1]), ylim=(0, 1.4 * high))
  axes.set_ylabel('density', fontsize=7)
  ends = ', '.join(
    f'{what} {span(*ends_of(values))}'
    for what, values in {
      'marginal': axis.marginal,
      'capped': axis.density,
    }.items()
  )
  axes.set_title(f'{name}s: {ends}', fontsize=8, loc='left', pad=3)
  axes.legend(fontsize=7, frameon=False, ncols=2, loc='upper right')


def _draw_curve(axes, name, axis, chosen):
  positions = axis.positions[chosen]
  shares = np.interp(positions, axis.edges, axis.cumulated)
  begin, end = -0.5, len(axis.density) - 0.5
  for position, share in zip(positions, shares, strict=True):
    corners = ([begin, position, position], [share, share, 0])
    axes.plot(*corners, color=ARROWS, lw=0.6, alpha=0.8)
  axes.plot(
    positions,
    np.full(len(positions), 0.02),
    ls='none',
    marker='v',
    ms=3.5,
    color=ARROWS,
  )
  axes.plot(axis.edges, axis.cumulated, color=DENSITY, lw=1.6)
  axes.set(xlim=(begin, end), ylim=(0, 1.02), yticks=(0, 0.5, 1))
  axes.set_xlabel(f'{name} of the image, and where it is read', fontsize=7)
  axes.set_ylabel('share of the mass', fontsize=7)
