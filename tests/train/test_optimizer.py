"""SGD and its schedules against NumPy, PyTorch and the paper's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from at_jax.train.optimizer import learning_rate, make_optimizer
from configs import common

STEPS = 3  # per epoch


def settings(**changes):
  return common.base().optimizer.to_dict() | changes


def rates(steps_per_epoch=STEPS, epochs=10, **changes):
  """Learning rates of all steps, computed inside jit as a run does."""
  schedule = learning_rate(
    settings(**changes), steps_per_epoch=steps_per_epoch, epochs=epochs
  )
  return np.asarray(
    jax.jit(jax.vmap(schedule))(jnp.arange(epochs * steps_per_epoch))
  )


def test_learning_rate_of_the_paper_at_every_drop():
  lr = rates(390, 200)
  assert lr.dtype == np.float32
  want = {
    1: 0.1, 59: 0.1, 60: 0.02, 119: 0.02, 120: 0.004, 159: 0.004,
    160: 0.0008, 200: 0.0008,
  }  # fmt: skip
  for epoch, value in want.items():
    first, last = lr[(epoch - 1) * 390], lr[epoch * 390 - 1]
    np.testing.assert_allclose([first, last], value, rtol=1e-6, err_msg=epoch)
  assert len(np.unique(lr)) == 4


def test_constant():
  np.testing.assert_array_equal(rates(schedule='constant'), np.float32(0.1))


def test_cosine_falls_to_zero_over_the_run():
  steps = np.arange(30)
  np.testing.assert_allclose(
    rates(schedule='cosine'),
    0.05 * (1 + np.cos(np.pi * steps / 30)),
    rtol=1e-5,
    atol=1e-8,
  )


def test_warmup_is_a_straight_line_and_shifts_no_drop():
  lr = rates(warmup=2.0, drops=(4,))
  np.testing.assert_allclose(lr[:6], 0.1 * np.arange(6) / 6, rtol=1e-5)
  np.testing.assert_allclose(lr[6:9], 0.1, rtol=1e-6)  # epoch 3, from 1
  np.testing.assert_allclose(lr[9:], 0.02, rtol=1e-6)


def test_warmup_then_cosine_still_ends_at_zero():
  lr = rates(warmup=2.0, schedule='cosine')
  np.testing.assert_allclose(lr[:6], 0.1 * np.arange(6) / 6, rtol=1e-5)
  share = np.arange(24) / 24
  want = 0.05 * (1 + np.cos(np.pi * share))
  np.testing.assert_allclose(lr[6:], want, rtol=1e-5, atol=1e-8)


START = {
  'kernel': np.random.RandomState(0).normal(size=(3, 2)),
  'scale': np.random.RandomState(1).uniform(size=(2,)),
  'bias': np.random.RandomState(2).normal(size=(2,)),
}
NOISE = np.random.RandomState(3).normal(size=12)


def gradient(params, step, mean=lambda x: x.mean()):
  """Some gradient that depends on the parameters and on the step."""
  return {k: 0.7 * v + NOISE[step] * mean(v) for k, v in params.items()}


def ours(**changes):
  optimizer, _ = make_optimizer(
    settings(drops=(2, 4), weight_decay=0.05, **changes),
    steps_per_epoch=STEPS,
    epochs=4,
  )
  params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), START)
  state, update, history = optimizer.init(params), jax.jit(optimizer.update), []
  for step in range(12):
    updates, state = update(gradient(params, step), state, params)
    params = optax.apply_updates(params, updates)
    history.append(params)
  return history


def numpy_sgd(*, reset, nesterov=False, momentum=0.9, decay=0.05):
  """PyTorch's SGD, line by line; drops at the start of epochs 2 and 4."""
  params, buffers, history = dict(START), {}, []
  for step in range(12):
    if step in (3, 9) and reset:
      buffers = {}
    lr = 0.1 if step < 3 else 0.02 if step < 9 else 0.004
    grads = gradient(params, step)
    for name, grad in grads.items():
      grad = grad + decay * params[name]
      if name in buffers:
        buffers[name] = momentum * buffers[name] + grad
      else:
        buffers[name] = grad
      move = grad + momentum * buffers[name] if nesterov else buffers[name]
      params = params | {name: params[name] - lr * move}
    history.append(params)
  return history


def assert_same(got, want):
  for step, (one, other) in enumerate(zip(got, want, strict=True)):
    for name in START:
      np.testing.assert_allclose(
        one[name], other[name], rtol=2e-5, atol=1e-6, err_msg=f'{step} {name}'
      )


@pytest.mark.parametrize('nesterov', [False, True])
@pytest.mark.parametrize('reset', [False, True])
def test_sgd_is_that_of_pytorch_in_numpy(reset, nesterov):
  got = ours(reset_momentum=reset, nesterov=nesterov)
  assert_same(got, numpy_sgd(reset=reset, nesterov=nesterov))


def test_the_defaults_of_the_paper_have_no_nesterov_and_reset():
  assert_same(ours(), numpy_sgd(reset=True, nesterov=False))


def test_reset_and_no_reset_differ():
  one, other = ours(reset_momentum=True), ours(reset_momentum=False)
  for name in START:
    np.testing.assert_array_equal(one[2][name], other[2][name])
    assert np.max(np.abs(one[3][name] - other[3][name])) > 1e-4


def test_weight_decay_reaches_every_parameter():
  with_decay, without = ours(), numpy_sgd(reset=True, decay=0.0)
  for name in START:
    assert np.max(np.abs(with_decay[0][name] - without[0][name])) > 1e-4


@pytest.mark.parametrize('nesterov', [False, True])
@pytest.mark.parametrize('reset', [False, True])
def test_sgd_is_that_of_pytorch(reset, nesterov):
  torch = pytest.importorskip('torch')
  params = {
    k: torch.nn.Parameter(torch.tensor(v, dtype=torch.float32))
    for k, v in START.items()
  }

  def make(lr):
    return torch.optim.SGD(
      params.values(), lr, momentum=0.9, weight_decay=0.05, nesterov=nesterov
    )

  optimizer, history = make(0.1), []
  for step in range(12):
    if step in (3, 9):
      lr = 0.02 if step == 3 else 0.004
      if reset:
        optimizer = make(lr)  # what the authors' code does at a drop
      else:
        optimizer.param_groups[0]['lr'] = lr
    values = {k: p.detach() for k, p in params.items()}
    for name, grad in gradient(values, step).items():
      params[name].grad = grad
    optimizer.step()
    history.append({k: p.detach().numpy().copy() for k, p in params.items()})
  assert_same(ours(reset_momentum=reset, nesterov=nesterov), history)


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'name': 'sdg'}, ["'sdg'", "mean 'sgd'"]),
    ({'schedule': 'step'}, ["'step'", "mean 'steps'", 'cosine', 'constant']),
  ],
)
def test_unknown_names(changes, words):
  with pytest.raises(ValueError) as error:
    make_optimizer(settings(**changes), steps_per_epoch=STEPS, epochs=4)
  for word in words:
    assert word in str(error.value)


def test_adam_in_numpy():
  """Weight decay is added to the gradient before both moments."""
  transformation, _ = make_optimizer(
    settings(name='adam', weight_decay=0.1, lr=0.01, schedule='constant'),
    steps_per_epoch=3,
    epochs=2,
  )
  params = {'student': {'w': jnp.asarray([1.0, -2.0])}}
  state = transformation.init(params)
  w, m, v = np.array([1.0, -2.0]), 0.0, 0.0
  for step in range(1, 5):
    gradient = np.array([step, 0.5])
    updates, state = transformation.update(
      {'student': {'w': jnp.asarray(gradient, jnp.float32)}}, state, params
    )
    params = optax.apply_updates(params, updates)
    g = gradient + 0.1 * w
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**step), v / (1 - 0.999**step)
    w = w - 0.01 * m_hat / (np.sqrt(v_hat) + 1e-8)
    np.testing.assert_allclose(params['student']['w'], w, rtol=1e-5)


def test_cosine_shorter_than_its_warmup_is_an_error():
  with pytest.raises(ValueError):
    make_optimizer(
      settings(schedule='cosine', warmup=4.0), steps_per_epoch=STEPS, epochs=4
    )


def test_drops_may_fall_within_an_epoch():
  """64,000 of 160,000 iterations, at 781 an epoch."""
  lr = rates(781, 205, drops=(1 + 64_000 / 781, 1 + 96_000 / 781), factor=0.1)
  np.testing.assert_allclose(
    lr[[63_999, 64_000, 95_999, 96_000]], [0.1, 0.01, 0.01, 0.001], rtol=1e-6
  )


def test_undecayed_parameters_are_those_of_the_paths():
  params = {
    'student': {
      'conv': {'kernel': jnp.ones(2)},
      'block': {'bn0': {'scale': jnp.ones(2)}},
    },
    'objective': {'kernel': jnp.ones(2)},
  }
  zeros = jax.tree.map(jnp.zeros_like, params)
  optimizer, _ = make_optimizer(
    settings(weight_decay=0.5, lr=1.0, undecayed=('*/bn*',)),
    steps_per_epoch=STEPS,
    epochs=10,
  )
  updates, _ = optimizer.update(zeros, optimizer.init(params), params)
  np.testing.assert_array_equal(updates['student']['conv']['kernel'], -0.5)
  np.testing.assert_array_equal(updates['objective']['kernel'], -0.5)
  np.testing.assert_array_equal(updates['student']['block']['bn0']['scale'], 0)
