"""`--what=gradients`: whose gradients, of which class, drawn where."""

import jax
import numpy as np
from visualize_study import Some, forward

from at_jax.data.augment import normalise
from at_jax.losses import cross_entropy
from at_jax.visualize.gradients import SIZE, SUM, show_gradients
from at_jax.visualize.networks import find_columns


def test_gradients_are_those_of_the_class(study, tmp_path, calls):
  columns = find_columns([study], 'at')
  for column in columns:  # sure of nothing, so that gradients are exact
    params = column.weights.variables['params']
    params['head'] = jax.tree.map(lambda x: 0.1 * x, params['head'])
  lines = show_gradients(columns, Some(label=2), tmp_path)
  show_gradients(columns, Some(label=2), tmp_path, label=True)
  for _, title, bands, drawn, _ in calls:
    assert title == 'title x0 · cos: with teacher WRN-16-2'
    assert [band.name for band in bands] == [SUM, SIZE]
    assert [band.styles for band in bands] == [('signed',), ('overlay',)]
    for column, one in zip(columns, drawn, strict=True):
      chances, _ = forward(column, one.image)
      best = int(np.argmax(chances))
      own = 2 if drawn is calls[1][3] else best
      note = f'; gradient of c ({chances[2]:.2f})' if own != best else ''
      assert one.said == f'{"abc"[best]} ({chances[best]:.2f}){note}'
      network, variables = column.network, column.weights.variables

      def loss(pixels, network=network, variables=variables, own=own):
        seen = normalise(pixels, network.mean, network.std)
        logits, _ = network.apply(variables, seen)
        return cross_entropy(logits, np.array([own]))[0]

      want = jax.grad(loss)(one.image[None].astype(np.float32))[0]
      size = np.abs(want).max()
      close = dict(rtol=1e-3, atol=1e-3 * size)
      np.testing.assert_allclose(one.maps[SUM], want.sum(-1), **close)
      np.testing.assert_array_equal(one.maps[SIZE], np.abs(one.maps[SUM]))
      assert size > 1e-5
  saved = np.load(tmp_path / 'x0_gradients.npz')
  assert saved['at/input gradient'].shape == (8, 8, 3)
  a, b = (saved[f'{n}/input gradient'] for n in ('at', 'teacher'))
  want = np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
  np.testing.assert_allclose(
    saved['cosine/at/input gradient'], want, rtol=1e-4, atol=1e-6
  )
  assert [int(saved[f'class/{n}']) for n in ('at', 'teacher')] == [2, 2]
  assert lines[0][1] == 'input gradient'


def test_labels_that_a_network_does_not_know(study, tmp_path, calls):
  columns = find_columns([study / 'at/seed0'])
  for label in (2, np.array([1, 0, 1]), None):
    images = Some(label=label, class_names='xyz')
    assert show_gradients(columns, images, tmp_path, label=True) == []
  assert len({one.said for _, _, _, (one,), _ in calls}) == 1
  assert 'gradient of' not in calls[0][3][0].said


def test_the_label_of_data_with_other_classes(study, tmp_path, calls):
  columns = find_columns([study / 'at/seed0'])
  for names in ('xbc', 'xyb', 'bxy'):  # label 2 is 'c', 'b', 'y'
    images = Some(label=2, class_names=names)
    show_gradients(columns, images, tmp_path, label=True)
  said = [one.said for _, _, _, (one,), _ in calls]
  best = said[2].split(' ')[0]
  for own, one in zip('cb', said, strict=False):
    assert one.startswith(best)
    assert (own == best) or f'gradient of {own} ' in one
  assert 'gradient of' not in said[2]
