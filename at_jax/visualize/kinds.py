"""What can be shown of networks: what --what says."""

import dataclasses
import inspect
import pathlib
from collections.abc import Callable

from at_jax._arrays import unknown
from at_jax.train.class_views import check_class_maps
from at_jax.train.looks import check_masks
from at_jax.train.samples import check_samples
from at_jax.visualize.gates import show_gates
from at_jax.visualize.gradients import show_gradients
from at_jax.visualize.maps import check_maps, show_maps
from at_jax.visualize.masks import show_masks
from at_jax.visualize.samples import show_samples
from at_jax.visualize.taps import forms_of


@dataclasses.dataclass(frozen=True)
class Kind:
  """One way to see networks.

  Attributes:
    show: of several networks at once, with `together`, called with columns,
      `Images`, a folder and, by name, flags; of one, with weights, an iterable
      of `Shown`, and the same. It returns cells of a table, or none.
    check: raises ValueError for a network that has no such thing.
    suffix: pictures are called `<image>_<suffix>.png`.
    title: what the page calls it.
    text: what the page says of it, a function of the flags that it was given.
    together: whether networks stand side by side in one picture.
    of_all: a picture of all images together.
  """

  show: Callable
  check: Callable
  suffix: str
  title: str
  text: Callable
  together: bool = False
  of_all: str = ''

  @property
  def flags(self):
    """The names of the flags that it takes."""
    parameters = inspect.signature(self.show).parameters.values()
    own = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    return [name for name in own if name != 'say']

  def lacking(self, network):
    """Why a network cannot be shown so; '' where it can."""
    try:
      self.check(network)
    except ValueError as error:
      return str(error)
    return ''


PREDICTED = 'the class that the network takes the image for'
LABELLED = (
  f"the image's own class where the network has it, else of {PREDICTED}"
)
KINDS = {
  'maps': Kind(
    show_maps,
    check_maps,
    'maps',
    'Attention maps',
    lambda flags: (
      'How strongly a layer responds at each place, '
      f'{", ".join(forms_of(flags.get("kind", ""), flags.get("p", "")))} over '
      'its channels (sum_pow2 sums squares, max_pow2 takes the largest, '
      'sum_abs sums absolute values). Yellow is strong, violet weak; below '
      'each map are the ends of its scale and its cosine with the map of the '
      'network it is compared with. A map says where a layer is active, not '
      'what the answer depends on.'
    ),
    together=True,
  ),
  'gradients': Kind(
    show_gradients,
    lambda network: None,
    'gradients',
    'Input gradients',
    lambda flags: (
      'The gradient at the pixels of −log probability of '
      f'{LABELLED if flags.get("label") else PREDICTED}. Above it is summed '
      'over colours: brighter red pixels would make the class less probable, '
      'brighter blue ones more; below is its absolute value, over the image. '
      'It holds for tiny changes of this very image.'
    ),
    together=True,
  ),
  'masks': Kind(
    show_masks,
    check_masks,
    'masks',
    'Masks',
    lambda flags: (
      'What the masks of residual attention modules let through: T, the '
      "trunk's features; the mask M; the image as light as the mask, and the "
      'mask over it; M T; H, what leaves the module, and as the next unit sees '
      'it. Yellow is large, violet small; below each panel are the ends of its '
      'scale. A mask is a gate, not evidence for a class.'
    ),
  ),
  'samples': Kind(
    show_samples,
    check_samples,
    'samples',
    'Samples',
    lambda flags: (
      'Where a trilinear attention network samples the image more densely: the '
      'map that says so, the rows and columns that are read, and the image '
      'made of them; the same of single channels; below, how the densities of '
      'rows and columns become positions.'
    ),
    of_all='features_and_maps.png',
  ),
  'gates': Kind(
    show_gates,
    check_class_maps,
    'classes',
    'Classes',
    lambda flags: (
      'Where triple attention sees each class: attention A, which is bright '
      'somewhere even if the class is not there; A · sigmoid(S), dark where '
      'the scores S deny the class; S, and M = S · A, red above 0, blue below.'
    ),
    of_all='gates.png',
  ),
}


@dataclasses.dataclass(frozen=True)
class Section:
  """What was drawn: where it lies, and the cells of its table."""

  kind: Kind
  title: str
  text: str
  folder: pathlib.Path
  lines: list

  def picture(self, name):
    """The picture of an image, whether or not it is there."""
    return self.folder / f'{name}_{self.kind.suffix}.png'


def chosen_kinds(what, columns, say):
  """{name: (Kind, its columns)} of what --what names; '' is all there is.

  Raises:
    ValueError: an unknown name, or none of the networks has such a thing.
  """
  named = list(dict.fromkeys(name for name in what.split(',') if name))
  found = {}
  for name in named or KINDS:
    if name not in KINDS:
      raise ValueError(unknown('--what', name, KINDS))
    kind = KINDS[name]
    # A teacher that nobody named is there to be compared with.
    asked = [c for c in columns if kind.together or not c.added]
    lacking = {column: kind.lacking(column.network) for column in asked}
    having = [column for column, reason in lacking.items() if not reason]
    reasons = [reason for reason in lacking.values() if reason]
    if named and not having:
      raise ValueError(' '.join(dict.fromkeys(reasons)))
    if named or having:
      for reason in dict.fromkeys(reasons):
        say(f'left out of {name}: {reason}')
    if having:
      found[name] = kind, having
  return found


def draw(kind, columns, images, out, flags, *, apart, say):
  """Draws one kind of picture of all images.

  Args:
    kind: a `Kind`.
    columns: those that have it.
    images: `Images`.
    out: a folder.
    flags: {name: value}; those that the kind takes are handed on.
    apart: whether each network gets a folder of its own, called by its name.
    say: called with a line on each picture.

  Returns:
    A list of `Section`.
  """
  own = {name: flags[name] for name in kind.flags if name in flags} | {
    'say': say
  }
  text = kind.text(own)
  if kind.together:
    lines = kind.show(columns, images, out, **own)
    return [Section(kind, kind.title, text, out, lines)]
  sections = []
  for column in columns:
    folder = out / column.name if apart else out
    shown = images.of(column.network)
    lines = kind.show(column.weights, shown, folder, **own)
    title = f'{kind.title}: {column.title}' if apart else kind.title
    sections.append(Section(kind, title, text, folder, lines))
  return sections
