"""The text of report.md."""

from at_jax.report import begun, teachers

PROTOCOL = (
  'Protocol: test {label} after the last epoch, on the full test set; never '
  'the best epoch. Median, mean and sample standard deviation over n seeds; '
  'differences are paired by seed ({sign} is better; a win is a seed with '
  'the {better} {label}).'
)
CURVES = (
  '![{Label}s and terms against the epoch](curves.png)\n\nBold: {measured} '
  '{label} during training; {training}right: every term of the loss before its '
  'weight, the learning rate, images/s. Lines are medians over seeds, bands '
  'reach from the least to the largest.'
)


def page(study, studies, table, speed, measured, shown, sections):
  """The text of report.md.

  Args:
    study: a `read.Study`, joined from `studies`.
    studies: the list of workdirs read.
    table: the Markdown table.
    speed: the Markdown table of what training took.
    measured: what the bold curves were measured on.
    shown: sentences on attention.png; None where there is none.
    sections: further ones, '' for one that has nothing to say.

  Returns:
    Markdown.
  """
  title = study.config.get('label') or study.name
  parts = [f'# {title if len(studies) == 1 else "Joined report"}']
  parts += ['\n'.join(f'- {_what_ran(s)}' for s in studies)]
  parts += [table, PROTOCOL.format(**_words(study)), *_facts(study)]
  if study.notes:
    parts += [
      'Left out or missing:\n' + '\n'.join(f'- {n}' for n in study.notes)
    ]
  parts += [
    '## Curves',
    CURVES.format(measured=measured, **_words(study)),
    '## Attention',
    _attention_text(shown),
    *filter(None, sections),
    '## Speed',
    speed,
    'Images/s: median over the rows of metrics.jsonl, without compiling and '
    'evaluating. Peak memory: of the fullest device, on a CPU of the process, '
    'from its start to the end of the run.',
    '## Run it again',
    _again_text(studies),
  ]
  return '\n\n'.join(parts) + '\n'


def _words(study):
  """What the texts above say differently of errors and of AUROCs."""
  label = study.headline.label
  found = dict(label=label, Label=label[0].upper() + label[1:])
  if study.headline.higher_is_better:
    return found | dict(sign='positive', better='larger', training='')
  training = 'dashed, without bands: training error; '
  return found | dict(sign='negative', better='lower', training=training)


def _what_ran(study):
  about = study.about
  versions = about.get('versions') or {}
  parts = [
    f'config `{study.name}`',
    f'data: {about.get("data") or "unknown"}',
    f'on {about.get("devices") or "unknown devices"}',
    f'commit {about.get("commit") or "unknown"}',
    ', '.join(f'{name} {version}' for name, version in versions.items()),
    f'started {about["started"]}' if about.get('started') else '',
    f'`{about["command"]}`' if about.get('command') else '',
  ]
  return '; '.join(part for part in parts if part)


def _facts(study):
  """Paragraphs: teachers, other data, what rows began with, parameters."""
  facts, sizes = [], {}
  names = teachers.names(study.teachers)
  for teacher in study.teachers:
    name = f'teacher {names[teacher["hash"]]}'.strip()
    facts.append(
      f'The {name} is one run (n = 1), not a row; weights `{teacher["hash"]}`.'
    )
    label = name if len(study.teachers) > 1 else 'teacher'
    sizes.setdefault(teacher['parameters'], []).append(label)
  if len(facts) > 1:
    facts = ['\n'.join(f'- {fact}' for fact in facts)]
  for row in study.rows.values():
    done = [run.result for run in row.runs.values() if run.result]
    data = done[0].get('data') if done else None
    if data and data != study.about.get('data'):
      facts.append(f'Data of {row.label}: {data}')
    if done:
      sizes.setdefault(done[0].get('parameters'), []).append(row.label)
  sizes = [f'{", ".join(of)} {size:,}' for size, of in sizes.items() if size]
  facts += begun.sentences(study)
  return facts + ([f'Parameters: {"; ".join(sizes)}.'] if sizes else [])


def _attention_text(shown):
  if shown is None:
    return 'No attention maps yet: a run writes them when it starts and ends.'
  text = (
    'Bright is where a network is active: each map is divided by its l2 norm, '
    'enlarged smoothly and drawn on its own scale.'
  )
  return f'![Attention maps](attention.png)\n\n{" ".join([text, *shown])}'


def _again_text(studies):
  commands = [s.about.get('command') for s in studies]
  commands = [c for c in dict.fromkeys(commands) if c]
  text = 'The report alone, from this folder, also while a run is going on:'
  report = 'python -m at_jax.report --workdir=<this folder>'
  if len(studies) > 1:
    folders = ' '.join(str(s.folder) for s in studies)
    report = f'python -m at_jax.report --workdir {folders} --out=<this folder>'
  if commands:
    text = (
      'The same command continues an interrupted run where it stopped, and '
      'prints the table of a finished one:\n\n```\n'
      + '\n'.join(commands)
      + f'\n```\n\n{text}'
    )
  return f'{text}\n\n```\n{report}\n```'
