"""TASN: a small network looks where to sample an image for a large one.

Source: Zheng, Fu, Zha and Luo, Looking for the Devil in the Details: Learning
Trilinear Attention Sampling Network for Fine-grained Image Recognition (TASN),
CVPR 2019, https://arxiv.org/abs/1903.06150, and its authors' code,
https://github.com/researchmm/tasn. Where they disagree docs/tasn.md says what
is here.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from at_jax import models
from at_jax._arrays import check_rank, unknown
from at_jax.models.layers import HeadInput, kaiming_normal
from at_jax.models.tasn_attention import AttentionNetwork, distinct_channels
from at_jax.resize import resize_align_corners
from at_jax.sampler import attention_sample
from at_jax.trilinear import trilinear_attention

SAMPLERS = ('cdf', 'uniform', 'filtered')
DRAWS = ('channel', 'distinct')
HEADS = {
  'both': ('shared', 'separate'),
  'shared': ('shared',),
  'separate': ('separate',),
}


class TASN(nn.Module):
  """Trilinear attention sampling, with a master and, in training, a part net.

  Images come at full size. At `attention_size` the attention network turns
  them into one map a channel. Their mean says how to sample the structure
  image, a single channel, drawn for each image and step anew, the detail image.
  One backbone sees both, in training as one batch: its batch norms mix them.
  The part network is the backbone on detail images, the master network that on
  structure images. In evaluation there is no part network and nothing is drawn.

  `apply` with `train=True` and `part` wants `rngs={'draw': key}`.

  Logits are those of the master network: of the head that both networks share,
  or with `heads='separate'` of its own. Endpoints, for the defaults:
    `logits/attention`, `logits/master` and, of the shared head,
    `logits/master_shared` [B, classes]; in training `logits/part` and
    `logits/part_shared`; the backbone's own of structure images,
    `backbone/group1` ..., whose places are not those of the image;
    `features` X [B, 28, 28, 512] and `attention`, one map a channel of it;
    `map/structure` [B, 28, 28] and `sampled/structure` [B, 224, 224, C]; in
    training `map/detail`, `sampled/detail` and the `detail_index` [B].

  Attributes:
    backbone: a key of `MODELS`, called with `num_classes` and `dtype`; or such
      a name and its arguments in a tuple, ('wrn', (('depth', 10),)).
    attention_size: height and width that the attention network sees.
    sampled_size: height and width that the backbone sees.
    stem, width, blocks: of the attention network, see `Trunk`.
    spatial_scale, variant: see `at_jax.trilinear_attention`.
    power: of the structure map, entry by entry; 1 in the paper, 2 in MXNet.
    sampler: `cdf`; for comparison `uniform`, a plain resize, and `filtered`,
      one that averages what it leaves out.
    dense, iters, joint, rule, marginal: see `at_jax.sample_positions`.
    draw: of detail maps: any `channel`; or one of `distinct` sums, as in MXNet,
      which counts channels that are dead, and so alike, once.
    detail_floor: added to detail maps; 0.01 in the authors' PyTorch code.
    detail_index: what the part network sees in evaluation: `none`, there is no
      part network then; `mean`, MXNet's, the mean of all maps; or a channel.
    align_corners: how maps are brought to the image's size.
    heads: `both`, `shared` (the backbone's own) or `separate`, which read what
      the backbone's own reads.
    part: whether there is a part network in training.
    num_classes: number of logits.
    dtype: of the activations; maps and positions are float32 or wider.
  """

  backbone: Any = 'resnet50'
  attention_size: int = 224
  sampled_size: int = 224
  stem: str = 'imagenet'
  width: int = 64
  blocks: tuple[int, ...] = (2, 2, 2, 2)
  spatial_scale: float = 7.0
  variant: str = 'both'
  power: float = 1.0
  sampler: str = 'cdf'
  dense: float = 4.0
  iters: int = 5
  joint: bool = True
  rule: str = 'centre'
  marginal: str = 'max'
  draw: str = 'channel'
  detail_floor: float = 0.0
  detail_index: Any = 'none'
  align_corners: bool = False
  heads: str = 'both'
  part: bool = True
  num_classes: int = 200
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    check_rank('TASN', images, '[B, H, W, C]')
    self._check()
    features, logits = AttentionNetwork(
      self.stem,
      self.width,
      self.blocks,
      self.num_classes,
      self.dtype,
      name='attention',
    )(_resized(images, self.attention_size), train=train)
    attention = trilinear_attention(
      jax.lax.stop_gradient(features),
      spatial_scale=self.spatial_scale,
      variant=self.variant,
    )
    mean = jnp.mean(attention, axis=-1)
    structure = mean if self.power == 1 else mean**self.power
    ends = {'logits/attention': logits, 'features': features}
    ends |= {'attention': attention, 'map/structure': structure}
    views = {'master': self.sampled(images, structure)}
    ends['sampled/structure'] = views['master']
    # Parameters are made of both branches, whatever is then applied.
    wanted = train or self.is_initializing() or self.detail_index != 'none'
    if self.part and wanted:
      if train or self.detail_index != 'mean':
        index = ends['detail_index'] = self._index(attention, train)
        detail = self.detail_map(attention, index)
      else:
        detail = mean
      views = {'part': self.sampled(images, detail)} | views
      ends |= {'map/detail': detail, 'sampled/detail': views['part']}
    ends |= self._classified(views, train)
    best = 'shared' in HEADS[self.heads]
    return ends['logits/master_shared' if best else 'logits/master'], ends

  def _check(self):
    for what, known in (
      ('sampler', SAMPLERS),
      ('draw', DRAWS),
      ('heads', tuple(HEADS)),
    ):
      if (value := getattr(self, what)) not in known:
        raise ValueError(unknown(f'{what} of TASN', value, known))
    index = self.detail_index
    channels = self.width * 2 ** (len(self.blocks) - 1)
    is_channel = isinstance(index, int) and 0 <= index < channels
    if index not in ('none', 'mean') and not is_channel:
      raise ValueError(
        "The detail_index of TASN is 'none', 'mean' or the number of one of "
        f'its {channels} channels, got {index!r}.'
      )

  def _index(self, attention, train):
    """The number of a channel for each image, `[B]`, in training drawn."""
    count, channels = len(attention), attention.shape[-1]
    if self.is_initializing():
      return jnp.zeros(count, jnp.int32)
    if not train:
      return jnp.full(count, self.detail_index, jnp.int32)
    key = self.make_rng('draw')
    if self.draw == 'channel':
      return jax.random.randint(key, (count,), 0, channels)
    return distinct_channels(key, jnp.sum(attention, axis=(1, 2)))

  # What follows reads attributes alone: it needs no variables, nor `apply`.

  def detail_map(self, attention, index):
    """The map `[B, h, w]` that samples the detail image.

    Args:
      attention: `[B, h, w, channels]`.
      index: the channel of each image, `[B]`.
    """
    index = index[:, None, None, None]
    one = jnp.take_along_axis(attention, index, axis=-1)[..., 0]
    return one + self.detail_floor

  def sampled(self, images, maps):
    """`[B, H, W, C]` resampled by maps `[B, h, w]`, at `sampled_size`."""
    if self.sampler != 'cdf':
      filtered = self.sampler == 'filtered'
      return _resized(images, self.sampled_size, filtered)
    maps, settings = self.sampling(maps, images.shape[1:3])
    size = (self.sampled_size,) * 2
    return attention_sample(images, maps, size, **settings)

  def sampling(self, maps, image_size):
    """What `at_jax.sample_positions` is told: maps and keyword arguments."""
    settings = dict(
      dense=self.dense,
      iters=self.iters,
      joint=self.joint,
      rule=self.rule,
      marginal=self.marginal,
    )
    if self.sampler != 'cdf':
      # A plain resize is what an even map gives by this rule.
      return jnp.ones_like(maps), settings | {'rule': 'centre'}
    if self.align_corners:
      maps = resize_align_corners(maps[..., None], image_size)[..., 0]
    return maps, settings

  def _classified(self, views, train):
    """Logits of every branch, and the backbone's endpoints of the master's."""
    name, arguments = self.backbone, ()
    if not isinstance(name, str):
      name, arguments = self.backbone
    if name not in models.MODELS:
      raise ValueError(unknown('backbone of TASN', name, models.MODELS))
    backbone = models.MODELS[name](
      **dict(arguments),
      num_classes=self.num_classes,
      dtype=self.dtype,
      name='backbone',
    )
    # One batch: two applications would update the batch norms twice.
    batch = jnp.concatenate(list(views.values()))
    with nn.intercept_methods(heard := HeadInput()):
      logits, found = backbone(batch, train=train)
    ends, count = {}, len(batch) // len(views)
    for i, branch in enumerate(views):
      own = slice(i * count, (i + 1) * count)
      if 'shared' in HEADS[self.heads]:
        ends[f'logits/{branch}_shared'] = logits[own]
      if 'separate' in HEADS[self.heads]:
        dense = nn.Dense(
          self.num_classes,
          dtype=self.dtype,
          kernel_init=kaiming_normal,
          name=f'{branch}_head',
        )
        ends[f'logits/{branch}'] = dense(heard.features[own])
    # The master's come last.
    own = slice(-count, None)
    return ends | {f'backbone/{name}': end[own] for name, end in found.items()}


def _resized(images, side, filtered=False):
  """Bilinear, half-pixel centres, unless `filtered` as the authors do it."""
  shape = (len(images), side, side, images.shape[-1])
  return jax.image.resize(images, shape, 'bilinear', antialias=filtered)
