"""Tables as text, for reports and for terminals."""

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
