"""Files of PyTorch weights: what is read, and what is refused."""

import collections
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from at_jax.torch_weights.files import read_state, write_state

STATE = {'a.weight': np.arange(6, dtype=np.float32).reshape(2, 3)}


def test_missing_file_and_folder(tmp_path):
  with pytest.raises(FileNotFoundError, match='no file .*x.pth'):
    read_state(tmp_path / 'x.pth')
  with pytest.raises(ValueError, match='is a folder.*add --to-torch'):
    read_state(tmp_path)


@pytest.mark.parametrize(
  'end, package, way',
  [
    ('pth', 'torch', 'pip install torch. Or .* pip install safetensors'),
    ('safetensors', 'safetensors', 'pip install safetensors. It needs no'),
  ],
)
def test_missing_packages(tmp_path, monkeypatch, end, package, way):
  monkeypatch.setitem(sys.modules, package, None)  # as if not installed
  file = tmp_path / f'a.{end}'
  file.touch()
  for act in (read_state, lambda path: write_state(path, STATE)):
    with pytest.raises(ImportError, match=f'a.{end} is .*{way}'):
      act(file)


@pytest.mark.parametrize('end', ['pth', 'pt', 'th', 'safetensors'])
def test_written_files_are_read(tmp_path, end):
  pytest.importorskip('safetensors' if end == 'safetensors' else 'torch')
  write_state(tmp_path / f'a.{end}', STATE)
  (got,) = read_state(tmp_path / f'a.{end}').items()
  assert got[0] == 'a.weight' and got[1].dtype == np.float32
  np.testing.assert_array_equal(got[1], STATE['a.weight'])


@pytest.mark.parametrize('end', ['pth', 'safetensors'])
def test_types_are_kept(tmp_path, end):
  torch = pytest.importorskip('torch')
  state = {
    'half': torch.ones(2).half(),
    'brain': torch.tensor([1.5, -3]).bfloat16(),
    'count': torch.tensor(3),
    'parameter': torch.nn.Parameter(torch.ones(1)),
    'strided': torch.arange(6.0).reshape(2, 3).T.contiguous(),
  }
  if end == 'safetensors':
    pytest.importorskip('safetensors.torch').save_file(
      state, tmp_path / 'a.safetensors'
    )
  else:
    state['strided'] = torch.arange(6.0).reshape(2, 3).T
    torch.save(state, tmp_path / 'a.pth')
  got = read_state(tmp_path / f'a.{end}')
  kinds = {name: array.dtype for name, array in got.items()}
  assert kinds == {
    'half': np.float16,
    'brain': jnp.bfloat16,
    'count': np.int64,
    'parameter': np.float32,
    'strided': np.float32,
  }
  np.testing.assert_array_equal(got['brain'].astype(np.float32), [1.5, -3])
  np.testing.assert_array_equal(got['strided'], [[0, 3], [1, 4], [2, 5]])


def save(found, path):
  torch = pytest.importorskip('torch')
  torch.save(found, path)
  return path


@pytest.mark.parametrize('key', ['', 'state_dict', 'model', 'params'])
def test_wrappers(tmp_path, key):
  torch = pytest.importorskip('torch')
  state = collections.OrderedDict(a=torch.ones(2))
  found = {'epoch': 3, key: state} if key else state
  assert read_state(save(found, tmp_path / 'a.pth')).keys() == {'a'}


def test_what_is_no_tensor_is_of_no_type(tmp_path):
  torch = pytest.importorskip('torch')
  found = {'a': torch.ones(2), 'epoch': 3, 'lr': [0.1, [2]]}
  got = read_state(save(found, tmp_path / 'a.pth'))
  assert got.keys() == found.keys()
  assert got['lr'].dtype == got['epoch'].dtype == object


@pytest.mark.parametrize(
  'found, message',
  [
    ({'net': {'a': 1}, 'epoch': 3}, 'it has keys: net, epoch. Save its'),
    ([1, 2], 'it has nothing. Save its'),
    ({}, 'it has nothing. Save its'),
  ],
)
def test_files_without_tensors(tmp_path, found, message):
  with pytest.raises(ValueError, match=message):
    read_state(save(found, tmp_path / 'a.pth'))


class Code:
  """What a pickle may not run."""


def test_code_in_pickles_is_refused_with_the_way_out(tmp_path):
  path = save({'state_dict': Code()}, tmp_path / 'a.pth')
  with pytest.raises(ValueError) as caught:
    read_state(path)
  for text in (str(path), 'Code', 'weights_only=False', 'If you trust'):
    assert text in str(caught.value)


@pytest.mark.parametrize('end', ['pth', 'safetensors'])
def test_damaged_files(tmp_path, end):
  pytest.importorskip('safetensors' if end == 'safetensors' else 'torch')
  path = tmp_path / f'a.{end}'
  write_state(path, STATE)
  whole = path.read_bytes()
  for data in (whole[: len(whole) // 2], b'', b'not this'):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f'a.{end} cannot be read as'):
      read_state(path)


def test_a_file_that_cannot_be_written(tmp_path, monkeypatch):
  torch = pytest.importorskip('torch')

  def full(state, path):
    path.write_bytes(b'half')
    raise RuntimeError('[enforce fail]: unexpected pos 64. No space left')

  path = tmp_path / 'a.pth'
  path.write_bytes(b'the old one')
  monkeypatch.setattr(torch, 'save', full)
  with pytest.raises(OSError, match='a.pth could not be .* disk is full'):
    write_state(path, STATE)
  assert [file.name for file in tmp_path.iterdir()] == ['a.pth']
  assert path.read_bytes() == b'the old one'
  with pytest.raises(OSError, match='could not be written: .*exists'):
    write_state(path / 'b.pth', STATE)
