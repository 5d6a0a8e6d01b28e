import subprocess
import sys

import ml_collections
import numpy as np
import pytest

from at_jax.data import RESIZABLE, SOURCES, load_dataset
from at_jax.data.settings import Settings


def test_a_config_is_read_and_other_fields_are_left_alone():
  config = ml_collections.ConfigDict(
    dict(
      name='digits',
      dir='',
      validation=200,
      train_examples=100,
      size=16,
      channels=3,
      skip_damaged=False,
      flip=False,
    )
  )
  data = load_dataset(config.lock())
  assert data.train.images.shape == (100, 16, 16, 3)
  assert (len(data.validation), len(data.test)) == (200, 797)
  np.testing.assert_array_equal(np.bincount(data.train.labels), [10] * 10)
  assert data.fingerprint == load_dataset(config.to_dict()).fingerprint


def test_the_cuts_of_one_size_are_the_cuts_of_another():
  fields = dict(name='digits', validation=100, train_examples=50)
  small, large = load_dataset(fields), load_dataset(fields | {'size': 12})
  for name in small.splits:
    np.testing.assert_array_equal(
      small.splits[name].labels, large.splits[name].labels
    )


def test_unknown_name_names_the_nearest_and_all():
  with pytest.raises(ValueError, match="mean 'cifar10[0]*'") as caught:
    load_dataset({'name': 'cifar01'})
  for name in SOURCES:
    assert name in str(caught.value)
  with pytest.raises(ValueError, match="Unknown dataset 'qqq'. There are: "):
    load_dataset({'name': 'qqq'})


@pytest.mark.parametrize('name', sorted(set(SOURCES) - set(RESIZABLE)))
@pytest.mark.parametrize('field', ['size', 'channels'])
def test_others_are_not_resized(name, field, tmp_path):
  with pytest.raises(ValueError, match=f'data.{field}=3.*{name}.*digits'):
    load_dataset({'name': name, 'dir': str(tmp_path), field: 3})


@pytest.mark.parametrize('value', [-1, 1.5, '3', True])
@pytest.mark.parametrize('field', ['validation', 'train_examples', 'size'])
def test_numbers_are_whole_and_not_negative(field, value):
  with pytest.raises(ValueError, match=f'data.{field} must be a whole'):
    load_dataset({'name': 'digits', field: value})


def test_too_large_cuts_name_the_numbers():
  with pytest.raises(ValueError, match='=600.*=500.*1100.*1000'):
    load_dataset({'name': 'digits', 'validation': 600, 'train_examples': 500})


def test_missing_name():
  with pytest.raises(ValueError, match='data.name is missing'):
    load_dataset({'dir': '/'})


def test_folder_has_a_default_and_expands_the_home(monkeypatch, tmp_path):
  monkeypatch.setenv('HOME', str(tmp_path))
  home = Settings(name='x', dir='~/somewhere').folder
  assert home == tmp_path / 'somewhere'
  assert Settings(name='x').folder == tmp_path / 'tensorflow_datasets'


def test_import_is_light():
  heavy = 'tensorflow tensorflow_datasets sklearn PIL pooch requests'.split()
  code = (
    'import sys, at_jax.data; '
    f'print([m for m in {heavy!r} if m in sys.modules])'
  )
  done = subprocess.run(
    [sys.executable, '-c', code],
    capture_output=True,
    text=True,
    check=True,
    env={'PYTHONPATH': ':'.join(filter(None, sys.path))},
  )
  assert done.stdout.strip() == '[]'
