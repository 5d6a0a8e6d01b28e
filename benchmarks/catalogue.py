"""The steps that `benchmarks.step` measures, and what each one works on.

Plain values: PyTorch's python, which reads them too, may lack what configs
need.
"""

from typing import NamedTuple


class Work(NamedTuple):
  """A step, and its images.

  Attributes:
    config: of at_jax.
    batch: images in a step.
    gpu_batch: the same on a GPU; 0: no other.
    size: height and width of the images.
    classes: their number.
    batches: how many lie in the memory of the device; as many are an epoch.
    mean: of the images on the scale 0 to 255; None: each pixel's own.
    std: likewise, a value a channel.
    float32: whether it is measured in float32 only.
    slow: whether it is measured only where it is asked for.
  """

  config: str
  batch: int = 128
  gpu_batch: int = 0
  size: int = 32
  classes: int = 10
  batches: int = 100  # as many as `train.py` has in one dispatch on a GPU
  mean: tuple | None = (125.3, 123.0, 113.9)
  std: tuple = (63.0, 62.1, 66.7)
  float32: bool = False
  slow: bool = False

  def batch_on(self, device):
    """Images in a step on a 'cpu' or a 'gpu'."""
    return self.gpu_batch if device == 'gpu' and self.gpu_batch else self.batch


def plain(config):
  """A step under the conditions of Table 3; second derivatives are float32."""
  return Work(config, batch=64, float32=True)


WORK = {
  'ce': Work('configs/wrn.py'),
  'kd': Work('configs/wrn_kd.py'),
  'at': Work('configs/wrn_at.py'),
  'nin': plain('configs/nin_plain.py'),
  'min_l2': plain('configs/nin_min_l2.py'),
  'grad_at': plain('configs/nin_grad_at.py'),
  'ran56_cifar': Work(
    'configs/ran_cifar.py:depth=56', batch=64, mean=None, std=(255.0,)
  ),
  'ran56': Work(
    'configs/ran_imagenet.py:model=ran56',
    batch=8,
    gpu_batch=64,
    size=224,
    classes=1000,
    batches=8,  # a hundred would be 120 MB, on a GPU 1 GB
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    slow=True,
  ),
}
# Those that are measured unless others are asked for.
USUAL = tuple(name for name, work in WORK.items() if not work.slow)
