"""What each part of TASN does, on CUB: attention, sampler, teacher, resolution.

Rows `features` to `both`: structure sampling alone, by other maps; `sum`: by
sums in place of maxima; `uniform`, `filtered`: no sampling; `part`: with a part
network, `distil`: which teaches (TASN, the row that others are compared to);
`size_280` to `size_392`: that, seen at other sizes. Ours: not yet measured.
  python train.py --config=configs/tasn_ablation.py
  python train.py --config=configs/tasn_ablation.py:rows=uniform+both+distil
  python train.py --config=configs/tasn_ablation.py:dataset=folder:photos
  python train.py --config=configs/tasn_ablation.py:tiny   # no files
"""

from configs import common, tasn

VARIANTS = {
  'features': 'features X',
  'basic': 'X Xᵀ X',
  'spatial': 'N(X) Xᵀ X',
  'relation': 'N(X Xᵀ) X',
  'both': 'N(N(X) Xᵀ) X',
}
SIZES = (280, 336, 392)


def get_config(arg=None):
  arg = common.parse_arg(arg, **tasn.SETUP, rows='')
  config = tasn.setup(arg)
  wanted = arg.rows or ('relation+distil' if arg.tiny else '')
  config.rows = common.dotted(common.select(_rows(arg), wanted))
  config.baseline = 'distil' if 'distil' in config.rows else ''
  return config


def _rows(arg):
  def row(label, objective, **changes):
    model = tasn.network(arg, preset=arg.preset, **changes)
    return {'label': label, 'model': model, 'objective': objective}

  alone = tasn.alone(arg.preset)
  parts = tasn.objective(preset=arg.preset, distil=0.0)
  whole = tasn.taught(arg.preset)
  lonely = dict(part=False)
  rows = {
    name: row(f'structure by {label}', alone, variant=name, **lonely)
    for name, label in VARIANTS.items()
  }
  rows['sum'] = row('sums as marginals', alone, marginal='sum', **lonely)
  rows['uniform'] = row('plain resize', alone, sampler='uniform', **lonely)
  rows['filtered'] = row('averaging', alone, sampler='filtered', **lonely)
  rows['part'] = row('with part network', parts)
  rows['distil'] = row('with distillation', whole)
  for size in SIZES:
    own = {} if arg.tiny else dict(sampled_size=size)
    rows[f'size_{size}'] = row(f'distillation, {size}', whole, **own)
  return rows
