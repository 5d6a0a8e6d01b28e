"""Pictures of where classes are seen, of networks with maps of classes."""

from at_jax.pictures import classes, gates
from at_jax.pictures.chosen import USUAL, chosen_classes
from at_jax.pictures.text import label_name
from at_jax.report.files import first_arrays

EXPLANATION = (
  'For each class, the most probable ones and all that the label has: '
  'attention A over the image; A · sigmoid(S) on the scale of A, so that it is '
  'dark where the score S denies the class; S and the weighted map M = S A, '
  'red above 0, blue below. The least and the largest value stand below each. '
  'A sums to 1 over the image even for a class that is absent (unless its '
  'softmax is over classes): a bright spot alone is no evidence, so read it '
  'with the probability.'
)
GATES = (
  'Gates of channels, all images and channels, and of scales (ours), which say '
  'how much each scale counts for a class.'
)
BANDS = 4  # images times places


def section(study, out):
  """The text of the section, '' where no run kept maps of classes.

  Args:
    study: a `read.Study`; what is left out is said in its notes.
    out: a folder for pictures.
  """
  seen, opened = [], []
  for key, row in study.rows.items():
    seed, found = first_arrays(row.runs, 'classes.npz', _read, study.notes)
    if not found:
      continue
    bands, views, names = found
    about, file = f'{row.label}, seed {seed}', f'classes_{key}.png'
    classes.draw_classes(out / file, bands, names)
    seen.append(_picture(f'Classes of {about}', file))
    file = f'gates_{key}.png'
    if gates.draw_gates(out / file, views, names):
      opened.append(_picture(f'Gates of {about}', file))
  if not seen:
    return ''
  parts = ['## Where each class is seen', EXPLANATION, *seen]
  return '\n\n'.join(parts + ([GATES, *opened] if opened else []))


def _picture(title, file):
  return f'{title}:\n\n![{title}]({file})'


def _read(arrays):
  """(bands, arrays of all images, names of the classes)."""
  names = [str(name) for name in arrays['class_names']]
  images, chances = arrays.pop('images'), arrays.pop('probabilities')
  labels, boxes = arrays.pop('labels'), arrays.pop('boxes', None)
  views = {name: x for name, x in arrays.items() if name != 'class_names'}
  places = classes.places_of(views)
  bands = []
  for k in range(min(len(images), max(1, BANDS // len(places)))):
    bands += classes.bands_of(
      f'label {label_name(labels[k], names)}',
      {name: x[k] for name, x in views.items()},
      places,
      image=images[k],
      chances=chances[k],
      chosen=chosen_classes(USUAL, chances[k], labels[k], names),
      label=labels[k],
      boxes=None if boxes is None else boxes[k],
    )
  return bands, views, names
