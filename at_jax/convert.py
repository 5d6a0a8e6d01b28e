"""Weights of PyTorch networks as weights folders, and back.

python -m at_jax.convert resnet34.pth --model=resnet34 --out=weights/resnet34
python -m at_jax.convert FILE --model='wrn:depth=16,width=2' --out=FOLDER
python -m at_jax.convert FOLDER --to-torch --out=FILE.safetensors

Which files, which names: docs/convert.md.
"""

import argparse
import collections
import pathlib
import sys

import jax
import numpy as np

from at_jax.torch_weights.files import WRITTEN, read_state, write_state
from at_jax.torch_weights.layouts import (
  LAYOUTS,
  find_layout,
  fit_head,
  present_names,
)
from at_jax.torch_weights.settings import (
  class_names,
  make_network,
  parse_model,
)
from at_jax.torch_weights.state_dicts import (
  find_sizes,
  find_slots,
  from_torch,
  one_network,
  to_torch,
)
from at_jax.train.checkpoint import read_json
from at_jax.train.weights import load_weights, save_weights


def convert(
  file,
  out,
  *,
  model,
  classes='',
  image_size=0,
  mean='',
  std='',
  label='',
  prefix='',
  option_a='both',
  overwrite=False,
):
  """Writes a weights folder with the weights of a PyTorch network.

  Args:
    file: see `at_jax.torch_weights.files.read_state`.
    out: the folder.
    model: as a config's: 'resnet18', 'wrn:depth=16,width=2'. The number of
      classes is that of the file's last layer.
    classes: a file with a name on each line; '' names them 0, 1, ...
    image_size: height and width; 0 is 224 for torchvision's networks, 32 for
      the others.
    mean: of the images, 'r,g,b' on the scale 0 to 255; '' is that of ImageNet
      for torchvision's networks, of CIFAR for the others.
    std: likewise.
    label: what tables call it; '' is `model`.
    prefix: 'student' takes the tensors that begin with `student.` alone.
    option_a: of a CIFAR ResNet, see `find_layout`.
    overwrite: whether `out` may be a weights folder that is there.

  Returns:
    What was converted, in a few lines.

  Raises:
    ImportError: PyTorch or safetensors is needed and not there.
    OSError, ValueError: something does not fit; nothing was written.
  """
  out = _free(out, overwrite, folder=True)
  name, arguments = parse_model(model)
  layout = find_layout(name, option_a=option_a)
  found = read_state(file)
  try:
    state = present_names(layout, one_network(found, prefix))
    layout = fit_head(layout, state)
    channels, count = find_sizes(layout, state)
    arguments = {'name': name, **arguments, 'num_classes': count}
    network = make_network(
      arguments, channels, image_size, mean, std, label or model
    )
    slots = find_slots(layout, network.variable_shapes)
    variables = from_torch(state, slots)
  except ValueError as error:
    raise ValueError(f'{file}, read as {model}: {error}') from error
  save_weights(
    out,
    network=network,
    model=arguments,
    variables=variables,
    class_names=class_names(classes, count),
  )
  lines = [
    f'{file}: {_counts(slots, variables)} -> {out}',
    _images(network, count),
  ]
  kinds = collections.Counter(str(state[slot.name].dtype) for slot in slots)
  lines += [
    f'  {number} tensors were {kind}, now float32'
    for kind, number in kinds.items()
    if kind != 'float32'
  ]
  if len(found) > len(state):
    lines.append(
      f'  {len(found) - len(state)} tensors outside {prefix} were left out'
    )
  return '\n'.join(
    [
      *lines,
      'In a config, as the teacher:',
      f"  config.teacher.config, config.teacher.weights = '', {str(out)!r}",
      'or to begin from:',
      f"  config.start = common.dotted({{'': {str(out)!r}}})",
    ]
  )


def convert_to_torch(folder, out, *, option_a='both', overwrite=False):
  """Writes a PyTorch state dict with what a weights folder holds.

  Args:
    folder: a weights folder.
    out: a file, .pth, .pt, .th or .safetensors.
    option_a: of a CIFAR ResNet, see `find_layout`.
    overwrite: whether `out` may be a file that is there.

  Returns, Raises: as `convert`.
  """
  out = _free(out, overwrite, folder=False)
  if out.suffix not in WRITTEN:
    raise ValueError(
      f'--out={out} must say by its end what to write: {", ".join(WRITTEN)}.'
    )
  weights = load_weights(folder)
  about = read_json(pathlib.Path(folder).expanduser() / 'model.json')
  layout = find_layout(about['model']['name'], option_a=option_a)
  slots = find_slots(layout, weights.variables)
  write_state(out, to_torch(weights.variables, slots))
  return '\n'.join(
    [
      f'{folder}: {_counts(slots, weights.variables)} -> {out}',
      _images(weights.network, len(weights.class_names)),
    ]
  )


def _free(out, overwrite, *, folder):
  """The absolute path `out`, if one may write there."""
  path = pathlib.Path(out).expanduser().absolute()
  kind = 'weights folder' if folder else 'file'
  fits = (path / 'model.json').is_file() if folder else path.is_file()
  if path.exists() and not fits:
    raise ValueError(
      f'--out={out} is there and no {kind}: choose a path that is free.'
    )
  if path.exists() and not overwrite:
    raise ValueError(
      f'--out={out} is there already: choose another path, or add --overwrite.'
    )
  return path


def _counts(slots, variables):
  parameters = sum(map(np.size, jax.tree.leaves(variables['params'])))
  return f'{len(slots)} tensors, {parameters:,} parameters'


def _images(network, classes):
  height, width, channels = network.input_shape
  return (
    f'  {classes} classes; images {height}x{width}x{channels}, mean '
    f'{network.mean} and std {network.std} on the scale 0 to 255'
  )


def main(argv=None):
  parser = argparse.ArgumentParser(
    prog='python -m at_jax.convert',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add = parser.add_argument
  add('file', metavar='FILE', help='or a weights folder, with --to-torch')
  add('--out', required=True, help='a folder; with --to-torch a file')
  add('--model', default='', help=f'{", ".join(LAYOUTS)}; with arguments')
  add('--classes', default='', help='file of names; default: 0, 1, ...')
  add('--image-size', type=int, default=0, help='default: 224, or 32 for CIFAR')
  add('--mean', default='', help="0 to 255; default: ImageNet's or CIFAR's")
  add('--std', default='', help='likewise')
  add('--label', default='', help='in tables; default: the model')
  add('--prefix', default='', help='student or teacher, where both are there')
  add(
    '--option-a',
    default='both',
    help="both or end: the zeros of PyTorch's CIFAR ResNets; default: both",
  )
  add('--to-torch', action='store_true', help='the other direction')
  add('--overwrite', action='store_true', help='what --out names')
  flags = vars(parser.parse_args(argv))
  try:
    print(_run(**flags))
  except (ImportError, OSError, ValueError) as error:
    sys.exit(f'{type(error).__name__}: {error}')


def _run(file, out, *, to_torch, option_a, overwrite, **of_files):
  shared = {'option_a': option_a, 'overwrite': overwrite}
  if not to_torch:
    if not of_files['model']:
      raise ValueError(
        f'Which network is in {file}? --model={", ".join(LAYOUTS)}, with '
        "arguments where it has some: --model='wrn:depth=16,width=2'. A "
        'weights folder wants --to-torch instead.'
      )
    return convert(file, out, **of_files, **shared)
  extra = [f'--{k.replace("_", "-")}' for k, v in of_files.items() if v]
  if extra:
    raise ValueError(
      f'With --to-torch leave out {", ".join(extra)}: a weights folder says '
      'that itself.'
    )
  return convert_to_torch(file, out, **shared)


if __name__ == '__main__':
  main()
