"""Tables and names as text, for reports and for terminals."""

import re

from at_jax.pictures.chosen import present_classes

STATISTICS = {
  'mean': ('mean', '{:.3f}', 1),
  'low': ('below 0.05, %', '{:.1f}', 100),
  'high': ('above 0.95, %', '{:.1f}', 100),
  'spatial': ('variance over places', '{:.4f}', 1),
  'channels': ('variance over channels', '{:.4f}', 1),
}


def markdown(lines):
  """Lines of cells, the head first, as a table; padded for a terminal."""
  lines = [[cell.replace('|', r'\|') for cell in line] for line in lines]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  lines.insert(1, ['-' * width for width in widths])
  return '\n'.join(
    '| ' + ' | '.join(map(str.ljust, line, widths)) + ' |' for line in lines
  )


def cut(text, most):
  """At most so many letters, an ellipsis in place of those left out.

  >>> cut('black-footed albatross', 9)
  'black-fo…'
  """
  text = str(text)
  return text if len(text) <= most else text[: most - 1] + '…'


def literal(text):
  r"""Text as it stands, whatever of it Markdown would read as its own.

  >>> print(literal('<b>*_x'), literal('black_footed'))
  \<b\>\*\_x black_footed
  """
  own = r'[\\`*<>&\[\]]|(?<![^\W_])_|_(?![^\W_])'
  return re.sub(own, r'\\\g<0>', str(text))


def label_name(label, names):
  """The name of a label's class; of a multi-hot one, those of all it shows.

  A class without a name is called by its number.

  >>> label_name(1, ['cat', 'dog']), label_name([1, 1], ['cat', 'dog'])
  ('dog', 'cat, dog')
  >>> label_name([0, 0], ['cat', 'dog'])
  'none'
  """
  shown = present_classes(label)
  known = [str(names[k]) if k < len(names) else str(k) for k in shown]
  return ', '.join(known) or 'none'


def mask_lines(rows):
  """Cells of the statistics of masks, a line a module.

  Args:
    rows: {row: {'label', 'masks': {place: {statistic: value}}}}.
  """
  made = [['', 'mask', *(title for title, _, _ in STATISTICS.values())]]
  for row in rows.values():
    for place, found in row['masks'].items():
      cells = [
        form.format(times * found[name]) if name in found else '–'
        for name, (_, form, times) in STATISTICS.items()
      ]
      made.append([row['label'], place, *cells])
  return made
