"""How much attention lies in annotated boxes: teachers beside rows."""

import statistics

from at_jax.pictures.text import markdown
from at_jax.report import teachers

KEYS = {'images', 'area', 'energy', 'pointing'}
CROPPED = 99.0  # percent: boxes cover all there is to see
EXPLANATION = (
  'Attention in the box: the share of a map (squares summed over channels) '
  'that lies in annotated boxes, mean over test images; by chance as much as '
  'the boxes cover. Peak: how many maps have their largest cell in a box (the '
  'pointing game). Medians over seeds.'
)
MEASURES = {'energy': 'attention in the box %', 'pointing': 'peak in the box %'}


def medians(row):
  """Medians over a row's runs of their `localisation`.

  Args:
    row: a `read.Row`.

  Returns:
    {'images', 'area', 'energy': {endpoint: %}, 'pointing': {endpoint: %}}; None
    where no run has it.
  """
  runs = [run.result for run in row.runs.values() if run.result]
  found = [r for run in runs if _is_whole(r := run.get('localisation'))]
  if not found:
    return None
  taps = [
    tap for tap in found[0]['energy'] if all(tap in r['energy'] for r in found)
  ]

  def middle(name):
    return {tap: statistics.median(r[name][tap] for r in found) for tap in taps}

  return dict(
    images=found[0]['images'],
    area=found[0]['area'],
    energy=middle('energy'),
    pointing=middle('pointing'),
  )


def section(study, rows):
  """The text of the section, '' where no boxes are annotated.

  Args:
    study: a `read.Study`.
    rows: what `table.summarise` returned for it.
  """
  names = teachers.names(study.teachers)
  found = {
    f'*teacher {names[teacher["hash"]]}*': teacher['localisation']
    for teacher in study.teachers
    if _is_whole(teacher.get('localisation'))
  } | {row['label']: row['looks'] for row in rows.values() if row['looks']}
  if not found:
    return ''
  taps = list(
    dict.fromkeys(tap for one in found.values() for tap in one['energy'])
  )
  titles = [f'{tap}: {title}' for tap in taps for title in MEASURES.values()]
  lines = [['', 'images', 'boxes cover %', *titles]]
  for label, one in found.items():
    cells = [
      f'{one[name][tap]:.1f}' if tap in one[name] else '–'
      for tap in taps
      for name in MEASURES
    ]
    lines.append([label, f'{one["images"]:,}', f'{one["area"]:.1f}', *cells])
  text = f'## In the box\n\n{markdown(lines)}\n\n{EXPLANATION}'
  if all(one['area'] > CROPPED for one in found.values()):
    text += (
      ' Here images are cropped to their boxes, so there is nothing to find: '
      'python -m at_jax.evaluate --unboxed looks at whole images.'
    )
  return text


def _is_whole(found):
  return isinstance(found, dict) and KEYS <= found.keys()
