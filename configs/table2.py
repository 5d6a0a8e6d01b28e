"""Table 2 of the paper, mapping functions, and its ablation of groups.

WRN-16-1 taught by WRN-16-2 on CIFAR-10: what an attention map is, and after
which group of blocks it is taken. Ours: not yet measured.
  python train.py --config=configs/table2.py:seeds=5    # 8 rows, one teacher
  python train.py --config=configs/table2.py:rows=alone+sum_2+group3
  python train.py --config=configs/table2.py:tiny       # seconds, no files
Several machines share the table by rows; `python -m at_jax.report` joins them.
"""

from configs import common, methods, networks

# Row: (label, paper's error, settings of `methods.at`).
ROWS = {
  'sum_1': ('F_sum', 7.99, dict(kind='sum_abs', p=1.0)),
  'sum_2': ('F_sum^2', 7.93, dict(kind='sum_pow', p=2.0)),
  'sum_4': ('F_sum^4', 8.09, dict(kind='sum_pow', p=4.0)),
  'max_1': ('F_max^1', 8.08, dict(kind='max_pow', p=1.0)),
  'group1': ('F_sum^2, group 1', 8.11, dict(taps=common.same('group1'))),
  'group2': ('F_sum^2, group 2', 7.96, dict(taps=common.same('group2'))),
  'group3': ('F_sum^2, group 3', 7.97, dict(taps=common.same('group3'))),
}
DEFAULTS = common.SETUP | dict(
  beta=1e3,
  teacher='configs/wrn.py:depth=16;width=2',
)
TINY = 'alone+max_1+group3'


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS, rows='')
  config = common.taught(arg, networks.wrn(16, 1, tiny=arg.tiny))
  theirs = common.is_paper(arg, DEFAULTS)
  rows = {'alone': _row('alone', 8.77, methods.alone(), theirs)}
  for name, (label, error, settings) in ROWS.items():
    rows[name] = _row(label, error, methods.at(arg.beta, **settings), theirs)
  wanted = arg.rows or (TINY if arg.tiny else '')
  config.rows = common.dotted(common.select(rows, wanted))
  config.baseline = 'alone' if 'alone' in config.rows else ''
  return config


def _row(label, error, objective, theirs):
  paper = error if theirs else 0.0
  return {'label': label, 'paper': paper, 'objective': objective}
