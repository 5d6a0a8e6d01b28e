"""The wrong answers that a network was most confident of, as pictures."""

from at_jax.pictures import mistakes
from at_jax.report import kept
from at_jax.report.files import first_arrays

EXPLANATION = (
  'Test images with a wrong answer, the most confident first, as the network '
  'saw them: below each its true class, then → the predicted one and its '
  'probability (softmax). A label may be wrong, too.'
)


def section(study, rows, out):
  """The text of the section, '' where no run kept mistakes.

  Args:
    study: a `read.Study`; what is left out is said in its notes.
    rows: what `table.summarise` returned for it.
    out: a folder, for mistakes_<row>.png.
  """
  parts = []
  for key in kept.shown_rows(study, rows):
    runs = study.rows[key].runs
    seed, shown = first_arrays(runs, 'mistakes.npz', _read, study.notes)
    if not shown:
      continue
    name = f'mistakes_{key}.png'
    mistakes.draw_mistakes(out / name, *shown)
    title = f'Mistakes of {rows[key]["label"]}, seed {seed}'
    parts.append(f'{title}:\n\n![{title}]({name})')
  if not parts:
    return ''
  return '\n\n'.join(['## Most confident mistakes', EXPLANATION, *parts])


def _read(arrays):
  """What `draw_mistakes` draws, or an error of `files.DAMAGE`."""
  kept.check_classes(arrays)
  images, names = arrays['images'], arrays['class_names']
  count = len(arrays['labels'])
  if images.dtype != 'uint8' or images.ndim != 4 or len(images) != count:
    raise ValueError(f'{count} uint8 images are wanted, got {images.shape}.')
  classes = (names[arrays[name]] for name in ('labels', 'predictions'))
  return images, *classes, arrays['probabilities']
