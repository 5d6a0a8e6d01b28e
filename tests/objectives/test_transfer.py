"""The transfer objective against sums written by hand with floor 1."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import (
  assert_trees_close,
  assert_trees_equal,
  random_split,
  tiny_network,
  variables_of,
  wrn_network,
)

from at_jax.data.augment import normalise
from at_jax.losses import cross_entropy, kd_divergence, kd_loss
from at_jax.maps import at_distance
from at_jax.objectives import make_objective
from configs import common

BATCH = 6
GROUPS = common.same('group1', 'group2')
BLOCKS = common.same('group1/block1', 'group1/block2', 'group2/block1')
CE = {'weight': common.constant(1.0)}


def at_term(beta=100.0, **settings):
  defaults = dict(taps=GROUPS, form='code', kind='sum_pow', p=2.0, resize='')
  return {'weight': common.constant(beta)} | defaults | settings


def build(student, teacher, **terms):
  return make_objective(
    {'name': 'transfer', 'terms': terms},
    student=student,
    teacher=teacher,
    steps_per_epoch=10,
    epochs=4,
  )


class Setting:
  """A student, a teacher twice as wide, their variables and one batch."""

  def __init__(self, student=None, teacher=None):
    self.student = student or tiny_network(width=4)
    self.teacher = teacher or tiny_network(width=8)
    self.own = variables_of(self.student, 1)
    self.others = variables_of(self.teacher, 2)
    self.raw = random_split(BATCH)
    self.batch = {
      'image': normalise(
        self.raw['image'], self.student.mean, self.student.std
      ),
      'label': jnp.asarray(self.raw['label']),
    }

  def loss(self, objective, step=0, others=None):
    """(loss, batch_stats, metrics)."""
    loss, (batch_stats, metrics) = jax.jit(objective.loss)(
      {'student': self.own['params'], 'objective': {}},
      self.own['batch_stats'],
      self.others if others is None else others,
      self.batch,
      jax.random.key(0),
      jnp.asarray(step),
    )
    return loss, batch_stats, metrics

  @functools.cached_property
  def outputs(self):
    """What the networks give, student in train mode, teacher in eval."""
    raw = self.raw['image']
    ((logits, ends), stats) = jax.jit(
      functools.partial(self.student.apply, train=True)
    )(self.own, normalise(raw, self.student.mean, self.student.std))
    teacher_logits, teacher_ends = jax.jit(self.teacher.apply)(
      self.others, normalise(raw, self.teacher.mean, self.teacher.std)
    )
    return logits, ends, stats, teacher_logits, teacher_ends


@pytest.fixture(scope='module')
def pair():
  return Setting()


def close(got, want, rtol=2e-5):
  np.testing.assert_allclose(float(got), float(want), rtol=rtol)


def test_ce_kd_and_at_sum_up_with_their_weights(pair):
  objective = build(
    pair.student,
    pair.teacher,
    ce={'weight': common.constant(0.1)},
    kd={'weight': common.constant(0.9), 'temperature': 3.0},
    at=at_term(100.0),
  )
  loss, batch_stats, metrics = pair.loss(objective)
  logits, ends, stats, teacher_logits, teacher_ends = pair.outputs
  ce = cross_entropy(logits, pair.batch['label']).mean()
  kd = kd_divergence(logits, teacher_logits, temperature=3.0).mean()
  parts = [
    at_distance(ends[name], teacher_ends[name]).mean()
    for name in ('group1', 'group2')
  ]
  assert min(map(float, [ce, kd, *parts])) > 1e-4  # nothing is trivially 0
  close(loss, 0.1 * ce + 0.9 * kd + 100 * sum(parts))
  close(metrics['loss'], loss)
  # The terms and the taps are logged without their weights.
  close(metrics['ce'], ce)
  close(metrics['kd'], kd)
  close(metrics['at'], sum(parts))
  close(metrics['at/group1'], parts[0])
  close(metrics['at/group2'], parts[1])
  assert metrics['weight/at'] == 100 and metrics['weight/kd'] == np.float32(0.9)
  wrong = np.argmax(logits, -1) != pair.raw['label']
  close(metrics['train_error'], 100 * wrong.mean())
  assert set(metrics) == {
    'loss', 'train_error', 'ce', 'kd', 'at', 'at/group1', 'at/group2',
    'weight/ce', 'weight/kd', 'weight/at',
  }  # fmt: skip
  assert_trees_close(batch_stats, stats, rtol=1e-5, atol=1e-6)


def test_weights_one_minus_alpha_and_alpha_are_the_kd_loss(pair):
  objective = build(
    pair.student,
    pair.teacher,
    ce={'weight': common.constant(1 - 0.9)},
    kd={'weight': common.constant(0.9), 'temperature': 4.0},
  )
  logits, _, _, teacher_logits, _ = pair.outputs
  want = kd_loss(logits, teacher_logits, pair.batch['label']).mean()
  close(pair.loss(objective)[0], want)


def test_alpha_zero_is_cross_entropy(pair):
  objective = build(
    pair.student,
    pair.teacher,
    ce={'weight': common.constant(1.0)},
    kd={'weight': common.constant(0.0), 'temperature': 4.0},
  )
  want = cross_entropy(pair.outputs[0], pair.batch['label']).mean()
  close(pair.loss(objective)[0], want)


@pytest.mark.parametrize(
  'settings',
  [
    dict(taps=BLOCKS),
    dict(form='paper'),
    dict(kind='max_pow', p=1.0),
    dict(kind='sum_abs'),
    dict(p=4.0),
    dict(taps=(('group1/block1', 'group1/block2'), ('group2', 'group2'))),
  ],
  ids=str,
)
def test_at_settings_and_taps(pair, settings):
  objective = build(pair.student, pair.teacher, at=at_term(**settings))
  loss, _, metrics = pair.loss(objective)
  _, ends, _, _, teacher_ends = pair.outputs
  settings = dict(settings)
  taps = settings.pop('taps', GROUPS)
  parts = {
    (own if own == other else f'{own}~{other}'): at_distance(
      ends[own], teacher_ends[other], **settings
    ).mean()
    for own, other in taps
  }
  close(loss, 100 * sum(parts.values()), rtol=1e-4)
  for name, part in parts.items():
    close(metrics[f'at/{name}'], part, rtol=1e-4)


def test_taps_of_configs_are_endpoints_of_a_wrn():
  network = wrn_network(depth=16)
  _, ends = network.shapes()
  groups, blocks = (common.wrn_taps(x, 16) for x in ('groups', 'blocks'))
  assert [own for own, _ in groups] == ['group1', 'group2', 'group3']
  assert len(blocks) == 6
  assert {name for tap in groups + blocks for name in tap} <= set(ends)


def test_schedule_moves_the_weight(pair):
  weight = common.linear(100.0, start=1.0, end=3.0)
  objective = build(
    pair.student, pair.teacher, ce=CE, at=at_term(weight=weight)
  )
  run = jax.jit(objective.loss)
  for step, want in ((0, 0), (10, 100), (15, 75), (20, 50), (30, 0)):
    loss, (_, metrics) = run(
      {'student': pair.own['params'], 'objective': {}},
      pair.own['batch_stats'],
      pair.others,
      pair.batch,
      jax.random.key(0),
      jnp.asarray(step),
    )
    close(metrics['weight/at'], want)
    close(loss, metrics['ce'] + want * metrics['at'])
    assert metrics['at'] > 1e-4  # logged also while its weight is 0
  assert run._cache_size() == 1


def test_teacher_that_is_the_student_leaves_cross_entropy():
  """Without batch norm train and eval mode agree: at = kd = 0."""
  network = tiny_network(norm=False)
  same = Setting(network, network)
  objective = build(
    network,
    network,
    ce={'weight': common.constant(0.1)},
    kd={'weight': common.constant(0.9)},
    at=at_term(1000.0, taps=BLOCKS),
  )

  def loss(params):
    return objective.loss(
      {'student': params, 'objective': {}},
      {},
      same.own,
      same.batch,
      jax.random.key(0),
      0,
    )

  def plain(params):
    logits, _ = network.apply({'params': params}, same.batch['image'])
    return 0.1 * cross_entropy(logits, same.batch['label']).mean()

  (total, (_, metrics)), grads = jax.jit(
    jax.value_and_grad(loss, has_aux=True)
  )(same.own['params'])
  want, plain_grads = jax.jit(jax.value_and_grad(plain))(same.own['params'])
  np.testing.assert_allclose(metrics['at'], 0, atol=1e-12)
  np.testing.assert_allclose(metrics['kd'], 0, atol=1e-5)
  close(total, want, rtol=1e-4)
  assert_trees_close(grads, plain_grads, rtol=1e-3, atol=1e-5)


def test_teacher_runs_in_eval_mode_and_is_not_returned():
  """Equal variables, but the student normalises with its batch."""
  network = tiny_network()
  same = Setting(network, network)
  same.others = same.own
  objective = build(network, network, at=at_term(1.0))
  _, batch_stats, metrics = same.loss(objective)
  _, ends, stats, _, _ = same.outputs
  _, eval_ends = jax.jit(network.apply)(same.own, same.batch['image'])
  for name in ('group1', 'group2'):
    want = at_distance(ends[name], eval_ends[name]).mean()
    assert want > 1e-6
    close(metrics[f'at/{name}'], want, rtol=1e-4)
  assert_trees_close(batch_stats, stats, rtol=1e-5, atol=1e-6)


def test_no_gradient_reaches_the_teacher(pair):
  objective = build(
    pair.student,
    pair.teacher,
    ce=CE,
    kd={'weight': common.constant(1.0)},
    at=at_term(),
  )

  def loss(params, others):
    return objective.loss(
      {'student': params, 'objective': {}},
      pair.own['batch_stats'],
      others,
      pair.batch,
      jax.random.key(0),
      0,
    )[0]

  own, others = jax.jit(jax.grad(loss, argnums=(0, 1)))(
    pair.own['params'], pair.others
  )
  assert all(not np.any(leaf) for leaf in jax.tree.leaves(others))
  assert any(np.any(leaf) for leaf in jax.tree.leaves(own))


def test_teacher_sees_the_images_in_its_own_normalisation():
  other = tiny_network(width=8, mean=(100.0,), std=(40.0,))
  setting = Setting(teacher=other)
  objective = build(setting.student, other, at=at_term(1.0))
  metrics = setting.loss(objective)[2]
  # `outputs` normalises the raw images for the teacher directly.
  _, ends, _, _, teacher_ends = setting.outputs
  for name in ('group1', 'group2'):
    want = at_distance(ends[name], teacher_ends[name]).mean()
    close(metrics[f'at/{name}'], want, rtol=1e-4)
  _, wrong = jax.jit(other.apply)(setting.others, setting.batch['image'])
  wrong = at_distance(ends['group1'], wrong['group1']).mean()
  assert abs(float(wrong / metrics['at/group1']) - 1) > 1e-3


@pytest.mark.parametrize(
  'settings',
  [{'name': 'supervised'}, {'name': 'transfer', 'terms': {'ce': CE}}],
  ids=['supervised', 'only ce'],
)
def test_teacher_that_no_term_needs_is_not_run(pair, settings):
  objective = make_objective(
    settings,
    student=pair.student,
    teacher=pair.teacher,
    steps_per_epoch=10,
    epochs=4,
  )
  assert objective.teacher is None
  loss, batch_stats, metrics = pair.loss(objective, others={})
  want = cross_entropy(pair.outputs[0], pair.batch['label']).mean()
  close(loss, want)
  assert set(metrics) == {'loss', 'train_error', 'ce', 'weight/ce'}
  assert_trees_close(batch_stats, pair.outputs[2], rtol=1e-5, atol=1e-6)


def test_maps_of_two_sizes_with_resize(pair):
  coarse = Setting(teacher=tiny_network(width=8, stride=2))
  objective = build(
    coarse.student, coarse.teacher, at=at_term(resize='bilinear')
  )
  _, ends, _, _, teacher_ends = coarse.outputs
  assert ends['group1'].shape[1] == 2 * teacher_ends['group1'].shape[1]
  want = at_distance(
    ends['group1'], teacher_ends['group1'], resize='bilinear'
  ).mean()
  close(coarse.loss(objective)[2]['at/group1'], want, rtol=1e-4)


def test_teacher_of_other_classes_is_fine_without_kd(pair):
  build(pair.student, tiny_network(num_classes=7), ce=CE, at=at_term())


ERRORS = {
  'term': (dict(att=CE), ["term 'att'", "mean 'at'", 'ce, kd, at']),
  'setting': (
    dict(at=at_term(form_='code')),
    ["'form_'", "mean 'form'", "term 'at'", 'weight', 'taps', 'resize'],
  ),
  'setting of kd': (
    dict(kd={'weight': common.constant(1.0), 'temprature': 4.0}),
    ["'temprature'", "mean 'temperature'"],
  ),
  'endpoint': (
    dict(at=at_term(taps=(('group3', 'group1'),))),
    ["student's", "'group3'", "mean 'group", 'group1/block1', 'group2'],
  ),
  "teacher's endpoint": (
    dict(at=at_term(taps=(('group1', 'grup1'),))),
    ["teacher's", "'grup1'", "mean 'group1'"],
  ),
  'kind': (
    dict(at=at_term(kind='sum_pwo')),
    ["'sum_pwo'", "mean 'sum_pow'", 'sum_abs', 'max_pow'],
  ),
  'form': (dict(at=at_term(form='cod')), ["'cod'", "mean 'code'", 'paper']),
  'resize': (dict(at=at_term(resize='linear')), ["'linear'", 'bilinear']),
  'power': (dict(at=at_term(p=0.5)), ['p >= 1', '0.5']),
  'temperature': (
    dict(kd={'weight': common.constant(1.0), 'temperature': 0.0}),
    ['temperature > 0'],
  ),
  'no weight': (dict(at={'taps': GROUPS}), ["'at'", 'no weight', 'constant']),
  'weight': (
    dict(ce={'weight': common.constant(1.0) | {'schedule': 'x'}}),
    ['schedule', "'ce'", 'linear'],
  ),
  'no taps': (dict(at=at_term(taps=())), ['no taps', 'common.same']),
  'no terms': ({}, ['no terms', 'ce', 'kd', 'at']),
}


@pytest.mark.parametrize('case', ERRORS)
def test_errors_when_built(pair, case):
  terms, words = ERRORS[case]
  with pytest.raises(ValueError) as error:
    build(pair.student, pair.teacher, **terms)
  for word in words:
    assert word in str(error.value)


@pytest.mark.parametrize(
  'terms',
  [dict(at=at_term()), dict(ce=CE, kd={'weight': common.constant(1.0)})],
  ids=['at', 'kd'],
)
def test_no_teacher_where_a_term_needs_one(pair, terms):
  with pytest.raises(ValueError, match='needs a teacher.*config.teacher'):
    build(pair.student, None, **terms)


def test_maps_of_two_sizes_name_both_taps_and_shapes(pair):
  coarse = tiny_network(stride=2)
  taps = (('group1/block1', 'group1'),)
  with pytest.raises(ValueError) as error:
    build(pair.student, coarse, at=at_term(taps=taps))
  for word in ("'group1/block1'", "'group1'", '8x8', '4x4', 'bilinear'):
    assert word in str(error.value)


def test_kd_with_other_classes_names_both_numbers(pair):
  with pytest.raises(ValueError) as error:
    build(
      pair.student,
      tiny_network(num_classes=7),
      kd={'weight': common.constant(1.0)},
    )
  for word in ('kd', '10', '7', 'teacher'):
    assert word in str(error.value)


@pytest.mark.parametrize(
  ('settings', 'words'),
  [
    ({'name': 'transfre'}, ["'transfre'", "mean 'transfer'", 'supervised']),
    ({'name': 'transfer', 'term': {}}, ["'term'", "mean 'terms'"]),
    ({'name': 'supervised', 'terms': {}}, ["'terms'", "'supervised'"]),
  ],
)
def test_unknown_objective_or_argument(pair, settings, words):
  with pytest.raises(ValueError) as error:
    make_objective(
      settings, student=pair.student, teacher=None, steps_per_epoch=1, epochs=1
    )
  for word in words:
    assert word in str(error.value)


def test_loss_does_not_depend_on_the_key(pair):
  objective = build(pair.student, pair.teacher, ce=CE, at=at_term())
  run = jax.jit(objective.loss)
  results = [
    run(
      {'student': pair.own['params'], 'objective': {}},
      pair.own['batch_stats'],
      pair.others,
      pair.batch,
      jax.random.key(seed),
      0,
    )
    for seed in (0, 1)
  ]
  assert_trees_equal(*results)
