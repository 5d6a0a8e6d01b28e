"""Every config's `:tiny` form runs: its runs, its table, its pictures."""

import json

import numpy as np
import pytest
from helpers import Quiet, one_device
from small_networks import SmallNIN, SmallRAN, SmallTASN, SmallWRN

from at_jax import pictures, report
from at_jax.models import MODELS
from at_jax.pictures import masks
from at_jax.train.config import HELPERS, ROOT, load_config, row_names
from at_jax.train.study import run_study

NAMES = sorted(
  path.stem
  for path in (ROOT / 'configs').glob('[a-z]*.py')
  if f'configs/{path.name}' not in HELPERS
)

WITH_GRADIENTS = (
  'digits_grad_at',
  'nin_grad_at',
  'nin_min_l2',
  'nin_symmetry',
  'table3',
)


SMALL = {
  'cifar_resnet': SmallWRN,
  'nin': SmallNIN,
  'ran_cifar': SmallRAN,
  'tasn': SmallTASN,
  'wrn': SmallWRN,
}
# The real ones compile for long, and are tested in tests/models: of each kind
# these train, none of which has a teacher to share; a real WRN does in
# test_train_command.py.
REAL = {
  'cifar_resnet': ('cifar_resnet',),
  'nin': ('nin', 'nin_min_l2'),
  'tasn': ('tasn_glyphs',),
}

# Rows that other configs have too are left out.
FEWER = {
  'a3net_ablation': ',rows=backbone',
  'digits_at': ',rows=alone+at_kd',
  'triple_canvases': ',rows=ca',
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """One for all configs, so that they share their teacher."""
  return tmp_path_factory.mktemp('runs')


def rendered_in_a_hurry(figure, dpi, render=pictures._render):
  """Everything is drawn, but small and where it happens to be."""
  figure.set_layout_engine('none')
  return render(figure, dpi / 5)


@pytest.mark.parametrize('name', NAMES)
def test_tiny(name, folder, monkeypatch):
  for model, small in SMALL.items():
    if name not in REAL.get(model, ()):
      monkeypatch.setitem(MODELS, model, small)
  if name != 'ran_digits':  # one stands for all: drawing takes seconds
    monkeypatch.setattr(masks, 'draw_masks', lambda *_, **__: None)
    monkeypatch.setattr(pictures, '_render', rendered_in_a_hurry)
  config = load_config(f'configs/{name}.py:tiny{FEWER.get(name, "")}')
  workdir = folder / name
  run_study(
    config,
    workdir,
    name=name,
    arguments='tiny',
    console=Quiet(),
    mesh=one_device(),
  )
  table = report.write_report(workdir)
  result = json.loads((workdir / 'result.json').read_text())
  assert list(result['rows']) == row_names(config)
  for row in result['rows'].values():
    assert row['n'] == config.seeds and 0 <= row['median'] <= 100
    assert row['label'] in table
    assert row['images_per_second'] > 0 and row['peak_memory_mb'] > 100
  snapshots = [np.load(path) for path in workdir.glob('*/seed*/attention.npz')]
  gradients = ['after/input gradient' in arrays for arrays in snapshots]
  # Of every row as soon as one row reads them: to be compared.
  assert gradients == len(snapshots) * [name in WITH_GRADIENTS]
  for picture in ('curves.png', 'attention.png'):
    assert (workdir / picture).read_bytes().startswith(b'\x89PNG')


def test_teachers_are_shared_between_configs(folder):
  taught = [n for n in NAMES if load_config(f'configs/{n}.py').teacher.config]
  hashes = {
    json.loads((folder / name / 'teachers.json').read_text())[0]['hash']
    for name in taught
    if name.startswith('wrn')
  }
  assert len(hashes) == 1
