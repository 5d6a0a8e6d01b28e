"""Every config's `:tiny` form runs: its runs, its table, its pictures."""

import json

import pytest
from helpers import Quiet, one_device

from at_jax import report
from at_jax.train.config import HELPERS, ROOT, load_config, row_names
from at_jax.train.study import run_study

NAMES = sorted(
  path.stem
  for path in (ROOT / 'configs').glob('[a-z]*.py')
  if f'configs/{path.name}' not in HELPERS
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """One for all configs, so that they share their teacher."""
  return tmp_path_factory.mktemp('runs')


@pytest.mark.parametrize('name', NAMES)
def test_tiny(name, folder):
  config = load_config(f'configs/{name}.py:tiny')
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
