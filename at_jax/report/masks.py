"""What soft masks do: statistics, pictures, responses of the stages."""

import statistics

from at_jax.pictures import masks, responses
from at_jax.pictures.text import label_name, markdown, mask_lines
from at_jax.report.files import first_arrays, is_number

EXPLANATION = (
  'A mask is a gate: it says what is let through, for whatever class, and is '
  'no evidence of one (no Grad-CAM). Mean value, shares of entries of absolute '
  'value below 0.05 and above 0.95, and the two parts of its variance: over '
  "places (of one channel's map, mean over channels) and over channels (of "
  'their means). Without the first a mask does not look anywhere, it only '
  'scales channels. Means over all test images, medians over seeds.'
)
SEEN = (
  'T before the mask, the mask M alone, as light on the image and over it, '
  'M T, H after it, raw and as the next unit sees it. Mean over channels, and '
  'the channel whose mask differs most from place to place. Every panel has a '
  'scale of its own, from the least to the largest value written below it. Of '
  'more than three modules the last of each stage; all of them: python -m '
  'at_jax.visualize.'
)
RESPONSES = (
  'Mean absolute value of what each stage returns, over all test images, '
  "relative to the first stage. In the paper's Figure 4 it falls to 0.02 and "
  '0.01 with naive masks, to 0.53 and 0.30 with residual ones, and to 0.57 and '
  '0.31 in a ResNet.'
)
SHOWN = 2  # images
PLACES = 3  # more modules than these: the last of each group is shown


def medians(row, name):
  """Medians over a row's runs of the numbers in a dict of their results.

  Args:
    row: a `read.Row`.
    name: of the entry in result.json, `masks` or `responses`.

  Returns:
    A dict like theirs; None where no run has it.
  """
  found = [run.result.get(name) for run in row.runs.values() if run.result]
  found = [one for one in found if isinstance(one, dict) and one]
  return _medians(found) if found else None


def _medians(found):
  if all(isinstance(one, dict) for one in found):
    keys = [key for key in found[0] if all(key in one for one in found)]
    made = {key: _medians([one[key] for one in found]) for key in keys}
    return {key: value for key, value in made.items() if value is not None}
  return statistics.median(found) if all(map(is_number, found)) else None


def section(study, rows, out):
  """The text of the section, '' without masks; its pictures go to `out`.

  Args:
    study: a `read.Study`; what is left out is said in its notes.
    rows: what `table.summarise` returned for it.
    out: a folder.
  """
  masked = {key: row for key, row in rows.items() if row['masks']}
  if not masked:
    return ''
  parts = ['## Masks', markdown(mask_lines(masked)), EXPLANATION]
  pictures = []
  for key, row in masked.items():
    name = f'masks_{key}.png'
    runs = study.rows[key].runs
    seed, drawn = first_arrays(runs, 'masks.npz', _drawn, study.notes)
    if drawn:
      masks.draw_masks(out / name, *drawn)
      title = f'Masks of {row["label"]}, seed {seed}'
      pictures.append(f'{title}:\n\n![{title}]({name})')
  parts += [SEEN, *pictures] if pictures else []
  known = {row['label']: row['responses'] for row in rows.values()}
  known = {label: found for label, found in known.items() if found}
  responses.draw_responses(out / 'responses.png', known)
  parts.append(f'![Responses of the stages](responses.png)\n\n{RESPONSES}')
  return '\n\n'.join(parts)


def _drawn(arrays):
  """(images, names, bands)."""
  known, labels = arrays['class_names'], arrays['labels'][:SHOWN]
  names = [label_name(label, known) for label in labels]
  return arrays['images'][:SHOWN], names, _bands(arrays)


def _bands(arrays):
  """Two bands a module: the mean, and one channel."""
  found = {}
  for name, array in arrays.items():
    if name.count('/') >= 2:
      view, part, place = name.split('/', 2)
      found.setdefault(place, {}).setdefault(view, {})[part] = array[:SHOWN]
  places = list(found)
  if len(places) > PLACES:
    places = list({place.split('/')[0]: place for place in places}.values())
  bands = []
  for place in places:
    for view, maps in found[place].items():
      height, width = maps['mask'].shape[1:]
      how = view.replace('channel', 'channel ')
      how = 'mean over channels' if view == 'mean' else how
      title = f'{place} · {height}×{width} · {how}'
      bands.append(masks.Band(title, maps))
  return bands
