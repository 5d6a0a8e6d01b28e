# ---
# jupyter:
#   accelerator: TPU
#   colab:
#     gpuType: V5E1
#     provenance: []
#     toc_visible: true
#   kernelspec:
#     display_name: Python 3
#     name: python3
#   language_info:
#     name: python
# ---

# %% [markdown]
# # Teach a small network where a large one looks
#
# [![Open in Colab][badge]][colab]
#
# Press **Runtime → Run all**. The same cells run on a TPU, a GPU or a CPU
# (Runtime → Change runtime type). In order: a study on digits that takes
# minutes, the losses alone in a training loop of your own, pictures of
# attention on photos, CIFAR-10 on the accelerator.
#
# The method is *attention transfer*, [Zagoruyko and Komodakis, ICLR 2017][at].
#
# [badge]: https://colab.research.google.com/assets/colab-badge.svg
# [colab]: https://colab.research.google.com/github/at-jax/at_jax/blob/main/notebooks/at_colab.ipynb
# [at]: https://arxiv.org/abs/1612.03928

# %% [markdown]
# ## Where are we?
#
# This cell finds the code and prints the machine. Inside a checkout it takes
# that; elsewhere it clones `REPOSITORY` (your fork, if you have one). Whatever
# is trained goes into `RUNS`.

# %%
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

REPOSITORY = 'https://github.com/at-jax/at_jax'
FAST = bool(os.environ.get('AT_JAX_NOTEBOOK_FAST'))  # tiny forms, for a test
RUNS = pathlib.Path(tempfile.mkdtemp() if FAST else 'runs')

here = pathlib.Path.cwd()
folders = [here, *here.parents, here / 'at_jax']
code = next((f for f in folders if (f / 'at_jax/__init__.py').is_file()), None)
if code is None:
  code = here / 'at_jax'
  clone = ['git', 'clone', '-q', '--depth=1', REPOSITORY, str(code)]
  subprocess.run(clone, check=True)
os.chdir(code)
sys.path.insert(0, str(code))

memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
print(f'Python {platform.python_version()}, {os.cpu_count()} cores', end=', ')
print(f'{memory / 2**30:.0f} GiB of memory; the code is in {code}')

# %% [markdown]
# ## What is missing?
#
# Colab brings most packages. Only those of `requirements.txt` that are missing
# or too old are installed, and named first. A JAX that fits is left as it is,
# with its driver of this TPU or GPU.

# %%
from packaging.requirements import Requirement

DRIVERS = {
  'libtpu': 'tpu',
  'jax-cuda12-plugin': 'cuda12',
  'jax-cuda13-plugin': 'cuda13',
}
lines = pathlib.Path('requirements.txt').read_text().splitlines()
wanted = [Requirement(line) for line in lines if line[:1] not in ('', '#')]
names = {'jaxlib', *DRIVERS, *(r.name for r in wanted)}
have = {}
for name in names:
  try:
    have[name] = importlib.metadata.version(name)
  except importlib.metadata.PackageNotFoundError:
    pass
missing = [
  r
  for r in wanted
  if not (
    r.name in have and r.specifier.contains(have[r.name], prereleases=True)
  )
]
kept = [f'{name}=={have[name]}' for name in ('jax', 'jaxlib') if name in have]
for requirement in missing:
  if requirement.name == 'jax':
    requirement.extras |= {DRIVERS[name] for name in DRIVERS if name in have}
    kept = []
if missing:
  print('Installing', *missing, sep='\n  ')
  pip = [sys.executable, '-m', 'pip', 'install', '-q', *map(str, missing)]
  subprocess.run(pip + kept, check=True)
else:
  print('Everything is here.')
if {requirement.name for requirement in missing} & set(sys.modules):
  sys.exit('Now choose Runtime > Restart session, then run all again.')

# %% [markdown]
# ## Devices
#
# What JAX computes on. (A CPU is used as two devices, which is faster.)

# %%
import jax

from at_jax.train import mesh
from at_jax.train.config import all_configs, find_config, load_config

mesh.split_cpu(all_configs(load_config('configs/digits_at.py')))
print(f'jax {jax.__version__}, {mesh.describe_devices()}')
for device in jax.devices():
  if memory := (device.memory_stats() or {}).get('bytes_limit'):
    print(f'{device}: {memory / 2**30:.0f} GiB')

# %% [markdown]
# `train(...)` does what `python train.py --config=...` does in a terminal, but
# in this process, since a TPU belongs to one process at a time. It takes as
# many devices as can share the batches. **Interrupt it when you like: run again
# it goes on.**

# %%
import math
import warnings

from absl import logging
from IPython.display import Image, Markdown, display

from at_jax.report import write_report
from at_jax.train.console import Console
from at_jax.train.study import run_study

logging.set_verbosity(logging.FATAL)  # or the checkpoints tell all they do
warnings.filterwarnings('ignore', module='orbax')


def train(spec):
  """Trains what is not yet trained, shows the table, returns the workdir."""
  path, arguments = find_config(spec)
  config = load_config(spec)
  every = all_configs(config)
  sizes = [n for c in every for n in (c.batch_size, c.eval_batch_size)]
  count = math.gcd(jax.device_count(), *sizes)
  workdir = RUNS / '-'.join(filter(None, (path.stem, arguments)))
  run_study(
    config,
    workdir,
    name=path.stem,
    arguments=arguments,
    console=Console(bar=False),
    mesh=mesh.data_mesh(jax.devices()[:count]),
  )
  display(Markdown(write_report(workdir)))
  return workdir


def show(workdir):
  """The pictures of a report."""
  for name in ('curves.png', 'attention.png'):
    display(Image(str(workdir / name)))


# %% [markdown]
# ## A study on digits
#
# A teacher sees 1,000 digits, its students 100. The table compares a student
# alone, with attention transfer (AT), with knowledge distillation (KD), and
# with both, over five seeds. Minutes, without a download.

# %%
spec = 'configs/digits_at.py'
digits = train(spec + ':tiny,seeds=1,rows=alone+at' if FAST else spec)

# %% [markdown]
# Test errors while they learned, and where the networks look: images in the
# first column, then the teacher's maps and the students'. The number is the
# cosine to the teacher's map.

# %%
show(digits)

# %% [markdown]
# ## The losses alone
#
# Now without any of our training: a network, an optimizer and a loop of your
# own. Only `at_distance` and `kd_divergence` are ours, pure functions of
# arrays with one value an example. Here is all of it.

# %%
import flax.linen as nn
import numpy as np
import optax
from sklearn.datasets import load_digits

from at_jax import at_distance, kd_divergence


class Net(nn.Module):
  width: int

  @nn.compact
  def __call__(self, x):
    features = []
    for stride in (1, 2):
      x = nn.relu(nn.Conv(stride * self.width, (3, 3), stride)(x))
      x = nn.Conv(stride * self.width, (3, 3))(x)
      features.append(x)  # [B, 8, 8, width], [B, 4, 4, 2 * width]
      x = nn.relu(x)
    return nn.Dense(10)(x.mean((1, 2))), features


def fit(net, images, labels, *, teacher=None, alpha=0.0, beta=0.0):
  """The parameters, and [steps, 2]: cross-entropy, distance of the maps."""
  steps = 5 if FAST else 500
  optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, steps))

  def loss(params, x, y):
    logits, features = net.apply(params, x)
    hard = optax.losses.softmax_cross_entropy_with_integer_labels(logits, y)
    hard, soft, attention = hard.mean(), 0.0, 0.0
    if teacher:
      teacher_logits, teacher_features = teacher(x)
      soft = kd_divergence(logits, teacher_logits, temperature=4.0).mean()
      for ours, theirs in zip(features, teacher_features, strict=True):
        attention += at_distance(ours, theirs).mean()
    total = (1 - alpha) * hard + alpha * soft + beta * attention
    return total, (hard, attention)

  @jax.jit
  def step(params, state, x, y):
    gradients, parts = jax.grad(loss, has_aux=True)(params, x, y)
    updates, state = optimizer.update(gradients, state)
    return optax.apply_updates(params, updates), state, parts

  params = net.init(jax.random.key(0), images[:1])
  state, history = optimizer.init(params), []
  for random in map(np.random.default_rng, range(steps)):
    batch = random.choice(len(images), 50, replace=False)
    params, state, parts = step(params, state, images[batch], labels[batch])
    history.append(parts)
  return params, np.array(history)


# %% [markdown]
# A wide teacher learns from 1,000 digits; then a narrow student learns from 100
# twice, with and without it. Left how both fit the labels, right how far their
# maps are from the teacher's: that is what AT pulls down. (One seed each, so
# a difference of test errors may be luck; the study above has five.)

# %%
import matplotlib.pyplot as plt

images, labels = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(images))
images = np.float32(images[order].reshape(-1, 8, 8, 1) / 16)
labels = labels[order]
test = slice(1000, None)

big, small = Net(32), Net(8)
big_params, _ = fit(big, images[:1000], labels[:1000])
settings = {'alone': (0.0, 0.0), 'AT+KD': (0.9, 100.0)}
students = {}
_, axes = plt.subplots(1, 2, figsize=(10, 3), layout='constrained')
for name, (alpha, beta) in settings.items():
  params, history = fit(
    small,
    images[:100],
    labels[:100],
    teacher=lambda x: big.apply(big_params, x),
    alpha=alpha,
    beta=beta,
  )
  students[name] = params
  guesses = small.apply(params, images[test])[0].argmax(-1)
  error = 100 * np.mean(guesses != labels[test])
  for axis, values in zip(axes, history.T, strict=True):
    axis.semilogy(values, label=f'{name}: test error {error:.1f} %')
axes[0].set(title='cross-entropy of a batch', xlabel='step')
axes[1].set(title='distance of the maps', xlabel='step')
axes[1].legend()
plt.show()

# %% [markdown]
# `attention_map` makes a map of any features. Test digits, where the teacher
# looks, and where the two students do.

# %%
from at_jax import attention_map

nets = {'teacher': (big, big_params)}
nets |= {name: (small, params) for name, params in students.items()}
shown = images[test][:10]
_, axes = plt.subplots(4, 10, figsize=(10, 4.4), layout='constrained')
rows = {'image': shown[..., 0]}
for name, (net, params) in nets.items():
  rows[name] = attention_map(net.apply(params, shown)[1][0])
for axis_row, (name, maps) in zip(axes, rows.items(), strict=True):
  for axis, values in zip(axis_row, maps, strict=True):
    axis.imshow(values, cmap='gray' if name == 'image' else 'viridis')
    axis.set(xticks=[], yticks=[])
  axis_row[0].set_ylabel(name)
plt.show()

# %% [markdown]
# ## Where a network looks in a photo
#
# `at_jax.visualize` answers for any run and any photo. Here the study's student
# with attention transfer beside its teacher: they have only ever seen digits,
# and yet `group1` is active at edges, `group3` at parts. Put names of your own
# photos in place of `files`.

# %%
from sklearn.datasets import load_sample_images

from at_jax.visualize.__main__ import main as visualize

photos = load_sample_images()
files = [str(RUNS / pathlib.Path(n).name) for n in photos.filenames]
for file, photo in zip(files, photos.images, strict=True):
  plt.imsave(file, photo)
size = [] if FAST else ['--size=200']  # pixels; they learned on 16
seen = ['--rows=at', '--what=maps', '--style=heat', f'--out={RUNS}/seen']
visualize([f'--workdir={digits}', *seen, *size, '--images', *files])
for file in files:
  display(Image(f'{RUNS}/seen/{pathlib.Path(file).stem}_maps.png'))

# %% [markdown]
# ## Sampling by attention
#
# Attention can also decide what is seen. `trilinear_attention` joins channels
# that fire together; `attention_sample` gives attended places more pixels
# ([TASN, CVPR 2019](https://arxiv.org/abs/1903.06150)). The lines show where
# the image on the right takes its rows and columns from. (The map is made of
# the study's teacher, read from its weights folder.)

# %%
import json

from at_jax import attention_sample, sample_positions, trilinear_attention
from at_jax.train.weights import load_weights

about = json.loads((digits / 'teachers.json').read_text())[0]
weights = load_weights(digits / about['folder'] / 'main/seed0/weights')
network = weights.network
pixels = np.stack(photos.images)  # [2, 427, 640, 3]
every = 8 if FAST else 2  # of them is enough for a map
grey = pixels[:, ::every, ::every].mean(-1, keepdims=True)
grey = (grey - np.array(network.mean)) / np.array(network.std)
_, endpoints = jax.jit(network.apply)(weights.variables, np.float32(grey))

size = pixels.shape[1:3]
features = jax.nn.relu(endpoints['group3'])
maps = attention_map(trilinear_attention(features))
sampled = attention_sample(pixels, maps, size)
lines = sample_positions(maps, size, (18, 27))

_, axes = plt.subplots(2, 3, figsize=(12, 5.6), layout='constrained')
for k, (left, middle, right) in enumerate(axes):
  left.imshow(maps[k], cmap='viridis')
  middle.imshow(pixels[k])
  middle.hlines(lines[0][k], 0, size[1] - 1, 'white', lw=0.6)
  middle.vlines(lines[1][k], 0, size[0] - 1, 'white', lw=0.6)
  right.imshow(np.uint8(sampled[k]))
for axis in axes.ravel():
  axis.axis('off')
plt.show()

# %% [markdown]
# ## CIFAR-10 on the accelerator
#
# A WRN-16-1 taught by a WRN-16-2, the first row of the paper's Table 1. Ten
# epochs here instead of its 200: delete `:epochs=10` for the whole, which takes
# twenty times as long (and `configs/table1.py:seeds=5` is the whole table). On
# a CPU, or where CIFAR-10 cannot be downloaded, the tiny form runs instead:
# same code, small digits, numbers that mean nothing. The cell says so.

# %%
TINY, CIFAR = 'configs/wrn_at.py:tiny', 'configs/wrn_at.py:epochs=10'
slow = FAST or jax.default_backend() == 'cpu'
if slow:
  print('The tiny form: on two cores CIFAR would take most of an hour.\n')
try:
  cifar = train(TINY if slow else CIFAR)
except FileNotFoundError as error:
  print(error)
  print('\nHere 2. is the simplest: upload the file to that folder with the')
  print('file browser on the left, and run this cell again. (Or only run')
  print('it again: servers come back.) Until then, the tiny form.\n')
  cifar = train(TINY)

# %%
show(cifar)

# %% [markdown]
# ## Where next?
#
# **When Colab disconnects**, what lay on its machine is gone. To keep it, put
# two lines in place of `RUNS = ...` in the first cell:
#
# ```python
# from google.colab import drive; drive.mount('/content/drive')
# RUNS = pathlib.Path('/content/drive/MyDrive/at_jax')
# ```
#
# The first asks for your Google Drive, the second trains in a folder there.
# Connect again and run all: finished runs are only read, the one that was cut
# off goes on from its last checkpoint, at most two minutes back.
#
# **More**, in the [README][readme] and its pages:
#
# - [attention transfer][transfer]: what is computed, every setting, every row
#   of the paper's tables;
# - [where networks look][seeing], in pictures, of any of your runs;
# - [residual attention][residual] and [sampling][tasn]: networks with attention
#   inside;
# - [your own photos][photos]: a folder of images as data;
# - [your own data, model or loss][own]: one function, one line.
#
# [readme]: https://github.com/at-jax/at_jax#readme
# [transfer]: https://github.com/at-jax/at_jax/blob/main/docs/attention_transfer.md
# [seeing]: https://github.com/at-jax/at_jax/blob/main/docs/seeing.md
# [residual]: https://github.com/at-jax/at_jax/blob/main/docs/residual_attention.md
# [tasn]: https://github.com/at-jax/at_jax/blob/main/docs/tasn.md
# [photos]: https://github.com/at-jax/at_jax/blob/main/docs/transfer_learning.md
# [own]: https://github.com/at-jax/at_jax/blob/main/CONTRIBUTING.md
