"""How much attention lies in annotated boxes: teachers beside rows."""

import statistics

from at_jax.report import teachers

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


def section(study, rows, markdown):
  """The text of the section, '' where no boxes are annotated.

  Args:
    study: a `read.Study`.
    rows: what `table.summarise` returned for it.
    markdown: lines of cells -> a table.
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
  lines = [
    ['', *(f'{tap}: {title}' for tap in taps for title in MEASURES.values())]
  ]
  for label, one in found.items():
    cells = [
      f'{one[name][tap]:.1f}' if tap in one[name] else '–'
      for tap in taps
      for name in MEASURES
    ]
    lines.append([label, *cells])
  any_ = next(iter(found.values()))
  return (
    f'## In the box\n\n{markdown(lines)}\n\n'
    'Attention in the box: the share of a map (squares summed over channels) '
    'that lies in annotated boxes, mean over images. Peak: how many maps have '
    'their largest cell there (the pointing game). Over '
    f'{any_["images"]:,} test images; boxes cover {any_["area"]:.1f} % of what '
    'is looked at: what a map without any idea would get. Medians over seeds.'
  )


def _is_whole(found):
  return (
    isinstance(found, dict)
    and {
      'images',
      'area',
      'energy',
      'pointing',
    }
    <= found.keys()
  )
