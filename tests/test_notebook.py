"""The Colab notebook: made of its script, and its cells run."""

import ast
import importlib.metadata
import json
import os
import pathlib
import re
import runpy
import subprocess
import sys
import types
import warnings

import jax
import jupytext
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = ROOT / 'notebooks' / 'at_colab.py'
NOTEBOOK = SCRIPT.with_suffix('.ipynb')
TEXT = SCRIPT.read_text()
CELLS = [
  cell.source
  for cell in jupytext.reads(TEXT, fmt='py:percent').cells
  if cell.cell_type == 'code'
]


def run(cells, scope):
  for cell in cells:
    exec(compile(cell, cell.partition('\n')[0], 'exec'), scope)
  return scope


@pytest.fixture
def process(monkeypatch):
  """Puts back what cells change of the process."""
  monkeypatch.chdir(ROOT / 'notebooks')
  monkeypatch.setattr(sys, 'path', [*sys.path])
  monkeypatch.setattr(os, 'environ', os.environ.copy())
  return monkeypatch


def test_notebook_is_what_the_script_makes():
  make = runpy.run_path(str(SCRIPT.with_name('make.py')))
  assert NOTEBOOK.read_text() == make['notebook'](TEXT), (
    'run python notebooks/make.py'
  )


def test_notebook_holds_no_outputs_and_asks_for_a_tpu():
  notebook = json.loads(NOTEBOOK.read_text())
  cells = [c for c in notebook['cells'] if c['cell_type'] == 'code']
  assert 0 < len(cells) <= 15
  for cell in cells:
    assert cell['outputs'] == [] and cell['execution_count'] is None
  assert notebook['metadata']['accelerator'] == 'TPU'


def test_text_stands_before_every_cell_but_pictures():
  kinds = [c.cell_type[0] for c in jupytext.reads(TEXT, fmt='py:percent').cells]
  assert kinds[0] == 'm' and ''.join(kinds).count('cc') <= 1


def test_no_path_of_a_machine():
  assert not re.search(r'["\'( ](/(home|root|tmp|work|Users)\b|~/)', TEXT)


def test_links_into_the_repository_lead_somewhere():
  paths = re.findall(r'at_jax/blob/main/(\S+?)[)\s]', TEXT)
  assert len(paths) > 4
  for path in paths:
    assert (ROOT / path).is_file(), path


def test_imported_names_exist():
  found = [
    (node.module, alias.name)
    for node in ast.walk(ast.parse(TEXT))
    if isinstance(node, ast.ImportFrom) and node.module.startswith('at_jax')
    for alias in node.names
  ]
  assert ('at_jax', 'kd_divergence') in found
  for module, name in found:
    owner = importlib.import_module(module)
    assert hasattr(owner, name) or importlib.import_module(f'{module}.{name}')


def test_code_is_cloned_where_there_is_none(process, tmp_path):
  calls = []

  def clone(command, check):
    calls.append(command)
    package = pathlib.Path(command[-1]) / 'at_jax'
    package.mkdir(parents=True)
    (package / '__init__.py').touch()

  process.chdir(tmp_path)
  process.setattr(subprocess, 'run', clone)
  for _ in range(2):  # the second time it is there
    process.chdir(tmp_path)
    scope = run(CELLS[:1], {})
    assert scope['code'] == pathlib.Path.cwd() == tmp_path / 'at_jax'
  assert len(calls) == 1 and calls[0][:2] == ['git', 'clone']
  assert scope['REPOSITORY'] in calls[0]


@pytest.mark.parametrize(
  'changes, wanted',
  [
    # A JAX that fits must be the one there after pip has run.
    (
      {'rich': None, 'flax': '0.1', 'jax': '0.10.1', 'jaxlib': '0.10.0'},
      ['flax>=0.12.6', 'rich>=13', 'jax==0.10.1', 'jaxlib==0.10.0'],
    ),
    # One that does not comes with the driver of the old one.
    ({'jax': '0.7.2', 'libtpu': '0.0.2'}, ['jax[tpu]<0.13,>=0.10.0']),
    (
      {'jax': '0.13.1', 'jax-cuda12-plugin': '0.13'},
      ['jax[cuda12]<0.13,>=0.10.0'],
    ),
  ],
)
def test_only_what_is_missing_is_installed(process, capsys, changes, wanted):
  calls = []
  lines = (ROOT / 'requirements.txt').read_text().splitlines()
  names = [re.split('[>=<]', line)[0] for line in lines if line[0] != '#']
  # As if everything were new, but for the changes.
  have = dict.fromkeys(names, '999') | {'jax': '0.10.2', 'jaxlib': '0.10.2'}
  have |= changes

  def version(name):
    if have.get(name) is None:
      raise importlib.metadata.PackageNotFoundError(name)
    return have[name]

  process.chdir(ROOT)
  process.setattr(importlib.metadata, 'version', version)
  process.setattr(subprocess, 'run', lambda *a, **_: calls.append(a[0]))
  scope = {
    name: sys.modules[name]
    for name in ('importlib', 'pathlib', 'subprocess', 'sys')
  }
  # jax is imported here already: without a restart the old one would be used.
  with pytest.raises(SystemExit, match='Restart'):
    run(CELLS[1:2], scope)
  ((_, _, *command),) = calls
  assert command == ['pip', 'install', '-q', *wanted]
  assert 'Installing' in capsys.readouterr().out


@pytest.mark.parametrize('backend', ['tpu', 'cpu'])
def test_without_cifar_the_tiny_form_runs_and_it_is_said(backend, capsys):
  trained = []

  def train(spec):
    trained.append(spec)
    if not spec.endswith(':tiny'):
      raise FileNotFoundError('CIFAR-10 is not here')
    return 'workdir'

  (cell,) = (cell for cell in CELLS if 'TINY, CIFAR' in cell)
  device = types.SimpleNamespace(default_backend=lambda: backend)
  scope = run([cell], dict(FAST=False, jax=device, train=train))
  assert scope['cifar'] == 'workdir'
  output = capsys.readouterr().out
  if backend == 'cpu':
    assert trained == [scope['TINY']] and 'The tiny form' in output
  else:
    assert trained == [scope['CIFAR'], scope['TINY']]
    assert output.startswith('CIFAR-10 is not here') and 'upload' in output


def test_every_cell_runs(process, small_wrn, tmp_path, capsys):
  from absl import logging
  from matplotlib import pyplot

  process.setenv('AT_JAX_NOTEBOOK_FAST', '1')
  process.setattr('tempfile.tempdir', str(tmp_path))
  # The reader's own loop broadcasts as everybody does.
  before = jax.config.jax_numpy_rank_promotion, logging.get_verbosity()
  jax.config.update('jax_numpy_rank_promotion', 'allow')
  pyplot.switch_backend('agg')
  try:
    with warnings.catch_warnings():
      warnings.filterwarnings('ignore', message='FigureCanvasAgg')
      scope = run(CELLS, {'__name__': '__main__'})
    figures = pyplot.get_fignums()
  finally:
    pyplot.close('all')
    jax.config.update('jax_numpy_rank_promotion', before[0])
    logging.set_verbosity(before[1])
  output = capsys.readouterr().out
  assert 'Everything is here.' in output
  assert len(figures) == 3
  assert output.count('display.Markdown') == 2
  assert output.count('display.Image') == 6
  for name in ('digits', 'cifar'):
    assert scope[name].is_relative_to(tmp_path)
    assert '| AT ' in (scope[name] / 'report.md').read_text()
  distance = scope['history'][:, 1]  # without AT it stays where it is
  assert len(distance) == 5 and 0 < distance[-1] < 0.7 * distance[0]
  assert scope['sampled'].shape == scope['pixels'].shape
  assert len(list((tmp_path).glob('*/seen/*_maps.png'))) == 2
