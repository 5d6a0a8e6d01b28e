"""How strongly the stages of networks respond, relative to the first."""

from at_jax.pictures import plain, save_png
from at_jax.pictures.curves import COLOURS, MARKERS


def draw_responses(path, rows):
  """Draws the mean absolute output of each stage, divided by the first's.

  Figure 4 of Wang et al., Residual Attention Network for Image Classification.

  Args:
    path: the PNG to write.
    rows: {label: {group: mean absolute value}}, of groups in order.

  Returns:
    The path.
  """
  return save_png(responses_figure(rows), path)


def relative(responses):
  """{group: response divided by the first group's}, 0 for nothing at all.

  >>> relative({'group1': 4.0, 'group2': 1.0})
  {'group1': 1.0, 'group2': 0.25}
  """
  first = next(iter(responses.values()), 0.0)
  return {
    group: value / first if first else 0.0 for group, value in responses.items()
  }


def responses_figure(rows):
  """The figure of `draw_responses`, not yet written."""
  from matplotlib.figure import Figure

  figure = Figure(figsize=(5.2, 3.6))
  figure.set_layout_engine('constrained')
  axes = figure.add_subplot()
  rows = {label: relative(found) for label, found in rows.items()}
  groups = list(dict.fromkeys(g for found in rows.values() for g in found))
  for i, (label, shown) in enumerate(rows.items()):
    axes.plot(
      [groups.index(group) for group in shown],
      list(shown.values()),
      color=COLOURS[i % len(COLOURS)],
      marker=MARKERS[i // len(COLOURS) % len(MARKERS)] or 'o',
      label=plain(label),
    )
  axes.set_xticks(range(len(groups)), groups)
  axes.set_ylabel('mean |response|, relative', fontsize=10)
  largest = max(
    (v for shown in rows.values() for v in shown.values()), default=0
  )
  axes.set_ylim(0, 1.05 * (largest or 1.0))  # room for the highest marker
  axes.grid(alpha=0.3)
  axes.legend(fontsize=8, frameon=False)
  return figure
