"""Extreme and dead maps: exact values, first and second derivatives."""

import functools

import jax
import numpy as np
import pytest
from jax.test_util import check_grads

import at_jax

FORMS = ('code', 'paper')
TWICE = [  # kinds whose second derivatives are finite everywhere
  *(('sum_pow', p) for p in (2, 2.5, 3, 4)),
  *(('max_pow', p) for p in (2, 2.5, 4)),
]
ONCE = [('sum_abs', 2), ('sum_pow', 1), ('sum_pow', 1.5), ('max_pow', 1)]
all_forms = pytest.mark.parametrize('form', FORMS)


def normal(seed, shape, dtype=np.float32):
  # Arrays of NumPy, of few shapes: every eager operation of jax compiles.
  return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def derivatives(function, x):
  """The gradient of a per-example function, and its derivative along ones."""
  gradient = jax.grad(lambda x: function(x).sum())
  return map(np.asarray, jax.jvp(gradient, (x,), (np.ones_like(x),)))


@all_forms
@pytest.mark.parametrize('kind, p', [*TWICE[:2], ('max_pow', 4)])
def test_order_2_against_finite_differences(form, kind, p):
  with jax.enable_x64(True):
    student = normal(1, (4, 5, 4, 3), np.float64)
    teacher = normal(2, (4, 5, 4, 3), np.float64)
    at = functools.partial(at_jax.at_distance, form=form, kind=kind, p=p)
    check_grads(
      at, (student, teacher), order=2, modes=['rev'], rtol=1e-5, atol=1e-5
    )


@all_forms
@pytest.mark.parametrize('kind, p', TWICE + ONCE)
def test_a_dead_example_in_a_batch(form, kind, p):
  student, teacher = normal(1, (4, 5, 4, 3)), normal(2, (4, 5, 4, 3))
  student[0], student[2], student[3, 0] = 0, 0, 0
  teacher[1:3] = 0
  at = functools.partial(at_jax.at_distance, form=form, kind=kind, p=p)
  value = at(student, teacher)
  one_dead = 1 / 20 if form == 'code' else 1.0
  np.testing.assert_allclose(value[:3], [one_dead, one_dead, 0], rtol=1e-6)
  assert value[2] == 0 < value[3]
  for function, x, dead in (
    (lambda x: at(x, teacher), student, [0, 2]),
    (lambda x: at(student, x), teacher, [1, 2]),
  ):
    first, second = derivatives(function, x)
    assert np.isfinite(first).all()
    assert (first[dead] == 0).all() and (first[3] != 0).any()
    if (kind, p) in TWICE:
      assert np.isfinite(second).all()
      assert (second[dead] == 0).all() and (second[3] != 0).any()


@all_forms
def test_dead_maps_themselves_have_derivatives_zero(form):
  zero = np.zeros((4, 5, 4), np.float32)
  other = np.abs(normal(1, (4, 5, 4)))
  for teacher in (zero, other):
    distance = functools.partial(
      at_jax.map_distance, teacher_map=teacher, form=form
    )
    for derivative in derivatives(distance, zero):
      np.testing.assert_array_equal(derivative, 0)
  for derivative in derivatives(at_jax.normalize_map, zero):
    np.testing.assert_array_equal(derivative, 0)


def test_branches_not_taken_hold_no_nan_either():
  zero = np.zeros((4, 5, 4), np.float32)
  with jax.debug_nans(True):
    for form in FORMS:
      distance = functools.partial(
        at_jax.map_distance, teacher_map=zero, form=form
      )
      for derivative in derivatives(distance, zero):
        np.testing.assert_array_equal(derivative, 0)


@all_forms
@pytest.mark.parametrize('kind, p', TWICE + ONCE)
def test_equal_arguments(form, kind, p):
  features = normal(1, (4, 5, 4, 3))
  features[0, 0, 0] = 0
  at = functools.partial(at_jax.at_distance, form=form, kind=kind, p=p)
  np.testing.assert_array_equal(at(features, features), 0)
  first, second = derivatives(lambda x: at(x, features), features)
  np.testing.assert_array_equal(first, 0)
  if (kind, p) in TWICE:
    assert np.isfinite(second).all()
    # The norm has a kink here: its second derivative is defined as 0.
    assert (second != 0).any() == (form == 'code')


@all_forms
def test_one_position_is_always_normalised_to_one(form):
  student, teacher = (np.abs(normal(seed, (4, 1, 1))) for seed in (1, 2))
  distance = functools.partial(
    at_jax.map_distance, teacher_map=teacher, form=form
  )
  np.testing.assert_array_equal(distance(student), 0)
  for derivative in derivatives(distance, student):
    np.testing.assert_array_equal(derivative, 0)


def test_one_live_pixel():
  maps, other = np.zeros((2, 4, 5, 4), np.float32)
  maps[:, 1, 0], other[:, 0, 2] = 7, 0.1
  q = at_jax.normalize_map(maps)
  np.testing.assert_array_equal(q, np.eye(20)[[4] * 4])
  np.testing.assert_allclose(
    at_jax.map_distance(maps, other), 2 / 20, rtol=1e-6
  )
  for form, slope in (('code', -2 / 20 / 7), ('paper', -(0.5**0.5) / 7)):
    distance = functools.partial(
      at_jax.map_distance, teacher_map=other, form=form
    )
    first, second = derivatives(distance, maps)
    np.testing.assert_allclose(first, slope * (other > 0), rtol=1e-6, atol=1e-8)
    assert np.isfinite(second).all()


@all_forms
@pytest.mark.parametrize('scale', [1e30, 1e-9])
def test_huge_and_tiny_maps(form, scale):
  student, teacher = (np.abs(normal(seed, (4, 5, 4))) for seed in (1, 2))
  distance = functools.partial(at_jax.map_distance, form=form)
  expected = distance(student, teacher)
  for pair in ((scale * student, teacher), (student, scale * teacher)):
    np.testing.assert_allclose(distance(*pair), expected, rtol=1e-5)
  first, second = derivatives(
    lambda x: distance(x, teacher), np.float32(scale) * student
  )
  expected, _ = derivatives(lambda x: distance(x, teacher), student)
  np.testing.assert_allclose(scale * first, expected, rtol=1e-4, atol=1e-6)
  assert np.isfinite(second).all()


@pytest.mark.parametrize('scale', [9e37, 1e38, 3e38])
def test_maps_as_large_as_float32_goes(scale):
  """Whose reciprocal is flushed to 0."""
  maps = np.float32(scale) * np.ones((1, 2, 2), np.float32)
  for normalize in (at_jax.normalize_map, jax.jit(at_jax.normalize_map)):
    np.testing.assert_allclose(normalize(maps), [[0.5] * 4], rtol=1e-6)


def test_huge_features_at_power_1_and_a_wide_range_in_one_map():
  student, teacher = normal(1, (4, 5, 4, 3)), normal(2, (4, 5, 4, 3))
  for p, scale in ((1, 1e30), (2, 1e15), (4, 1e8)):
    np.testing.assert_allclose(
      at_jax.at_distance(scale * student, teacher, p=p),
      at_jax.at_distance(student, teacher, p=p),
      rtol=1e-4,
    )
  maps = np.zeros((4, 5, 4), np.float32)
  maps[:, 0, :3] = 1e30, 1e-30, 1e30
  q = at_jax.normalize_map(maps)
  np.testing.assert_allclose(q[:, :3], [[0.5**0.5, 0, 0.5**0.5]] * 4, rtol=1e-6)
  for derivative in derivatives(at_jax.normalize_map, maps):
    assert np.isfinite(derivative).all()


def test_below_eps_the_map_is_divided_by_eps():
  maps = np.zeros((4, 5, 4), np.float32)
  maps[:, 2, 1], maps[:, 3, 3] = 3, 4
  flat = maps.reshape(4, 20)
  for factor, eps in ((1e-14, 1e-12), (1e-30, 1e-12), (1.0, 10.0), (1e-3, 1.0)):
    normalize = functools.partial(at_jax.normalize_map, eps=eps)
    q = normalize(np.float32(factor) * maps)
    np.testing.assert_allclose(q, flat * (factor / eps), rtol=1e-6)
    first, second = derivatives(normalize, np.float32(factor) * maps)
    np.testing.assert_allclose(first, np.full_like(maps, 1 / eps), rtol=1e-6)
    np.testing.assert_array_equal(second, 0)
  np.testing.assert_allclose(
    at_jax.normalize_map(1e-14 * maps), flat * 1e-2, rtol=1e-6
  )
  np.testing.assert_allclose(
    at_jax.normalize_map(maps, eps=4.9), flat / 5, rtol=1e-6
  )


def test_gradient_of_the_teacher_is_not_stopped():
  student, teacher = normal(1, (4, 5, 4, 3)), normal(2, (4, 5, 4, 3))
  gradient = jax.grad(lambda t: at_jax.at_distance(student, t).sum())(teacher)
  swapped = jax.grad(lambda t: at_jax.at_distance(t, student).sum())(teacher)
  np.testing.assert_allclose(gradient, swapped, rtol=1e-6)
  assert (np.asarray(gradient) != 0).all()


@pytest.mark.parametrize('precision', ['float32', 'float64'])
def test_pytorch_computes_the_same(precision):
  torch = pytest.importorskip('torch')

  def torch_at(student, teacher):
    q = [
      torch.nn.functional.normalize(x.pow(2).mean(1).reshape(len(x), -1))
      for x in (student, teacher)
    ]
    return (q[0] - q[1]).pow(2).mean()

  def mean_at(student, teacher):
    return at_jax.at_distance(student, teacher).mean()

  with jax.enable_x64(precision == 'float64'):
    pair = [normal(seed, (4, 6, 5, 3 * seed), precision) for seed in (1, 2)]
    pair[0][1] = 0
    value, gradients = jax.value_and_grad(mean_at, (0, 1))(*pair)
    theirs = [torch.tensor(np.moveaxis(x, 3, 1)).requires_grad_() for x in pair]
    their_value = torch_at(*theirs)
    their_value.backward()
    tolerance = dict(rtol=1e-4 if precision == 'float32' else 1e-10)
    np.testing.assert_allclose(value, their_value.item(), **tolerance)
    for mine, other in zip(gradients, theirs, strict=True):
      other = np.moveaxis(other.grad.numpy(), 1, 3)
      np.testing.assert_allclose(mine, other, atol=1e-7, **tolerance)


def test_jitted_paper_distance_of_equal_features_has_no_gradient():
  x = np.random.default_rng(1).standard_normal((2, 5, 4, 3)).astype('float32')

  @jax.jit
  def gradient(student, teacher):
    def total(s):
      return at_jax.at_distance(s, teacher, form='paper').sum()

    return jax.grad(total)(student)

  np.testing.assert_array_equal(gradient(x, x), 0)


def test_of_equal_maxima_one_channel_has_the_whole_gradient():
  """Not a share of each that equals it, of which XLA may find none."""
  features = np.array([[[[1, -3, 3]]]], np.float32)

  def largest(features):
    return at_jax.attention_map(features, kind='max_pow', p=1).sum()

  np.testing.assert_array_equal(jax.grad(largest)(features), [[[[0, -1, 0]]]])
