"""Runs that begin with weights: whole, of a submodule, with a new head."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from small_networks import (
  assert_trees_equal,
  variables_of,
  wrn_network,
)

from at_jax.train.start import find_start
from at_jax.train.weights import load_weights, save_weights

NAMES = tuple('0123456789')


def network(classes=10, width=1, **kwargs):
  found = wrn_network(width=width, num_classes=classes)
  return dataclasses.replace(found, **kwargs)


def saved(folder, seed=1, classes=10, **kwargs):
  """A weights folder; returns it and its variables."""
  own = network(classes, **kwargs)
  variables = variables_of(own, seed)
  save_weights(
    folder,
    network=own,
    model=dict(
      name='wrn', depth=10, width=own.model.width, num_classes=classes
    ),
    variables=variables,
    class_names=NAMES[:classes],
  )
  return folder, jax.tree.map(np.asarray, variables)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  return saved(tmp_path_factory.mktemp('start') / 'weights')


def test_no_start_changes_nothing():
  start = find_start({}, network())
  assert (start.variables, start.digests, start.notes) == ({}, {}, ())
  variables = variables_of(network(), 5)
  assert_trees_equal(start.apply(variables), variables)


def test_whole_network(weights):
  folder, variables = weights
  start = find_start({'': str(folder)}, network())
  assert_trees_equal(start.apply(variables_of(network(), 5)), variables)
  assert start.digests == {'': load_weights(folder).digest}
  assert start.notes == ()


def test_head_of_another_size_begins_anew(weights):
  folder, variables = weights
  own = variables_of(network(7), 5)
  start = find_start({'': folder}, network(7))
  got = start.apply(own)
  head, others = got['params'].pop('head'), dict(variables['params'])
  others.pop('head')
  assert_trees_equal(got['params'], others)
  assert_trees_equal(got['batch_stats'], variables['batch_stats'])
  assert_trees_equal(head, own['params']['head'])
  (note,) = start.notes
  assert note.startswith('start: head begins anew, it has another size in ')


def test_submodule_and_order(tmp_path, weights):
  """Wrapped one level down; later entries overwrite earlier ones."""
  folder, variables = weights
  inner = network()
  shapes = {
    kind: {'backbone': tree, 'other': tree}
    for kind, tree in inner.variable_shapes.items()
  }

  @dataclasses.dataclass(frozen=True)
  class Outer:
    variable_shapes: dict
    mean: tuple = inner.mean
    std: tuple = inner.std
    label: str = 'outer'

  outer = Outer(shapes)
  own = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
  got = find_start({'backbone': folder}, outer).apply(own)
  for kind in got:
    assert_trees_equal(got[kind]['backbone'], variables[kind])
    assert_trees_equal(got[kind]['other'], own[kind]['other'])

  another, second = saved(tmp_path / 'second', seed=2)
  start = find_start({'backbone': folder, 'other': another}, outer)
  assert start.digests.keys() == {'backbone', 'other'}
  got = start.apply(own)
  assert_trees_equal(got['params']['other'], second['params'])
  assert_trees_equal(got['params']['backbone'], variables['params'])


def test_other_normalisation_is_said(weights):
  folder, _ = weights
  start = find_start({'': folder}, network(mean=(0.0,), std=(255.0,)))
  (note,) = start.notes
  assert 'was trained on images of mean (120.0, 130.0, 110.0)' in note
  assert 'this run uses mean (0.0,) and std (255.0,)' in note


def test_weights_that_do_not_fit(weights):
  folder, _ = weights
  with pytest.raises(ValueError, match='do not fit WRN-10-2') as error:
    find_start({'': folder}, network(width=2))
  text = str(error.value)
  assert 'batch_stats/bn/mean: (64,) there, (128,) here\n' in text
  assert re.search(r'\n  and \d\d more\n.*the path of the submodule', text)
  with pytest.raises(ValueError, match="WRN-10-1 at 'backbone'.*") as error:
    find_start({'backbone': folder}, network())
  assert 'backbone/bn/mean: (64,) there, nothing here' in str(error.value)


def test_missing_folder(tmp_path):
  said = (
    'No weights folder at .*nowhere.*at_jax.convert.*, start= .*from scratch'
  )
  with pytest.raises(FileNotFoundError, match=said):
    find_start({'': tmp_path / 'nowhere'}, network())
