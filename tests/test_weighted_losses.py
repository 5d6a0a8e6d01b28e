"""Weighted cross-entropies: by hand, NumPy, PyTorch, extremes, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import at_jax
from at_jax.losses import cross_entropy

LABELS = np.array([2, 0, 4, 2])
WEIGHTS = np.array([1.0, 2.0, 3.0, 5.0, 0.5], np.float32)
POSITIVE = np.array([0.9, 0.5, 2.0, 7.0, 0.0], np.float32)
NEGATIVE = np.array([0.1, 0.5, 3.0, 1.0, 4.0], np.float32)


def logits(seed=0, scale=3.0):
  values = np.random.default_rng(seed).standard_normal((4, 5))
  return (scale * values).astype(np.float32)


def many_labels():
  return np.random.default_rng(9).integers(0, 2, (4, 5))


def single(x, labels=LABELS, weights=WEIGHTS):
  return at_jax.weighted_cross_entropy(x, labels, weights)


def multi(x, labels=None, positive=POSITIVE, negative=NEGATIVE):
  labels = many_labels() if labels is None else labels
  return at_jax.weighted_sigmoid_cross_entropy(x, labels, positive, negative)


def reference_single(x):
  x = np.asarray(x, np.float64)
  total = np.log(np.exp(x).sum(axis=1))
  return WEIGHTS[LABELS] * (total - x[np.arange(4), LABELS])


def reference_multi(x, labels):
  p = 1 / (1 + np.exp(-np.asarray(x, np.float64)))
  wanted = np.zeros((4, 5))
  for i, c in np.ndindex(4, 5):
    wanted[i, c] -= POSITIVE[c] * labels[i, c] * np.log(p[i, c])
    wanted[i, c] -= NEGATIVE[c] * (1 - labels[i, c]) * np.log(1 - p[i, c])
  return wanted


def test_by_hand():
  """Probabilities 3/4 and 1/4."""
  x = np.log(np.array([[3.0, 1.0]], np.float32))
  loss = single(x, np.array([1]), np.array([7.0, 2.0]))
  np.testing.assert_allclose(loss, [2 * np.log(4)], rtol=1e-6)
  x = np.log(np.array([[3.0, 1 / 3]], np.float32))
  loss = multi(x, np.ones((1, 2)), np.array([2.0, 5.0]), np.array([11.0, 13.0]))
  wanted = [[2 * np.log(4 / 3), 5 * np.log(4)]]
  np.testing.assert_allclose(loss, wanted, rtol=1e-6)
  loss = multi(
    x, np.zeros((1, 2)), np.array([2.0, 5.0]), np.array([11.0, 13.0])
  )
  wanted = [[11 * np.log(4), 13 * np.log(4 / 3)]]
  np.testing.assert_allclose(loss, wanted, rtol=1e-6)


def test_equals_numpy_and_itself_compiled():
  x = logits()
  for function, wanted in (
    (single, reference_single(x)),
    (multi, reference_multi(x, many_labels())),
  ):
    loss = function(x)
    assert loss.shape == wanted.shape and loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(function)(x), loss, rtol=1e-5, atol=1e-6)


def test_weight_times_loss_not_normalised():
  """Twice the weights, twice the loss; weights of 1 change nothing."""
  x = logits()
  np.testing.assert_allclose(
    single(x, weights=2 * WEIGHTS), 2 * single(x), rtol=1e-6
  )
  np.testing.assert_array_equal(
    single(x, weights=np.ones(5)), cross_entropy(x, LABELS)
  )
  doubled = multi(x, positive=2 * POSITIVE, negative=2 * NEGATIVE)
  np.testing.assert_allclose(doubled, 2 * multi(x), rtol=1e-6)
  one = multi(x, positive=np.ones(5), negative=np.ones(5))
  # A label and its negation exchange when the logit changes sign.
  other = multi(-x, 1 - many_labels(), np.ones(5), np.ones(5))
  np.testing.assert_allclose(one, other, rtol=1e-6)


def test_weights_of_zero_switch_off():
  x, labels = logits(), many_labels()
  lost = multi(x, positive=np.zeros(5))
  assert (np.asarray(lost)[labels == 1] == 0).all()
  kept = (labels == 0) & (NEGATIVE[None] > 0)
  assert (np.asarray(lost)[kept] > 0).all()
  assert (single(x, weights=np.zeros(5)) == 0).all()


def test_slopes_by_their_formulas():
  x, labels = logits(), many_labels()
  slope = jax.grad(lambda x: multi(x).sum())(x)
  p = 1 / (1 + np.exp(-x.astype(np.float64)))
  wanted = NEGATIVE[None] * (1 - labels) * p - POSITIVE[None] * labels * (1 - p)
  np.testing.assert_allclose(slope, wanted, atol=1e-5)
  slope = jax.grad(lambda x: single(x).sum())(x)
  p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
  wanted = WEIGHTS[LABELS][:, None] * (p - np.eye(5)[LABELS])
  np.testing.assert_allclose(slope, wanted, atol=1e-5)


@pytest.mark.parametrize('size', [0.0, 1e4, 1e30, -1e30])
def test_extreme_logits(size):
  x = np.full((4, 5), size, np.float32)
  labels = many_labels()
  right = labels == (size > 0)
  wanted = np.where(labels == 1, POSITIVE[None], NEGATIVE[None]) * (
    np.where(right, 0, np.abs(size)) if size else np.log(2)
  )
  np.testing.assert_allclose(multi(x), wanted, rtol=1e-5)
  x[:, 0] = -size
  for function in (single, multi):
    with jax.debug_nans(True):
      slope = jax.jit(jax.grad(lambda x, f=function: f(x).sum()))(x)
    assert np.isfinite(slope).all() and np.abs(slope).max() <= 7


def test_order_2_against_finite_differences():
  with jax.enable_x64(True):
    x = logits().astype(np.float64)
    for function in (single, multi):
      assert function(x).dtype == np.float64
      check_grads(
        jax.jit(function), (x,), order=2, modes=['rev'], rtol=1e-5, atol=1e-5
      )


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_narrow_types_in_float32_out(dtype):
  x = logits().astype(jnp.dtype(dtype))
  for function, wanted in (
    (single, reference_single(x)),
    (multi, reference_multi(x, many_labels())),
  ):
    assert function(x).dtype == jnp.float32
    np.testing.assert_allclose(function(x), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('dtype', [bool, np.uint8, np.float64, jnp.bfloat16])
def test_labels_of_any_type(dtype):
  labels = many_labels().astype(dtype)
  np.testing.assert_array_equal(multi(logits(), labels), multi(logits()))


def test_soft_labels_lie_between():
  half = multi(logits(), np.full((4, 5), 0.5))
  ends = [multi(logits(), np.full((4, 5), y)) for y in (0, 1)]
  np.testing.assert_allclose(half, (ends[0] + ends[1]) / 2, rtol=1e-6)


def test_examples_and_classes_do_not_see_each_other():
  x = logits()
  before = multi(x)
  x[1, 2] = 99
  changed = np.asarray(multi(x) != before)
  assert changed[1, 2] and changed.sum() == 1
  before = single(logits())
  np.testing.assert_array_equal(np.delete(before - single(x), 1), 0)


def test_vmap():
  x = logits().reshape(2, 2, 5)
  mapped = jax.vmap(at_jax.weighted_cross_entropy, (0, 0, None))(
    x, LABELS.reshape(2, 2), WEIGHTS
  )
  np.testing.assert_allclose(mapped.ravel(), single(logits()), rtol=1e-6)
  mapped = jax.vmap(at_jax.weighted_sigmoid_cross_entropy, (0, 0, None, None))(
    x, many_labels().reshape(2, 2, 5), POSITIVE, NEGATIVE
  )
  np.testing.assert_allclose(
    mapped.reshape(4, 5), multi(logits()), rtol=1e-5, atol=1e-6
  )


@pytest.mark.parametrize(
  'arguments, message',
  [
    (dict(x=np.zeros(5)), r'\[B, K\].*\(5,\)'),
    (dict(labels=LABELS[:3]), 'integer classes of shape'),
    (dict(labels=LABELS * 1.0), 'integer classes of shape'),
    (dict(weights=WEIGHTS[:4]), r'class_weights .*\(5,\), got \(4,\)'),
    (dict(weights=WEIGHTS[LABELS][:, None]), 'class_weights wants one weight'),
    (dict(weights=np.float32(1)), r'class_weights .* got \(\)'),
  ],
)
def test_errors_of_one_label(arguments, message):
  arguments = dict(x=logits()) | arguments
  for function in (single, jax.jit(single)):
    with pytest.raises(ValueError, match=message):
      function(**arguments)


@pytest.mark.parametrize(
  'arguments, message',
  [
    (dict(x=np.zeros((1, 4, 5))), r'\[B, C\].*\(1, 4, 5\)'),
    (dict(labels=LABELS), r'wants shape \[B, C\], got \(4,\)'),
    (dict(labels=np.ones((4, 1))), r'\(4, 1\).*0 or 1 for each class'),
    (dict(positive=POSITIVE[:1]), r'positive_weights .*\(5,\), got \(1,\)'),
    (dict(negative=NEGATIVE[None]), r'negative_weights .* got \(1, 5\)'),
  ],
)
def test_errors_of_many_labels(arguments, message):
  arguments = dict(x=logits()) | arguments
  for function in (multi, jax.jit(multi)):
    with pytest.raises(ValueError, match=message):
      function(**arguments)


def test_pytorch_computes_the_same():
  torch = pytest.importorskip('torch')
  functional = torch.nn.functional
  x, labels = logits(), many_labels()
  theirs = functional.cross_entropy(
    torch.tensor(x),
    torch.tensor(LABELS),
    torch.tensor(WEIGHTS),
    reduction='none',
  )
  np.testing.assert_allclose(single(x), theirs, rtol=1e-5)
  # Theirs weighs positives alone.
  theirs = functional.binary_cross_entropy_with_logits(
    torch.tensor(x),
    torch.tensor(labels, dtype=torch.float32),
    pos_weight=torch.tensor(POSITIVE),
    reduction='none',
  )
  ours = functools.partial(multi, x, negative=np.ones(5))()
  np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
