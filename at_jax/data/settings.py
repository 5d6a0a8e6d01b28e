"""The `data` part of a config, read once and checked."""

import collections.abc
import dataclasses
import pathlib

DEFAULT_DIR = '~/tensorflow_datasets'
NUMBERS = (
  'validation',
  'train_examples',
  'size',
  'channels',
  'resize',
  'workers',
  'noise_seed',
)
OF_STREAMS = ('crop', 'resize', 'scale', 'to_box', 'test_split', 'workers')


@dataclasses.dataclass(frozen=True)
class Settings:
  """What a source is told.

  Attributes:
    name: a key of `SOURCES`; of those that are streamed followed by a colon and
      a path or name: `folder:photos`, `tfds:cars196`, `chestxray14:xrays`.
    dir: where files are looked for; empty is `DEFAULT_DIR`, where TFDS puts
      them too; `~` is expanded.
    validation: how many training images are held out; 0 is none. Of patients
      all images or none, so it may be some more.
    train_examples: how many of the remaining ones are kept, balanced over the
      classes (not where images have several labels); 0 is all.
    size: height and width the images are brought to; 0 is their own, or 224
      where they are streamed.
    channels: 1 or 3; 0 is their own.
    skip_damaged: leave damaged records out and count them, where otherwise
      the first one ends the run. Streamed images are all read once for it.
    label_noise: probability that a training label is replaced by another one,
      each with the same probability; in memory only.
    noise_seed: of these replacements.

  Of images that are streamed:
    crop: how training images are cropped, see `examples.View`; others are
      resized and cropped centrally.
    resize: their shorter side before that; 0 is size * 256 / 224.
    scale: of the crop 'random_resized'.
    to_box: whether to look at the first annotated box only.
    test_split: the split that is tested on; '' is `test` (a folder's `val`
      where there is none).
    workers: processes that read and decode; 0: threads of this one.

  Raises:
    ValueError: a number that is no whole number or is negative.
  """

  name: str
  dir: str = ''
  validation: int = 0
  train_examples: int = 0
  size: int = 0
  channels: int = 0
  skip_damaged: bool = False
  label_noise: float = 0.0
  noise_seed: int = 0
  crop: str = 'random_resized'
  resize: int = 0
  scale: tuple[float, float] = (0.08, 1.0)
  to_box: bool = False
  test_split: str = ''
  workers: int = 0

  def __post_init__(self):
    object.__setattr__(self, 'scale', tuple(self.scale))  # JSON has lists
    for field in NUMBERS:
      value = getattr(self, field)
      if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(
          f'data.{field} must be a whole number, 0 or more, got {value!r}.'
        )

    noise = self.label_noise
    if not (isinstance(noise, (int, float)) and 0 <= noise <= 1):
      raise ValueError(
        'data.label_noise is the probability of a wrong label, from 0 to 1, '
        f'got {noise!r}.'
      )

  @classmethod
  def read(cls, mapping: collections.abc.Mapping) -> 'Settings':
    """Picks these fields from a mapping or ConfigDict that may hold more."""
    fields = [field.name for field in dataclasses.fields(cls)]
    if 'name' not in mapping:
      raise ValueError(f'data.name is missing; the fields are {fields}.')
    return cls(**{k: mapping[k] for k in fields if k in mapping})

  @property
  def folder(self) -> pathlib.Path:
    """`dir` with its default put in and `~` expanded."""
    return pathlib.Path(self.dir or DEFAULT_DIR).expanduser()

  def check_in_memory(self):
    """Raises ValueError where something is set that only streams obey."""
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if field.name in OF_STREAMS and value != field.default:
        raise ValueError(
          f'data.{field.name}={value!r} is for images that are streamed '
          f'(folder:<path>, tfds:<name>, …); {self.name!r} is read into '
          f'memory: leave it at {field.default!r}.'
        )

  @property
  def path(self) -> str:
    """What follows the colon in `name`."""
    return self.name.partition(':')[2]
