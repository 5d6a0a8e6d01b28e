"""Configs of residual attention networks: recipes, rows, numbers."""

import pytest

from at_jax.train import config as c
from configs import common, ran


def load(spec):
  return c.load_config(f'configs/{spec}')


def drops_in_steps(config, images=50_000):
  steps = images // config.batch_size
  return [round((drop - 1) * steps) for drop in config.optimizer.drops]


def test_recipe_of_cifar():
  config = load('ran_cifar.py')
  assert drops_in_steps(config) == [64_000, 96_000]
  assert (config.epochs - 1) * 781 < 160_000 <= config.epochs * 781
  optimizer = config.optimizer
  assert optimizer.nesterov and optimizer.momentum == 0.9
  assert (optimizer.lr, optimizer.factor) == (0.1, 0.1)
  assert optimizer.weight_decay == 1e-4 and optimizer.undecayed == ()
  assert optimizer.schedule == 'steps' and not optimizer.reset_momentum
  data = config.data
  assert (data.pad, data.pad_mode, data.flip) == (4, 'zero', True)
  assert data.per_pixel_mean and data.std == (255.0,)
  assert config.batch_size == 64 and config.bn == 'global'


def test_fewer_iterations_move_drops_along():
  config = load('ran_cifar.py:iterations=16000,batch=128,validation=5000')
  assert drops_in_steps(config, 45_000) == [6_400, 9_600]
  assert config.epochs == -(-16_000 // 351)
  few = load('ran_cifar.py:iterations=100,train_examples=640')
  assert few.epochs == 10 and drops_in_steps(few, 640) == [40, 60]
  with pytest.raises(ValueError, match='make no epoch of 50000 training'):
    load('ran_cifar.py:batch=60000')


def test_digits_have_a_length_of_their_own():
  config = load('ran_cifar.py:dataset=digits')
  assert config.epochs == 40 and drops_in_steps(config, 1000) == [240, 360]


@pytest.mark.parametrize(
  ('depth', 'model', 'paper'),
  [
    (56, dict(modules=1), 5.52),
    (92, dict(modules=2), 4.99),
    (128, dict(modules=3), 4.44),
    (164, dict(modules=4), 4.31),
    (236, dict(modules=6), 4.14),
    (452, dict(modules=6, p=2, t=4, r=3), 3.90),
  ],
)
def test_depths(depth, model, paper):
  config = load(f'ran_cifar.py:depth={depth}')
  plain = dict(gate='mixed', residual=True, mask='encoder_decoder')
  assert config.model.to_dict() == dict(name='ran_cifar', **model, **plain)
  assert config.paper == paper and config.label == f'Attention-{depth}'


@pytest.mark.parametrize(
  ('arguments', 'paper'),
  [
    ('gate=channel', 6.24),
    ('gate=spatial', 6.33),
    ('mask=local', 6.48),
    ('residual=False', 5.89),
    ('depth=164,residual=False', 7.18),
    ('depth=92,noise=0.3', 5.79),
    ('depth=92,dataset=cifar100', 21.71),
    # Nothing is claimed of what the paper did not run.
    ('mask=none', 0.0),
    ('noise=0.3', 0.0),
    ('depth=92,gate=channel', 0.0),
    ('depth=56,dataset=cifar100', 0.0),
    ('depth=92,gate=channel,dataset=cifar100', 0.0),
    ('iterations=1000', 0.0),
    ('batch=128', 0.0),
    ('dataset=digits', 0.0),
    # What changes no result changes no claim.
    ('eval_every=5', 5.52),
  ],
)
def test_the_papers_numbers(arguments, paper):
  assert load(f'ran_cifar.py:{arguments}').paper == paper


def test_noise_reaches_the_data():
  data = load('ran_cifar.py:noise=0.3,noise_seed=7').data
  assert (data.label_noise, data.noise_seed) == (0.3, 7)


def rows(spec):
  config = load(spec)
  return {name: c.row_config(config, name) for name in c.row_names(config)}


def test_table1():
  found = rows('ran_table1.py')
  gates = {name: one.model.gate for name, one in found.items()}
  assert gates == dict(mixed='mixed', channel='channel', spatial='spatial')
  assert [one.paper for one in found.values()] == [5.52, 6.24, 6.33]


def test_table3():
  config, found = load('ran_table3.py'), rows('ran_table3.py')
  assert list(found)[:2] == ['arl_56', 'nal_56'] and len(found) == 9
  papers = {56: (5.52, 5.89), 92: (4.99, 5.35), 128: (4.44, 5.57)}
  for depth, both in (papers | {164: (4.31, 7.18)}).items():
    one, two = found[f'arl_{depth}'], found[f'nal_{depth}']
    assert one.model.modules == two.model.modules == (depth - 20) // 36
    assert (one.model.residual, two.model.residual) == (True, False)
    assert (one.paper, two.paper) == both
    assert config.rows[f'nal_{depth}'].baseline == f'arl_{depth}'
  resnet = found['resnet_164']
  assert resnet.model.to_dict() == dict(name='preact_cifar_resnet', depth=164)
  assert resnet.paper == 5.46


def test_table4():
  found = rows('ran_table4.py')
  assert [one.model.mask for one in found.values()] == list(found)
  assert [one.paper for one in found.values()] == [5.52, 6.48, 0.0]


def test_table5():
  config, found = load('ran_table5.py:noise_seed=4'), rows('ran_table5.py')
  papers = {10: (5.93, 5.15), 30: (6.61, 5.79), 50: (8.35, 7.27)}
  for level, both in (papers | {70: (17.21, 15.75)}).items():
    two = found[f'resnet_{level}'], found[f'attention_{level}']
    assert tuple(one.paper for one in two) == both
    assert {one.data.label_noise for one in two} == {level / 100}
    assert two[0].model.name == 'preact_cifar_resnet'
    assert two[1].model.modules == 2
  assert {c.row_config(config, r).data.noise_seed for r in found} == {4}


def test_recipe_of_imagenet():
  config = load('ran_imagenet.py')
  steps = 530_000 / 106  # a guess: a batch of 256
  found = [(drop - 1) * steps for drop in config.optimizer.drops]
  assert found == pytest.approx([200_000, 400_000, 500_000])
  assert config.batch_size == 256 and config.data.colour == 0.1
  assert config.data.crop == 'random_resized' and config.data.size == 224
  assert config.data.test_split == 'validation'
  assert config.optimizer.nesterov and config.optimizer.weight_decay == 1e-4
  assert config.model.to_dict() == dict(name='ran56') and config.paper == 21.76
  assert load('ran_imagenet.py:model=ran_next56').paper == 21.2
  assert load('ran_imagenet.py:model=ran92').paper == 0.0


def test_digits_have_all_four_kinds():
  found = rows('ran_digits.py')
  kinds = {
    name: (one.model.get('mask'), one.model.get('residual'))
    for name, one in found.items()
  }
  assert kinds == dict(
    arl=(None, None),
    nal=(None, False),
    local=('local', None),
    none=('none', None),
  )
  assert load('ran_digits.py').baseline == 'none'


@pytest.mark.parametrize(
  ('taps', 'pairs'), [('groups', 3), ('masks', 6), ('both', 9)]
)
def test_masks_as_taps(taps, pairs):
  config = load(f'ran_at.py:depth=92,teacher_depth=164,taps={taps}')
  found = config.objective.terms.at.taps
  assert len(found) == pairs
  if taps != 'groups':
    assert ('mask/group2/module1', 'mask/group2/module2') in found
    assert ('mask/group3/module2', 'mask/group3/module4') in found
  teacher = c.teacher_config(c.row_config(config, 'main'))
  assert teacher.model.modules == 4 and teacher.data == config.data
  assert teacher.optimizer.drops == config.optimizer.drops
  fewer = load('ran_at.py:depth=164,teacher_depth=56').objective.terms.at.taps
  assert {other for _, other in fewer} == {
    f'mask/group{g}/module1' for g in (1, 2, 3)
  }


@pytest.mark.parametrize('form', ['', ',tiny'])
def test_one_gate_for_student_and_teacher(form):
  config = load(f'ran_at.py:gate=channel{form}')
  teacher = c.teacher_config(c.row_config(config, 'main'))
  assert config.model.gate == teacher.model.gate == 'channel'
  assert config.objective.terms.at.p == 2.0  # to be set to 4


@pytest.mark.parametrize('taps', ['groups', 'masks', 'both'])
def test_a_label_says_what_is_transferred(taps):
  assert load(f'ran_at.py:taps={taps}').label == f'AT ({taps})'


@pytest.mark.parametrize('name', ['ran_cifar', 'ran_at', 'ran_table3'])
def test_the_tiny_form_has_a_length_of_its_own(name):
  with pytest.raises(ValueError, match='leave out iterations=, or tiny'):
    load(f'{name}.py:iterations=16000,tiny')


@pytest.mark.parametrize(
  ('spec', 'words'),
  [
    ('ran_cifar.py:depth=57', "Unknown depth '?57"),
    ('ran_cifar.py:dataset=imagenet', "Unknown dataset 'imagenet'"),
    ('ran_at.py:taps=mask', "Unknown taps 'mask'.*mean 'masks'"),
    ('ran_table1.py:rows=mixd', "Unknown row 'mixd'.*mean 'mixed'"),
  ],
)
def test_errors(spec, words):
  with pytest.raises(ValueError, match=words):
    load(spec)


def test_helpers_are_no_configs():
  assert 'configs/ran.py' in c.HELPERS
  assert common.base().data.label_noise == 0.0 and ran.DROPS[0] == 64_000
