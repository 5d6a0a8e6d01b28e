"""Distillation: closed forms, NumPy in float64, laws, extremes, and errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import at_jax
from at_jax.losses import cross_entropy

LABELS = np.array([3, 0, 9, 9])


def logits(seed, scale=3.0):
  values = np.random.default_rng(seed).standard_normal((4, 10))
  return (scale * values).astype(np.float32)


def softmax(x, temperature=1.0):
  x = np.asarray(x, np.float64) / temperature
  x = np.exp(x - x.max(axis=1, keepdims=True))
  return x / x.sum(axis=1, keepdims=True)


def reference_kd(student, teacher, temperature):
  p, q = softmax(teacher, temperature), softmax(student, temperature)
  return temperature**2 * np.sum(p * np.log(p / q), axis=1)


def reference_ce(student, labels):
  return -np.log(softmax(student)[np.arange(len(labels)), labels])


def grad_of_kd(student, teacher, temperature):
  def total(student):
    return at_jax.kd_divergence(student, teacher, temperature=temperature).sum()

  return jax.grad(total)(student)


def test_divergence_by_hand_teacher_first():
  teacher = np.log(np.array([[0.75, 0.25], [0.5, 0.5]]))
  student = np.log(np.array([[0.5, 0.5], [0.75, 0.25]]))
  expected = [
    0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5),
    0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25),
  ]
  assert abs(expected[0] - expected[1]) > 0.01
  divergence = at_jax.kd_divergence(student, teacher, temperature=1.0)
  np.testing.assert_allclose(divergence, expected, rtol=1e-5)


@pytest.mark.parametrize('temperature', [1, 4.0, 0.5, 20.0])
def test_divergence_equals_numpy(temperature):
  student, teacher = logits(1), logits(2)
  divergence = at_jax.kd_divergence(student, teacher, temperature=temperature)
  assert divergence.shape == (4,) and divergence.dtype == jnp.float32
  expected = reference_kd(student, teacher, temperature)
  np.testing.assert_allclose(divergence, expected, rtol=1e-4)
  assert (np.asarray(divergence) > 0).all()


def test_default_temperature_is_4_and_alpha_is_0_9():
  student, teacher = logits(1), logits(2)
  divergence = reference_kd(student, teacher, 4)
  np.testing.assert_allclose(
    at_jax.kd_divergence(student, teacher), divergence, rtol=1e-5
  )
  np.testing.assert_allclose(
    at_jax.kd_loss(student, teacher, LABELS),
    0.9 * divergence + 0.1 * reference_ce(student, LABELS),
    rtol=1e-5,
  )


def test_factor_of_temperature_squared_and_shifted_logits():
  student, teacher = logits(1), logits(2)
  unit = at_jax.kd_divergence(student, teacher, temperature=1.0)
  for pair in ((8 * student, 8 * teacher), (8 * student + 5, 8 * teacher - 7)):
    divergence = at_jax.kd_divergence(*pair, temperature=8.0)
    np.testing.assert_allclose(divergence, 64 * unit, rtol=1e-4)


def test_gradient_is_the_difference_of_softened_probabilities():
  student, teacher = logits(1), logits(2)
  for temperature in (1.0, 4.0):
    gradient = grad_of_kd(student, teacher, temperature)
    difference = softmax(student, temperature) - softmax(teacher, temperature)
    np.testing.assert_allclose(gradient, temperature * difference, atol=1e-5)


def test_gradient_of_the_teacher_is_not_stopped():
  gradient = jax.grad(lambda t: at_jax.kd_divergence(logits(1), t).sum())
  assert (np.abs(gradient(logits(2))).max(axis=1) > 1e-3).all()


def test_loss_equals_numpy_for_every_alpha():
  student, teacher = logits(1), logits(2)
  for alpha in (0.0, 0.3, 1):
    loss = at_jax.kd_loss(
      student, teacher, LABELS, temperature=2.0, alpha=alpha
    )
    expected = alpha * reference_kd(student, teacher, 2.0)
    expected += (1 - alpha) * reference_ce(student, LABELS)
    assert loss.shape == (4,) and loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_alpha_0_is_cross_entropy():
  loss = at_jax.kd_loss(logits(1), logits(2), LABELS, alpha=0.0)
  np.testing.assert_array_equal(loss, cross_entropy(logits(1), LABELS))
  np.testing.assert_allclose(loss, reference_ce(logits(1), LABELS), rtol=1e-5)


def test_teacher_like_student_leaves_the_rest_of_cross_entropy():
  student = logits(1)
  np.testing.assert_array_equal(at_jax.kd_divergence(student, student), 0)
  np.testing.assert_allclose(
    at_jax.kd_loss(student, student, LABELS, alpha=0.7),
    0.3 * reference_ce(student, LABELS),
    rtol=1e-5,
  )
  gradient = jax.grad(lambda x: at_jax.kd_divergence(x, student).sum())(student)
  np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_examples_do_not_see_each_other():
  student, teacher = logits(1), logits(2)
  whole = at_jax.kd_loss(student, teacher, LABELS)
  student[1], teacher[3] = 0, 99
  rest = at_jax.kd_loss(student, teacher, LABELS)
  np.testing.assert_array_equal(whole[::2], rest[::2])
  one = at_jax.kd_loss(student[:1], teacher[:1], LABELS[:1])
  np.testing.assert_allclose(one, whole[:1], rtol=1e-6)


def test_extreme_logits():
  student, teacher = np.full((2, 4, 10), -1e4, np.float32)
  student[:, 0], teacher[:2, 0], teacher[2:, 1] = 1e4, 1e4, 1e4
  for temperature in (1.0, 4.0):
    divergence = at_jax.kd_divergence(student, teacher, temperature=temperature)
    high = 2e4 * temperature
    np.testing.assert_allclose(divergence, [0, 0, high, high], rtol=1e-6)
    gradient = grad_of_kd(student, teacher, temperature)
    expected = np.zeros((4, 10))
    expected[2:, 0], expected[2:, 1] = temperature, -temperature
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
  loss = at_jax.kd_loss(student, teacher, np.array([0, 1, 1, 0]), alpha=0.5)
  np.testing.assert_allclose(loss, [0, 1e4, 5e4, 4e4], rtol=1e-6)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_half_precision_in_float32_out(dtype):
  half = [logits(seed).astype(jnp.dtype(dtype)) for seed in (1, 2)]
  wide = [x.astype(np.float32) for x in half]
  loss = at_jax.kd_loss(*half, LABELS)
  assert loss.dtype == jnp.float32
  np.testing.assert_allclose(loss, at_jax.kd_loss(*wide, LABELS), rtol=1e-6)
  ce = cross_entropy(half[0], LABELS)
  assert ce.dtype == jnp.float32
  np.testing.assert_allclose(ce, reference_ce(wide[0], LABELS), rtol=1e-5)


def test_float64_stays_float64():
  with jax.enable_x64(True):
    student, teacher = (logits(seed).astype(np.float64) for seed in (1, 2))
    loss = at_jax.kd_loss(student, teacher, LABELS)
    assert loss.dtype == jnp.float64
    expected = 0.9 * reference_kd(student, teacher, 4)
    expected += 0.1 * reference_ce(student, LABELS)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)


def test_jit_and_vmap():
  student, teacher = logits(1), logits(2)
  eager = at_jax.kd_loss(student, teacher, LABELS)
  jitted = jax.jit(at_jax.kd_loss)(student, teacher, LABELS)
  np.testing.assert_allclose(jitted, eager, rtol=1e-5)
  pairs = [x.reshape(2, 2, 10) for x in (student, teacher)]
  mapped = jax.jit(jax.vmap(at_jax.kd_loss))(*pairs, LABELS.reshape(2, 2))
  np.testing.assert_allclose(mapped.reshape(4), eager, rtol=1e-5)


@pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.int64])
def test_integer_labels_of_any_width(dtype):
  np.testing.assert_allclose(
    cross_entropy(logits(1), LABELS.astype(dtype)),
    reference_ce(logits(1), LABELS),
    rtol=1e-5,
  )


@pytest.mark.parametrize(
  'labels',
  [
    LABELS.astype(np.float32),
    LABELS > 2,
    LABELS[:, None],
    LABELS[:3],
    LABELS[0],
    np.eye(10, dtype=np.int32)[LABELS],
  ],
)
def test_labels_of_wrong_dtype_or_shape(labels):
  with pytest.raises(ValueError, match='integer classes of shape'):
    at_jax.kd_loss(logits(1), logits(2), labels)
  with pytest.raises(ValueError, match='integer classes of shape'):
    jax.jit(cross_entropy)(logits(1), labels)


@pytest.mark.parametrize(
  'shapes, kwargs, message',
  [
    ([(10,), (10,)], {}, r'\[B, K\].*\(10,\)'),
    ([(4, 10), (4, 1, 10)], {}, r'\[B, K\].*\(4, 1, 10\)'),
    ([(4, 10), (4, 100)], {}, r'\(4, 10\) and \(4, 100\).*same classes'),
    ([(4, 10), (1, 10)], {}, r'\(1, 10\)'),
    ([(4, 10), (4, 10)], {'temperature': 0}, 'temperature.*got 0'),
    ([(4, 10), (4, 10)], {'temperature': -1.0}, 'temperature.*got -1'),
  ],
)
def test_errors_name_what_was_wanted(shapes, kwargs, message):
  pair = [np.zeros(shape, np.float32) for shape in shapes]
  with pytest.raises(ValueError, match=message):
    at_jax.kd_divergence(*pair, **kwargs)
  with pytest.raises(ValueError, match=message):
    jax.jit(functools.partial(at_jax.kd_loss, **kwargs))(*pair, LABELS)


def test_pytorch_computes_the_same():
  torch = pytest.importorskip('torch')
  functional = torch.nn.functional

  def torch_loss(student, teacher, labels, temperature, alpha):
    divergence = functional.kl_div(
      functional.log_softmax(student / temperature, dim=1),
      functional.softmax(teacher / temperature, dim=1),
      reduction='batchmean',
    )
    ce = functional.cross_entropy(student, labels)
    return alpha * temperature**2 * divergence + (1 - alpha) * ce

  student, teacher = logits(1), logits(2)
  for temperature, alpha in ((4.0, 0.9), (1.0, 0.2)):
    args = dict(temperature=temperature, alpha=alpha)
    value, pull = jax.vjp(
      functools.partial(
        at_jax.kd_loss, teacher_logits=teacher, labels=LABELS, **args
      ),
      student,
    )
    value, (gradient,) = value.mean(), pull(np.full(4, 1 / 4, np.float32))
    theirs = torch.tensor(student, requires_grad=True)
    loss = torch_loss(
      theirs, torch.tensor(teacher), torch.tensor(LABELS), **args
    )
    loss.backward()
    np.testing.assert_allclose(value, loss.item(), rtol=1e-5)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), atol=1e-6)


def test_a_class_the_teacher_rules_out_adds_nothing():
  teacher = np.array([[0.0, -np.inf]], np.float32)
  student = np.zeros((1, 2), np.float32)
  got = at_jax.kd_divergence(student, teacher, temperature=1.0)
  np.testing.assert_allclose(got, np.log(2), rtol=1e-6)


def test_temperature_and_power_may_be_traced():
  s, t = np.eye(2, 3, dtype=np.float32), np.ones((2, 3), np.float32)
  got = jax.jit(at_jax.kd_divergence)(s, t, temperature=2.0)
  want = at_jax.kd_divergence(s, t, temperature=2.0)
  np.testing.assert_allclose(got, want, rtol=1e-6)


def test_alpha_outside_0_and_1_is_refused():
  s = np.eye(2, 3, dtype=np.float32)
  with pytest.raises(ValueError, match='alpha'):
    at_jax.kd_loss(s, s, np.array([0, 1]), alpha=2.0)
