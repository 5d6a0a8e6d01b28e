"""Weights beside results: they are those of the results, and make pictures."""

import json
import pathlib

import numpy as np
import pytest

from at_jax.evaluate import evaluate
from at_jax.train.weights import load_weights
from at_jax.visualize.__main__ import main as visualize

RESULTS = pathlib.Path(__file__).resolve().parents[2] / 'results'
KEPT = sorted(path.parent for path in RESULTS.rglob('weights/model.json'))
DIGITS = RESULTS / '2026-11-29_digits_at'


def test_there_are_some():
  found = {
    path.relative_to(RESULTS).parts[0].partition('_')[2] for path in KEPT
  }
  assert found == {'digits_at', 'tasn_glyphs', 'triple_canvases'}


@pytest.mark.parametrize(
  'folder', KEPT, ids=lambda path: str(path.relative_to(RESULTS))
)
def test_they_are_whole(folder):
  weights = load_weights(folder)
  params = weights.variables['params']
  result = json.loads((folder.parent / 'result.json').read_text())
  sizes = [np.size(x) for x in _leaves(params)]
  assert sum(sizes) == result['parameters']


def _leaves(tree):
  if not isinstance(tree, dict):
    return [tree]
  return [leaf for part in tree.values() for leaf in _leaves(part)]


def test_they_have_the_error_of_the_result():
  run = DIGITS / 'at/seed0'
  result = json.loads((run / 'result.json').read_text())
  found = evaluate(run)
  assert abs(found['error'] - result['test_error']) < 0.3  # 2 of 797


def test_the_picture_of_the_readme(tmp_path, capsys):
  out = f'--out={tmp_path}'
  what = ['--rows=all', '--what=maps', '--taps=group2', '--count=1']
  visualize([f'--workdir={DIGITS}', *what, out])
  assert (tmp_path / 'test0_maps.png').stat().st_size < 300_000
  found = json.loads((tmp_path / 'similarity.json').read_text())['cosine']
  kept = {'alone': 0.67, 'at': 0.96, 'kd': 0.77, 'at_kd': 0.82}  # it says so
  assert found.keys() == kept.keys()
  for row, value in kept.items():
    assert found[row]['group2'] == pytest.approx(value, abs=0.02)
