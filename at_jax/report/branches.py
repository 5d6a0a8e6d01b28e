"""Errors of each head of networks that have several, TASN for one."""

from at_jax.pictures.text import markdown

EXPLANATION = (
  'Test error in percent of every head after the last epoch, medians over '
  "seeds. The table above has that of the head by which a network's answer is "
  'given.'
)
NONE = '–'


def section(rows):
  """The text of the section, '' where no row has branches.

  Args:
    rows: what `table.summarise` returned.
  """
  known = {
    row['label']: row['branches'] for row in rows.values() if row['branches']
  }
  if not known:
    return ''
  names = list(dict.fromkeys(name for own in known.values() for name in own))
  lines = [['', *(name.replace('_', ' ') for name in names)]]
  for label, own in known.items():
    errors = [f'{own[name]:.2f}' if name in own else NONE for name in names]
    lines.append([label, *errors])
  return '\n\n'.join(['## Branches', markdown(lines), EXPLANATION])
