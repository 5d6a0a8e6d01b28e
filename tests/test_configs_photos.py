"""The configs for large images: what the paper says, and what sizes follow."""

import pytest

from at_jax.data import STREAMED
from at_jax.train.config import load_config, row_config, teacher_config
from configs import common, photos


def load(name, arguments=''):
  return load_config(f'configs/{name}.py:{arguments}')


def test_imagenet_is_the_released_recipe():
  config = load('resnet_imagenet')
  assert config.data.name == 'tfds:imagenet2012'
  assert config.data.test_split == 'validation'
  assert (config.data.size, config.data.pad, config.data.flip) == (224, 0, True)
  assert config.data.crop == 'random_resized'
  assert config.data.scale == (0.08, 1.0)
  assert (config.batch_size, config.epochs) == (256, 100)
  own = config.optimizer
  assert (own.lr, own.momentum, own.weight_decay) == (0.1, 0.9, 1e-4)
  assert (tuple(own.drops), own.factor) == ((30, 60, 90), 0.1)
  assert own.reset_momentum and config.bn == 'global'
  assert config.model.to_dict() == dict(name='resnet18')
  assert config.paper == 30.4
  assert load('resnet_imagenet', 'depth=34').paper == 26.1
  assert load('resnet_imagenet', 'depth=50').paper == 0.0
  short = load('resnet_imagenet', 'epochs=10')
  assert tuple(short.optimizer.drops) == (4, 7, 10) and short.paper == 0.0


@pytest.mark.parametrize(
  ('recipe', 'groups', 'start', 'reset'),
  [
    ('paper', (3, 4), 59.0, True),
    ('repeat', (3, 4), 0.0, False),
    ('code', (1, 2, 3, 4), 0.0, True),
  ],
)
def test_recipes_of_imagenet(recipe, groups, start, reset):
  for name in ('resnet_imagenet_at', 'table5'):
    config = load(name, f'recipe={recipe}')
    if name == 'table5':
      config = row_config(config, 'at')
    term = config.objective.terms['at']
    assert term.taps == common.same(*(f'group{g}' for g in groups))
    assert term.weight.to_dict() == common.constant(1000.0, start=start)
    assert config.optimizer.reset_momentum == reset
    teacher = teacher_config(config)
    assert teacher.model.to_dict() == dict(name='resnet34')
    drops = (31, 61, 91) if recipe == 'repeat' else (30, 60, 90)
    assert tuple(config.optimizer.drops) == drops
    assert teacher.optimizer == config.optimizer


def test_the_paper_begins_at_the_same_part_of_a_short_run():
  config = load('resnet_imagenet_at', 'epochs=20')
  assert config.objective.terms['at'].weight.start == 11.8
  with pytest.raises(ValueError, match="recipe 'papper'.*mean 'paper'"):
    load('resnet_imagenet_at', 'recipe=papper')


@pytest.mark.parametrize('name', ['cub', 'scenes'])
def test_fine_tuning_is_what_the_paper_says(name):
  config = load(f'resnet_{name}_at')
  assert config.start.to_dict() == {'': 'weights/resnet18'}
  assert config.freeze == ('stem', 'group1_*') and config.bn == 'frozen'
  assert config.objective.terms['at'].taps == common.same('group3', 'group4')
  assert config.data.to_box == (name == 'cub')
  assert config.data.crop == 'random' and config.data.size == 224
  assert config.paper == dict(cub=27.0, scenes=27.1)[name]
  teacher = teacher_config(config)
  assert teacher.start.to_dict() == {'': 'weights/resnet34'}
  assert teacher.model.to_dict() == dict(name='resnet34')
  assert teacher.bn == 'frozen' and teacher.data == config.data
  assert teacher.optimizer == config.optimizer


def test_table4_has_the_papers_numbers_for_its_own_settings_only():
  assert errors('') == [28.5, 27.0, 27.0]
  assert errors('dataset=scenes') == [28.2, 28.1, 27.1]
  assert errors('dataset=scenes,seeds=5') == [28.2, 28.1, 27.1]
  assert errors('dataset=folder:x') == errors('lr=0.1') == [0.0] * 3
  assert load('table4', 'rows=alone+at').baseline == 'alone'


def errors(arguments):
  return [row.paper for row in load('table4', arguments).rows.values()]


def test_from_scratch_nothing_is_frozen():
  arguments = 'dataset=folder:~/photos,start=,teacher_start=,epochs=6,size=112'
  config = load('table4', arguments)
  for one in (row_config(config, 'at'), teacher_config(config)):
    assert not one.start and one.freeze == () and one.bn == 'global'
    assert not one.optimizer.rates and tuple(one.optimizer.drops) == (4, 6)
    assert one.data.name == 'folder:~/photos' and one.data.size == 112


@pytest.mark.parametrize('name', ['resnet_finetune', 'table4'])
@pytest.mark.parametrize(
  ('arguments', 'boxed'),
  [
    ('dataset=cub', True),
    ('dataset=cub,to_box=False', False),
    ('dataset=tfds:cars196', True),
    ('dataset=folder:x', False),
    ('dataset=folder:x,to_box=True', True),
    ('dataset=folder:x,to_box', True),
    ('dataset=scenes,to_box=True', True),  # and its data say: no boxes
    ('tiny', False),
  ],
)
def test_boxes_are_looked_at_where_the_paper_does_or_as_asked(
  name, arguments, boxed
):
  config = load(name, arguments)
  assert config.data.to_box is boxed
  if name == 'table4' and 'tiny' not in arguments:
    assert teacher_config(row_config(config, 'at')).data.to_box is boxed


def test_whole_images_of_scenes_are_the_papers():
  assert load('resnet_scenes_at', 'to_box=False').paper == 27.1
  assert load('resnet_cub_at', 'to_box=False').paper == 0.0
  assert errors('dataset=cub,to_box=False') == [0.0] * 3
  assert load('resnet_finetune', 'dataset=cub,to_box=False').paper == 0.0


def test_an_unknown_dataset_names_the_nearest_and_all():
  for name in ('resnet_finetune', 'resnet_imagenet', 'table4'):
    with pytest.raises(ValueError, match="'cup'.*mean 'cub'.*folder:<path>"):
      load(name, 'dataset=cup')


def test_every_name_has_its_source():
  for name in [*photos.DATASETS.values(), *photos.BOXED]:
    assert name.partition(':')[0] in STREAMED
  assert set(photos.BOXED) & set(photos.DATASETS.values())


def test_papers_numbers_want_pretrained_weights_wherever_they_lie():
  assert load('resnet_finetune', 'start=elsewhere').paper == 28.5
  assert load('resnet_finetune', 'dataset=scenes,depth=34').paper == 26.0
  assert load('resnet_finetune', 'start=').paper == 0.0
  assert load('resnet_cub_at', 'start=a,teacher_start=b').paper == 27.0
  assert load('resnet_cub_at', 'teacher_start=').paper == 0.0
  assert load('resnet_imagenet', 'start=weights').paper == 0.0
  teacher = teacher_config(load('table4', 'teacher_start='))
  assert teacher.paper == 0.0


def test_a_depth_begins_with_its_own_weights():
  begun = {'': 'weights/resnet34'}
  assert load('resnet_finetune', 'depth=34').start.to_dict() == begun
  config = load('table4', 'depth=34,teacher_depth=50')
  assert config.start.to_dict() == begun
  teacher = teacher_config(config)
  assert teacher.start.to_dict() == {'': 'weights/resnet50'}
  named = load('resnet_finetune', 'depth=34,start=mine').start
  assert named.to_dict() == {'': 'mine'}


def test_tiny_forms_begin_with_nothing():
  for name in ('resnet_imagenet', 'resnet_finetune', 'table5'):
    assert not load(name, 'tiny,start=weights').start
