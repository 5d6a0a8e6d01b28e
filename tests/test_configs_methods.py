"""The ways to teach, written out, and the arguments that reach them."""

import pytest

from at_jax.train import config as c
from configs import networks

GROUPS = tuple((f'group{i}', f'group{i}') for i in (1, 2, 3))


def weight(value, schedule='constant'):
  return dict(value=value, schedule=schedule, start=0.0, end=0.0)


def at(beta=1e3, schedule='constant', **settings):
  term = dict(form='code', kind='sum_pow', p=2.0, resize='', taps=GROUPS)
  return term | dict(weight=weight(beta, schedule)) | settings


def kd(alpha=0.9, temperature=4.0):
  return dict(weight=weight(alpha), temperature=temperature)


def activation(beta=1e5, schedule='linear', taps=GROUPS):
  return dict(weight=weight(beta, schedule), form='code', taps=taps)


CE = dict(weight=weight(1.0))
SOFT_CE = dict(weight=weight(pytest.approx(0.1)))
WRITTEN_OUT = {
  'wrn_at': dict(ce=CE, at=at()),
  'wrn_activation': dict(ce=CE, activation=activation()),
  'wrn_kd': dict(ce=SOFT_CE, kd=kd()),
  'wrn_at_kd': dict(ce=SOFT_CE, kd=kd(), at=at(schedule='linear')),
  'nin_at': dict(ce=CE, at=at()),
  'cifar_resnet_at': dict(ce=CE, at=at()),
}
BLOCKS = tuple(
  (f'group{g}/block{b}',) * 2 for g in (1, 2, 3) for b in range(1, 3)
)


def terms(spec):
  objective = c.load_config(f'configs/{spec}').objective.to_dict()
  assert set(objective) == {'name', 'terms'}
  assert objective['name'] == 'transfer'
  return objective['terms']


@pytest.mark.parametrize('name', WRITTEN_OUT)
def test_methods_of_the_paper(name):
  assert terms(f'{name}.py') == WRITTEN_OUT[name]


@pytest.mark.parametrize(
  ('spec', 'found'),
  [
    ('wrn_at.py:beta=5', dict(ce=CE, at=at(5.0))),
    (
      'wrn_at.py:form=paper,kind=max_pow,p=1',
      dict(ce=CE, at=at(form='paper', kind='max_pow', p=1.0)),
    ),
    ('wrn_at.py:taps=blocks', dict(ce=CE, at=at(taps=BLOCKS))),
    ('nin_at.py:beta=5', dict(ce=CE, at=at(5.0))),
    ('cifar_resnet_at.py:beta=5', dict(ce=CE, at=at(5.0))),
    (
      'wrn_activation.py:beta=5,decay=cosine',
      dict(ce=CE, activation=activation(5.0, 'cosine')),
    ),
    (
      'wrn_activation.py:taps=blocks',
      dict(ce=CE, activation=activation(taps=BLOCKS)),
    ),
    (
      'wrn_kd.py:alpha=0.25,temperature=2',
      dict(ce=dict(weight=weight(0.75)), kd=kd(0.25, 2.0)),
    ),
    (
      'wrn_at_kd.py:alpha=0.25,temperature=2,beta=5,decay=constant',
      dict(ce=dict(weight=weight(0.75)), kd=kd(0.25, 2.0), at=at(5.0)),
    ),
  ],
)
def test_arguments_reach_the_objective(spec, found):
  assert terms(spec) == found


@pytest.mark.parametrize(
  ('spec', 'student', 'teacher'),
  [
    (
      'nin_at.py:width=48,teacher=configs/nin.py:width=96',
      dict(name='nin', widths=48),
      dict(name='nin', widths=96),
    ),
    (
      'cifar_resnet_at.py',
      dict(name='cifar_resnet', depth=20),
      dict(name='cifar_resnet', depth=56),
    ),
    (
      'cifar_resnet_at.py:depth=8,teacher=configs/cifar_resnet.py:depth=14',
      dict(name='cifar_resnet', depth=8),
      dict(name='cifar_resnet', depth=14),
    ),
    (
      'wrn_activation.py:depth=22,width=3,teacher=configs/wrn.py:depth=40',
      dict(name='wrn', depth=22, width=3.0),
      dict(name='wrn', depth=40, width=1.0),
    ),
  ],
)
def test_arguments_reach_the_networks(spec, student, teacher):
  config = c.load_config(f'configs/{spec}')
  assert config.model.to_dict() == student
  assert c.teacher_config(config).model.to_dict() == teacher


def test_networks_are_small_in_the_tiny_form():
  assert networks.nin(96, tiny=True)['widths'] == 8
  assert networks.nin(192, tiny=True)['widths'] == 16
  assert networks.cifar_resnet(56, tiny=True)['depth'] == 8
  assert networks.wrn(40, 2, tiny=True) == dict(name='wrn', depth=10, width=2.0)
  assert networks.nin(96) == dict(name='nin', widths=96)


@pytest.mark.parametrize(
  ('spec', 'label'),
  [
    ('nin.py', 'NIN-192'),
    ('nin.py:width=96', 'NIN-96'),
    ('nin.py:tiny', 'NIN-16'),
    ('cifar_resnet.py:depth=56', 'ResNet-56'),
    ('wrn.py:depth=40,width=1.5', 'WRN-40-1.5'),
  ],
)
def test_labels_name_the_network(spec, label):
  assert c.load_config(f'configs/{spec}').label == label
