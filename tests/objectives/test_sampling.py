"""What TASN minimises: values by hand, which gradients flow, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_networks import TASN_SETTINGS, random_split, variables_of

from at_jax.models import create_model
from at_jax.objectives import Network, make_objective
from at_jax.train.mesh import data_mesh
from at_jax.train.state import TrainState
from at_jax.train.step import AUGMENTATION, make_chunk, make_step

pytestmark = pytest.mark.usefixtures('small_wrn')  # the backbone

SMALL = TASN_SETTINGS | dict(attention_size=8, blocks=(1,), num_classes=10)
WEIGHTS = dict(
  attention=1.0, part=0.5, master=0.5, part_shared=0.25, master_shared=2.0
)


def network(**kwargs):
  model = create_model('tasn', **(SMALL | kwargs))
  return Network(model, (120.0,), (60.0,), (8, 8, 3), 'small TASN')


def objective(student, weights=WEIGHTS, **settings):
  return make_objective(
    dict(name='tasn', weights=weights, **settings),
    student=student,
    teacher=None,
    steps_per_epoch=3,
    epochs=2,
  )


@pytest.fixture(scope='module')
def batch():
  raw = random_split(6)
  image = (raw['image'] - 120.0) / 60.0
  return {'image': jnp.float32(image), 'label': raw['label']}


@pytest.fixture(scope='module')
def student():
  return network()


@pytest.fixture(scope='module')
def variables(student):
  return variables_of(student, 3)


@pytest.fixture(scope='module')
def made(student):
  return objective(student, distil=3.0, temperature=10.0)


@functools.cache
def compiled(made):
  @jax.jit
  def run(variables, batch, key):
    return jax.value_and_grad(made.loss, has_aux=True)(
      {'student': variables['params'], 'objective': {}},
      variables['batch_stats'],
      {},
      batch,
      key,
      0,
    )

  return run


def evaluated(made, variables, batch, key=0):
  """(loss, metrics, gradients)."""
  (loss, (_, metrics)), gradients = compiled(made)(
    variables, batch, jax.random.key(key)
  )
  return loss, metrics, gradients['student']


@pytest.fixture(scope='module')
def ends(student, variables, batch):
  """Endpoints of the first step."""
  (_, ends), _ = jax.jit(functools.partial(student.apply, train=True))(
    variables, batch['image'], key=jax.random.key(0)
  )
  return jax.tree.map(np.float64, ends)


def log_softmax(x):
  x = x - x.max(-1, keepdims=True)
  return x - np.log(np.exp(x).sum(-1, keepdims=True))


def test_value_by_hand(made, ends, variables, batch):
  loss, metrics, _ = evaluated(made, variables, batch)
  wanted = 0.0
  for branch, weight in WEIGHTS.items():
    logs = log_softmax(ends[f'logits/{branch}'])
    ce = -logs[np.arange(6), batch['label']].mean()
    np.testing.assert_allclose(metrics[f'ce/{branch}'], ce, rtol=1e-4)
    wanted += weight * ce
  master, part = (
    log_softmax(ends[f'logits/{branch}'] / 10) for branch in ('master', 'part')
  )
  soft = -(np.exp(part) * master).sum(-1).mean()
  np.testing.assert_allclose(metrics['distil'], soft, rtol=1e-4)
  np.testing.assert_allclose(loss, wanted + 3 * soft, rtol=1e-4)
  predicted = ends['logits/master_shared'].argmax(-1)
  error = 100 * np.mean(predicted != batch['label'])
  np.testing.assert_allclose(metrics['train_error'], error, rtol=1e-5)


def test_another_key_sees_other_details(made, variables, batch):
  losses = {float(evaluated(made, variables, batch, k)[0]) for k in range(3)}
  assert len(losses) == 3


def test_the_part_network_learns_nothing_from_the_master(
  student, variables, batch
):
  only = dict(weights={}, temperature=2.0, t_squared=True)
  _, _, stopped = evaluated(objective(student, **only), variables, batch)
  _, _, both = evaluated(
    objective(student, **only, one_way=False), variables, batch
  )
  norm = optax.tree.norm
  assert norm(stopped['part_head']) == 0 and norm(both['part_head']) > 0
  assert norm(stopped['master_head']) > 0 and norm(stopped['attention']) == 0


def test_shared_heads_distil_where_there_are_no_others(batch):
  student = network(heads='shared')
  variables = variables_of(student, 3)
  made = objective(student, weights={'master_shared': 1.0})
  loss, metrics, _ = evaluated(made, variables, batch)
  wanted = metrics['ce/master_shared'] + metrics['distil']
  np.testing.assert_allclose(loss, wanted, rtol=1e-5)


def test_without_a_part_network():
  student = network(part=False)
  with pytest.raises(ValueError, match='no part network to learn from'):
    objective(student, weights={'master': 1.0})
  made = objective(student, weights={'master': 1.0, 'part': 0.0}, distil=0.0)
  assert made.weights == {'master': 1.0} and made.init(None) == {}


@pytest.mark.parametrize(
  ('weights', 'words'),
  [
    ({'mastr': 1.0}, "Unknown branch of TASN 'mastr'.*mean 'master'"),
    ({'part_shared': 1.0}, 'no endpoint logits/part_shared.*heads'),
  ],
)
def test_branches_that_there_are_not(weights, words):
  with pytest.raises(ValueError, match=words):
    objective(network(heads='separate'), weights=weights)


def test_a_map_that_is_not_finite_is_named(made, ends, variables, batch):
  """Metrics that are not finite end a run, with their names and the step."""
  _, metrics, _ = evaluated(made, variables, batch)
  for view in ('structure', 'detail'):
    top = ends[f'map/{view}'].max(axis=(1, 2)).mean()
    np.testing.assert_allclose(metrics[f'map/{view}'], top, rtol=1e-5)
  broken = jax.tree.map(lambda x: x, variables)
  kernel = broken['params']['attention']['dilated1']['kernel']
  broken['params']['attention']['dilated1']['kernel'] = kernel.at[0].set(np.inf)
  _, metrics, _ = evaluated(made, broken, batch)
  assert not np.isfinite(metrics['map/structure'])
  assert not np.isfinite(metrics['map/detail'])


@pytest.mark.parametrize('scan', [False, True])
def test_details_are_drawn_anew_in_every_step(student, variables, batch, scan):
  """With a learning rate of 0 and one batch nothing else can differ."""
  optimizer, mesh = optax.sgd(0.0), data_mesh(jax.devices()[:1])
  step = make_step(
    objective(student, weights={'part': 1.0}, distil=0.0),
    optimizer,
    lambda step: jnp.zeros(()),
    take=lambda step: batch,
    data=dict.fromkeys(AUGMENTATION, 0),
    normalisation=((0.0,), (1.0,)),
    mesh=mesh,
    bn='global',
  )
  chunk = make_chunk(step, mesh=mesh, precision='float32', scan=scan)
  params = {'student': variables['params'], 'objective': {}}
  state = TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    batch_stats=variables['batch_stats'],
    opt_state=optimizer.init(params),
    key=jax.random.key(0),
  )
  state = jax.tree.map(jnp.copy, state)  # it is donated
  seen = []
  for _ in range(1 if scan else 3):
    state, metrics = chunk(state, {}, length=3 if scan else 1)
    seen += np.asarray(metrics['map/detail']).tolist()
    assert np.ptp(metrics['map/structure']) < 1e-6
  assert len(set(seen)) == 3
