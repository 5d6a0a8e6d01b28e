"""The command: folders, flags, what it prints and how it ends.

Files are NumPy arrays here, so PyTorch is not needed; test_convert_torch.py has
real ones.
"""

import json
import re
import sys

import numpy as np
import pytest
from small_networks import assert_trees_equal

from at_jax import convert
from at_jax.models import create_model
from at_jax.objectives import Network
from at_jax.torch_weights.layouts import find_layout
from at_jax.torch_weights.state_dicts import find_slots, from_torch
from at_jax.train.config import load_config
from at_jax.train.weights import load_weights
from configs import common

FLAGS = ['a.pth', '--model=wrn:depth=10,width=0.5']


@pytest.fixture
def files(monkeypatch):
  """A disk of state dicts, {path: {name: array}}, with a WRN-10-0.5."""
  model = create_model('wrn', depth=10, width=0.5, num_classes=3)
  network = Network(model, (0.0,), (1.0,), (8, 8, 3), '')
  rng = np.random.default_rng(0)
  state = {
    slot.name: rng.uniform(0.1, 1, slot.shape).astype(np.float32)
    for slot in find_slots(find_layout('wrn'), network.variable_shapes)
  }
  disk = {'a.pth': state}
  monkeypatch.setattr(convert, 'read_state', lambda path: dict(disk[path]))
  monkeypatch.setattr(
    convert, 'write_state', lambda path, state: disk.update({path: state})
  )
  return disk


def test_weights_folder(files, tmp_path, capsys):
  out = tmp_path / 'new' / 'wrn'
  classes = tmp_path / 'names.txt'
  classes.write_text('cat\ndog\n\n red fox\n')
  convert.main(
    [
      *FLAGS,
      f'--out={out}',
      f'--classes={classes}',
      '--image-size=8',
      '--mean=1,2,3',
      '--std=40,50,60.5',
      '--label=WRN-10-0.5',
    ]
  )
  weights = load_weights(out)
  assert weights.class_names == ('cat', 'dog', 'red fox')
  assert weights.network == Network(
    create_model('wrn', depth=10, width=0.5, num_classes=3, dtype='float32'),
    (1.0, 2.0, 3.0),
    (40.0, 50.0, 60.5),
    (8, 8, 3),
    'WRN-10-0.5',
  )
  assert json.loads((out / 'model.json').read_text())['model'] == {
    'name': 'wrn',
    'depth': 10,
    'width': 0.5,
    'num_classes': 3,
  }
  parameters = sum(
    array.size for name, array in files['a.pth'].items() if 'run' not in name
  )
  printed = capsys.readouterr().out
  count = len(files['a.pth'])
  assert f'{count} tensors, {parameters:,} parameters -> {out}\n' in printed
  assert '3 classes; images 8x8x3, mean (1.0, 2.0, 3.0)' in printed


def test_printed_lines_go_into_a_config(files, tmp_path, capsys):
  convert.main([*FLAGS, f'--out={tmp_path}/a'])
  lines = capsys.readouterr().out.splitlines()
  config = load_config('configs/wrn_at.py:tiny').copy_and_resolve_references()
  with config.unlocked():
    for line in lines:
      if line.startswith('  config.'):
        exec(line.strip(), {'config': config, 'common': common})
  assert config.teacher.config == ''
  assert config.teacher.weights == f'{tmp_path}/a'
  assert config.start.to_dict() == {'': f'{tmp_path}/a'}


def test_defaults(files, tmp_path):
  convert.main([*FLAGS, f'--out={tmp_path}/a'])
  weights = load_weights(tmp_path / 'a')
  assert weights.class_names == ('0', '1', '2')
  assert weights.network.input_shape == (32, 32, 3)
  assert weights.network.label == 'wrn:depth=10,width=0.5'
  assert weights.network.std == (63.0, 62.1, 66.7)


def test_there_and_back_and_there(files, tmp_path, capsys):
  convert.main([*FLAGS, f'--out={tmp_path}/a'])
  there = tmp_path / 'b.pth'
  convert.main([f'{tmp_path}/a', '--to-torch', f'--out={there}'])
  assert files[there].keys() == files['a.pth'].keys()
  assert 'parameters -> ' in capsys.readouterr().out
  files['b.pth'] = files[there]
  convert.main(['b.pth', FLAGS[1], f'--out={tmp_path}/b'])
  assert_trees_equal(
    load_weights(tmp_path / 'b').variables,
    load_weights(tmp_path / 'a').variables,
  )


def test_old_names_of_a_densenet(files, tmp_path):
  """norm.1 for norm1, and so on, as in the published weights."""
  model = create_model('densenet121', growth=2, width=4, num_classes=3)
  network = Network(model, (0.0,), (1.0,), (32, 32, 3), '')
  slots = find_slots(find_layout('densenet121'), network.variable_shapes)
  rng = np.random.default_rng(0)
  new = {slot.name: rng.uniform(0.1, 1, slot.shape) for slot in slots}
  old = {
    'module.' + re.sub(r'(denselayer.*(norm|conv))', r'\1.', name): array
    for name, array in new.items()
  }
  assert sum('.1.' in name or '.2.' in name for name in old) == 58 * 10
  files['a.pth'] = old
  said = convert.convert(
    'a.pth', tmp_path / 'a', model='densenet121:growth=2,width=4', image_size=32
  )
  assert '606 tensors' in said
  variables = load_weights(tmp_path / 'a').variables
  assert_trees_equal(variables, from_torch(new, slots))


def end(*flags):
  """The message that the command ends with."""
  with pytest.raises(SystemExit) as caught:
    convert.main([str(flag) for flag in flags])
  return caught.value.code


def test_out_is_not_overwritten_by_chance(files, tmp_path):
  out = tmp_path / 'a'
  out.mkdir()
  (out / 'precious').touch()
  for extra in ([], ['--overwrite']):
    said = end(*FLAGS, f'--out={out}', *extra)
    assert said.startswith('ValueError: ') and 'no weights folder' in said
  assert 'no weights folder' in end(*FLAGS, f'--out={out}/precious')
  (out / 'precious').unlink()
  out.rmdir()
  convert.main([*FLAGS, f'--out={out}'])
  before = load_weights(out).digest
  files['a.pth']['fc.bias'] += 1
  assert 'add --overwrite' in end(*FLAGS, f'--out={out}')
  assert load_weights(out).digest == before
  convert.main([*FLAGS, f'--out={out}', '--overwrite'])
  assert load_weights(out).digest != before
  back = tmp_path / 'b.pth'
  back.write_text('precious')
  said = end(out, '--to-torch', f'--out={back}')
  assert 'add --overwrite' in said and back not in files
  convert.main([str(out), '--to-torch', f'--out={back}', '--overwrite'])
  assert back in files


def test_tensors_that_do_not_fit_leave_the_folder_alone(files, tmp_path):
  convert.main([*FLAGS, f'--out={tmp_path}/a'])
  del files['a.pth']['bn.bias']
  said = end(*FLAGS, f'--out={tmp_path}/a', '--overwrite')
  assert said.startswith(
    'ValueError: a.pth, read as wrn:depth=10,width=0.5: its tensors'
  )
  assert '\n  1 missing: bn.bias\n' in said
  load_weights(tmp_path / 'a')


@pytest.mark.parametrize(
  'flags, message',
  [
    (['a.pth'], 'Which network is in a.pth\\? --model=wrn, .* --to-torch'),
    (['a.pth', '--model=nin'], "Unknown model of PyTorch 'nin'"),
    (['a.pth', '--model=wrn:depht=10'], "Did you mean 'depth'"),
    (['a.pth', '--model=wrn:depth=11'], r'6n \+ 4 .* got 11'),
    (['a.pth', '--model=wrn:depth'], "wants numbers, got ''"),
    ([*FLAGS, '--option-a=middle'], "Unknown option A 'middle'"),
    ([*FLAGS, '--classes=NAMES'], 'NAMES has 2 names, .* layer 3 classes'),
    ([*FLAGS, '--std=0.2'], r'on the scale 0 to 255, got \(0\.2,\)'),
    ([*FLAGS, '--to-torch'], 'leave out --model: a weights folder'),
    (['a.pth', '--to-torch'], r'must say by its end .* \.pth, .*safetensors'),
  ],
)
def test_user_mistakes(files, tmp_path, monkeypatch, flags, message):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'NAMES').write_text('cat\ndog\n')
  said = end(*flags, '--out=out')
  assert said.startswith('ValueError: ')
  with pytest.raises(ValueError, match=message):
    raise ValueError(said)
  assert not (tmp_path / 'out').exists()


def test_folders_that_are_none(files, tmp_path):
  said = end(tmp_path, '--to-torch', f'--out={tmp_path}/a.pth')
  assert said.startswith('FileNotFoundError: No weights folder at')


def test_models_without_a_layout_are_not_written(files, tmp_path):
  convert.main([*FLAGS, f'--out={tmp_path}/a'])
  path = tmp_path / 'a' / 'model.json'
  about = json.loads(path.read_text())
  about['model'] |= {'name': 'preact_wrn'}
  path.write_text(json.dumps(about))
  said = end(tmp_path / 'a', '--to-torch', f'--out={tmp_path}/a.pth')
  assert "Unknown model 'preact_wrn'" in said


def test_missing_pytorch_ends_in_one_message(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'torch', None)  # as if not installed
  file = tmp_path / 'a.pth'
  file.touch()
  said = end(file, '--model=resnet18', f'--out={tmp_path}/a')
  assert said.startswith('ImportError: ') and 'pip install torch' in said
