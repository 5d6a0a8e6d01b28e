"""What rows began with, weights of other runs, and what was not trained."""


def sentences(study):
  """A sentence for the rows that began alike; none for those from scratch.

  Args:
    study: a `read.Study`.

  Returns:
    A list such as ['AT: begins with weights `runs/first`, frozen `stem`.'].
  """
  alike = {}
  for row in study.rows.values():
    if text := _begun(row.settings):
      alike.setdefault(text, []).append(row.label)
  return [f'{", ".join(rows)}: {text}.' for text, rows in alike.items()]


def _begun(settings):
  own = settings['row']
  start = own.get('start', _mapping(settings, 'start'))
  freeze = own.get('freeze', settings.get('freeze')) or ()
  parts = [
    f'weights `{folder}`' + (f' at `{path}`' if path else '')
    for path, folder in start.items()
  ]
  if parts:
    parts[0] = f'begins with {parts[0]}'
  if freeze:
    parts.append('frozen ' + ' '.join(f'`{path}`' for path in freeze))
  if own.get('bn', settings.get('bn')) == 'frozen':
    parts.append('all batch norms fixed')
  return ', '.join(parts)


def _mapping(settings, name):
  """What `flatten` made of a mapping of strings, as it was."""
  return {
    key.removeprefix(f'{name}.'): value
    for key, value in settings.items()
    if key.startswith(f'{name}.')
  }
