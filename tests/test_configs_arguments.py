"""Arguments of configs, and the small helpers that configs are written with."""

import ml_collections
import pytest

from configs import common, networks

DEFAULTS = dict(tiny=False, seeds=1, width=1.0, teacher='configs/wrn.py', p=2.0)


def parsed(text):
  return common.parse_arg(text, **DEFAULTS).to_dict()


@pytest.mark.parametrize('text', [None, '', ','])
def test_no_argument_gives_the_defaults(text):
  assert parsed(text) == DEFAULTS


@pytest.mark.parametrize(
  ('text', 'changes'),
  [
    ('tiny', {'tiny': True}),
    ('tiny=True', {'tiny': True}),
    ('tiny=1', {'tiny': True}),
    ('tiny=false', {'tiny': False}),
    ('seeds=5', {'seeds': 5}),
    ('seeds=5,tiny', {'seeds': 5, 'tiny': True}),
    ('width=2', {'width': 2.0}),
    ('width=1e-1', {'width': 0.1}),
    ('teacher=', {'teacher': ''}),
    ('seeds=2,seeds=3', {'seeds': 3}),
  ],
)
def test_values_take_the_type_of_the_default(text, changes):
  values = parsed(text)
  assert values == DEFAULTS | changes
  assert {k: type(v) for k, v in values.items()} == {
    k: type(v) for k, v in DEFAULTS.items()
  }


def test_arguments_of_a_config_inside_an_argument():
  text = 'teacher=configs/wrn.py:depth=40;width=2,seeds=3'
  assert parsed(text) == DEFAULTS | {
    'teacher': 'configs/wrn.py:depth=40;width=2',
    'seeds': 3,
  }


@pytest.mark.parametrize(
  ('text', 'words'),
  [
    ('widht=2', ["'widht'", "mean 'width'", *DEFAULTS]),
    ('Tiny', ["'Tiny'", "mean 'tiny'"]),
    ('seeds=2,xyzzy', ["'xyzzy'", 'tiny, seeds, width, teacher, p']),
  ],
)
def test_unknown_argument_names_the_nearest_and_all(text, words):
  with pytest.raises(ValueError) as error:
    parsed(text)
  for word in words:
    assert word in str(error.value)


@pytest.mark.parametrize(
  ('text', 'words'),
  [
    ('seeds=2.5', ['seeds=2.5', 'int', 'like 1']),
    ('seeds=', ['seeds=', 'int']),
    ('seeds', ['seeds', 'int']),
    ('width=wide', ['width=wide', 'float', 'like 1.0']),
    ('tiny=maybe', ['tiny=maybe', 'bool', 'like False']),
  ],
)
def test_value_of_another_type(text, words):
  with pytest.raises(ValueError) as error:
    parsed(text)
  for word in words:
    assert word in str(error.value)


def test_a_name_alone_is_no_text():
  with pytest.raises(ValueError, match='teacher'):
    parsed('teacher')


def test_weights_hold_plain_floats():
  assert common.constant(2) == dict(
    value=2.0, schedule='constant', start=0.0, end=0.0
  )
  assert common.linear(2, start=1, end=3) == dict(
    value=2.0, schedule='linear', start=1.0, end=3.0
  )
  assert common.cosine(2)['schedule'] == 'cosine'
  assert common.steps(2, at=[3, 4], factor=1, end=9) == dict(
    value=2.0, schedule='steps', start=0.0, end=9.0, at=(3, 4), factor=1.0
  )
  assert type(common.constant(2)['value']) is float


def test_schedule_by_name():
  for name in ('constant', 'linear', 'cosine'):
    assert common.schedule(name)(3.0)['schedule'] == name
  with pytest.raises(ValueError, match="'step'.*constant, linear, cosine"):
    common.schedule('step')


def taps_arg(taps, depth, teacher=None):
  teacher = f'x.py:depth={depth}' if teacher is None else teacher
  return ml_collections.ConfigDict(
    dict(taps=taps, depth=depth, teacher=teacher)
  )


def test_taps():
  assert common.same('a', 'b') == (('a', 'a'), ('b', 'b'))
  groups = common.same('group1', 'group2', 'group3')
  assert networks.wrn_taps(taps_arg('groups', 40), 40) == groups
  assert networks.wrn_taps(taps_arg('blocks', 16), 16) == common.same(
    'group1/block1', 'group1/block2', 'group2/block1',
    'group2/block2', 'group3/block1', 'group3/block2',
  )  # fmt: skip
  with pytest.raises(ValueError, match="Did you mean 'blocks'"):
    networks.wrn_taps(taps_arg('block', 16), 16)


@pytest.mark.parametrize('teacher', ['x.py:depth=40;width=2', 'x.py', ''])
def test_blocks_want_a_teacher_of_the_same_depth(teacher):
  with pytest.raises(ValueError, match='same depth, 16'):
    networks.wrn_taps(taps_arg('blocks', 16, teacher), 16)


def test_dotted_keeps_paths_and_their_order():
  changes = common.dotted({'z.y': 1, 'a.b': 2})
  assert list(changes) == ['z.y', 'a.b']
  assert changes.to_dict() == {'z.y': 1, 'a.b': 2}


def test_base_is_the_paper():
  config = common.base()
  assert config.optimizer.to_dict() == dict(
    name='sgd', lr=0.1, momentum=0.9, nesterov=False, weight_decay=5e-4,
    schedule='steps', drops=(60, 120, 160), factor=0.2, reset_momentum=True,
    warmup=0.0, undecayed=(), rates={},
  )  # fmt: skip
  assert (config.epochs, config.batch_size, config.bn) == (200, 128, 'global')
  data = config.data
  assert (data.pad, data.pad_mode, data.flip) == (4, 'reflect', True)
  assert data.mean == (125.3, 123.0, 113.9) and data.std == (63.0, 62.1, 66.7)


@pytest.mark.parametrize(
  ('dataset', 'flip', 'channels'),
  [('cifar10', True, 3), ('cifar100', True, 3), ('mnist', False, 1),
   ('digits', False, 1)],
)  # fmt: skip
def test_setup_of_every_dataset(dataset, flip, channels):
  arg = common.parse_arg(None, tiny=False, dataset=dataset, seeds=3)
  config = common.setup(arg)
  assert config.data.name == dataset and config.seeds == 3
  assert config.data.flip is flip
  assert len(config.data.mean) == len(config.data.std) == channels


@pytest.mark.parametrize('dataset', common.DATASETS)
def test_tiny_needs_no_files(dataset):
  arg = common.parse_arg('tiny', tiny=False, dataset=dataset)
  config = common.setup(arg)
  assert config.data.name == 'digits'
  assert config.tiny and config.epochs <= 2


def test_unknown_dataset_names_all():
  arg = common.parse_arg(None, tiny=False, dataset='cifar')
  with pytest.raises(ValueError) as error:
    common.setup(arg)
  for word in ("'cifar'", *common.DATASETS):
    assert word in str(error.value)
