"""Table 1 of the paper: CIFAR-10, four pairs of networks, four ways to teach.

Rows: every student alone, and for each pair (student, teacher) AT, F-ActT, KD
and AT+KD; each way's settings are those of `wrn_at.py` and its neighbours. A
difference is to the same student alone. Ours: not yet measured.
  python train.py --config=configs/table1.py:seeds=5      # 19 rows, 4 teachers
  python train.py --config=configs/table1.py:rows=wrn_16_1_from_wrn_16_2
  python train.py --config=configs/table1.py:rows=nin_96+nin_96_from_nin_192_at
  python train.py --config=configs/table1.py:tiny         # seconds, no files
A pair's name stands for its student and its four rows. Several machines share
the table by rows: `python -m at_jax.report --workdir A B` joins their workdirs.
"""

from configs import common, methods, networks

# Name: (config.model's function, its arguments, paper's error alone).
STUDENTS = {
  'nin_96': (networks.nin, (96,), 9.38),
  'wrn_16_1': (networks.wrn, (16, 1), 8.77),
  'wrn_16_2': (networks.wrn, (16, 2), 6.31),
}
# (student, teacher): the paper's errors with AT, F-ActT, KD, AT+KD.
PAIRS = {
  ('nin_96', 'nin_192'): (8.93, 9.05, 8.55, 8.33),
  ('wrn_16_1', 'wrn_16_2'): (7.93, 8.51, 7.41, 7.51),
  ('wrn_16_1', 'wrn_40_1'): (8.25, 8.62, 8.39, 8.01),
  ('wrn_16_2', 'wrn_40_2'): (5.85, 6.24, 6.08, 5.71),
}
TEACHERS = {
  'nin_192': 'configs/nin.py:width=192',
  'wrn_16_2': 'configs/wrn.py:depth=16;width=2',
  'wrn_40_1': 'configs/wrn.py:depth=40;width=1',
  'wrn_40_2': 'configs/wrn.py:depth=40;width=2',
}
METHODS = {
  'at': ('AT', methods.at()),
  'activation': ('F-ActT', methods.activation()),
  'kd': ('KD', methods.kd()),
  'at_kd': ('AT+KD', methods.at_kd()),
}
TINY = 'wrn_16_1+wrn_16_1_from_wrn_16_2_activation'


def get_config(arg=None):
  arg = common.parse_arg(arg, **common.SETUP, rows='')
  config = common.setup(arg)
  theirs = common.is_paper(arg, common.SETUP)
  rows = {}
  for name in STUDENTS:
    rows[name] = _alone(name, arg.tiny, theirs)
  for student, teacher in PAIRS:
    rows |= _taught(student, teacher, arg.tiny, theirs)
  wanted = arg.rows or (TINY if arg.tiny else '')
  config.rows = common.dotted(common.select(rows, _expanded(wanted)))
  return config


def _alone(student, tiny, theirs):
  model, arguments, error = STUDENTS[student]
  return {
    'label': _shown(student),
    'paper': error if theirs else 0.0,
    'model': model(*arguments, tiny=tiny),
    'objective': methods.alone(),
  }


def _taught(student, teacher, tiny, theirs):
  rows = {}
  for (key, (label, objective)), error in zip(
    METHODS.items(), PAIRS[student, teacher], strict=True
  ):
    rows[f'{student}_from_{teacher}_{key}'] = _alone(student, tiny, False) | {
      'label': f'{_shown(student)} ← {_shown(teacher)}, {label}',
      'paper': error if theirs else 0.0,
      'baseline': student,
      'teacher.config': TEACHERS[teacher],
      'objective': objective,
    }
  return rows


def _shown(name):
  """WRN-16-1 for wrn_16_1."""
  return name.upper().replace('_', '-')


def _expanded(names):
  """Pairs replaced by their student and its four rows."""
  pairs = {f'{s}_from_{t}': s for s, t in PAIRS}
  wanted = []
  for name in filter(None, names.split('+')):
    if name in pairs:
      wanted += [pairs[name], *(f'{name}_{method}' for method in METHODS)]
    else:
      wanted.append(name)
  return '+'.join(wanted)
