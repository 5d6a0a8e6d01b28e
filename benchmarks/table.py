"""From measurements to a Markdown table."""

import statistics


def summarise(measurements):
  """One row for each step and variant, in the order of the first round."""
  groups = {}
  for one in measurements:
    groups.setdefault((one['step'], one['name']), []).append(one)
  rows = []
  for (step, name), group in groups.items():
    row = dict(step=step, name=name, engine=group[0]['engine'], rounds=0)
    good = [one for one in group if 'failed' not in one]
    if good:
      speeds = [one['images_per_second'] for one in good]
      row |= dict(
        rounds=len(good),
        images_per_second=statistics.median(speeds),
        low=min(speeds),
        high=max(speeds),
        peak_memory=max(one['peak_memory'] for one in good),
      )
    rows.append(row)
  for row in rows:
    row['ratios'] = {
      other['name']: row['images_per_second'] / other['images_per_second']
      for other in rows
      if other['engine'] == 'torch'
      and other['step'] == row['step']
      and row['rounds']
      and other['rounds']
    }
  return rows


def shown(speed):
  """Images a second, in whole ones from ten on."""
  return f'{speed:,.0f}' if speed >= 10 else f'{speed:.3g}'


def table(rows):
  """The rows in Markdown; a column of ratios for each PyTorch variant."""
  others = [row['name'] for row in rows if row['engine'] == 'torch']
  others = list(dict.fromkeys(others))
  head = ['step', 'variant', 'images/s: median (min–max, rounds)']
  head += [f'÷ {name}' for name in others] + ['peak memory, MiB']
  lines = [head, ['---'] * 2 + ['---:'] * (len(head) - 2)]
  for row in rows:
    cells = ['failed', *['' for _ in others], '']
    if row['rounds']:
      keys = 'images_per_second', 'low', 'high'
      speeds = [shown(row[key]) for key in keys]
      ratios = [row['ratios'].get(name) for name in others]
      cells = [
        '{} ({}–{}, {})'.format(*speeds, row['rounds']),
        *('' if ratio is None else f'{ratio:.2f}' for ratio in ratios),
        f'{row["peak_memory"] / 2**20:,.0f}',
      ]
    lines.append([row['step'], row['name'], *cells])
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def costs(rows, plain='nin', steps=('min_l2', 'grad_at')):
  """Sentences: what a gradient step takes, in times of the plain one."""
  speed = {
    (row['step'], row['name']): row['images_per_second']
    for row in rows
    if row['rounds']
  }
  lines = []
  for step in steps:
    times = [
      f'{speed[plain, name] / rate:.2f} ({name})'
      for (own, name), rate in speed.items()
      if own == step and (plain, name) in speed
    ]
    if times:
      lines.append(f'A step of {step} takes, in steps of {plain}: ')
      lines[-1] += f'{", ".join(times)}.'
  return lines
