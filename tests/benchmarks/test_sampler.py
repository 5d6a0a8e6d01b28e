"""The sampler's benchmark: its command in a tiny form, its table on numbers."""

import json

import numpy as np
import pytest

from benchmarks import sampler, sampler_run

TINY = '--batch=2 --size=24 --map_size=5 --out_size=10 --seconds=0.01'


@pytest.fixture
def in_process(monkeypatch):
  """Ways are measured here, to start no interpreter for each."""

  def run_module(module, settings, python=None):
    if module == 'benchmarks.workload':
      return {'platform': 'cpu', 'name': 'a cpu'}
    assert module == 'benchmarks.sampler_run'
    return sampler_run.measure(json.loads(json.dumps(settings)))

  monkeypatch.setattr(sampler, 'run_module', run_module)


def without_torch(*_):
  return None, 'No PyTorch.'


def test_the_command_measures_all_ways_of_jax(
  in_process, monkeypatch, tmp_path, capsys
):
  monkeypatch.setattr(sampler, 'look_at_torch', without_torch)
  out = tmp_path / 'sampler.json'
  arguments = f'{TINY} --rounds=1 --all --out={out}'.split()
  assert sampler.main(arguments) == 0
  whole = json.loads(out.read_text())
  names = [one['name'] for one in whole['measurements']]
  assert names == [
    'attention_sample',
    'map_coordinates',
    'bilinear_sample',
    'at_jax, gathers',
    'at_jax, products',
  ]
  for one in whole['measurements']:
    assert one['images_per_second'] == one['images'] / one['seconds']
    assert one['images'] % 2 == 0 and one['peak_memory'] > 1e6
  assert whole['torch'] == 'No PyTorch.' and 'out' not in whole['flags']
  printed = capsys.readouterr().out
  assert 'round 1 of 1, map_coordinates: ' in printed
  assert len(printed.splitlines()[-7:]) == 2 + len(names)


def test_torch_samples_the_same():
  pytest.importorskip('torch')
  settings = dict(
    batch=2, size=24, map_size=5, out_size=10, seconds=0.01, device='cpu'
  )
  ours, *others = (
    sampler_run.measure(settings | way)['checksum'] for way in sampler.WAYS
  )
  np.testing.assert_allclose(others, ours, rtol=1e-5)


def measured(name, number, rate, checksum=2.0, **settings):
  return settings | dict(
    name=name,
    round=number,
    images_per_second=rate,
    per_core=rate / 2,
    peak_memory=2**20,
    checksum=checksum,
  )


def test_medians_and_ratios_by_hand():
  given = dict(ours='bilinear_sample')
  rows = sampler.summarise(
    [
      measured('attention_sample', 1, 400.0),
      measured('map_coordinates', 1, 100.0),
      measured('bilinear_sample', 1, 900.0, **given),
      measured('grid_sample, grid given', 1, 450.0, **given),
      measured('attention_sample', 2, 600.0),
      measured('map_coordinates', 2, 300.0),
      dict(name='grid_sample', round=1, failed='why'),
    ]
  )
  assert rows['attention_sample']['images_per_second'] == 500
  assert rows['map_coordinates']['ratio_images_per_second'] == 3
  assert rows['grid_sample, grid given']['ratio_per_core'] == 2
  assert sampler.table(rows).splitlines()[2:] == [
    '| attention_sample | 500 | 250 | – | – | 1 | – |',
    '| map_coordinates | 200 | 100 | 3.00 | 3.00 | 1 | 1.00 |',
    '| bilinear_sample | 900 | 450 | – | – | 1 | – |',
    '| grid_sample, grid given | 450 | 225 | 2.00 | 2.00 | 1 | 1.00 |',
  ]


def test_other_samples_are_no_comparison():
  with pytest.raises(ValueError, match='grid_sample samples something else'):
    sampler.summarise(
      [
        measured('attention_sample', 1, 400.0),
        measured('grid_sample', 1, 100.0, checksum=2.01),
      ]
    )


def test_a_failure_shows_in_the_exit_code(monkeypatch, capsys):
  def run_module(module, settings, python=None):
    if module == 'benchmarks.workload':
      return {'platform': 'cpu', 'name': 'a cpu'}
    if settings['way'] == 'map_coordinates':
      return {'failed': 'RuntimeError: why'}
    return measured('', 0, 10.0)

  monkeypatch.setattr(sampler, 'run_module', run_module)
  monkeypatch.setattr(sampler, 'look_at_torch', without_torch)
  monkeypatch.setattr(sampler, 'summarise', lambda measurements: {})
  assert sampler.main(['--rounds=1']) == 1
  assert 'map_coordinates: RuntimeError: why' in capsys.readouterr().out


@pytest.mark.parametrize('flag', ['--rounds=0', '--seconds=-1', '--batch=0'])
def test_flags_must_be_positive(flag, capsys):
  with pytest.raises(SystemExit):
    sampler.parse([flag])
  assert 'must be positive' in capsys.readouterr().err
