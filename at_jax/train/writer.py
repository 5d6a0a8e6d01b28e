"""Metrics of one run: JSON lines always, TensorBoard events beside them."""

import contextlib
import json
import pathlib

from at_jax.train.mesh import is_first_host


class Writer:
  """Appends rows to `metrics.jsonl`; only the first host writes.

  Args:
    folder: of the run.
    step: the step a run resumes from: rows after it are cut off, since they
      will be written again.
  """

  def __init__(self, folder, *, step):
    self._lines = self._events = None
    if not is_first_host():
      return
    from tensorboardX import SummaryWriter

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'metrics.jsonl'
    kept = [row for row in read_rows(path) if row['step'] <= step]
    part = path.with_name(path.name + '.part')
    part.write_text(''.join(json.dumps(row) + '\n' for row in kept))
    part.replace(path)
    self._lines = path.open('a')
    self._events = SummaryWriter(str(folder), purge_step=step + 1)

  def write(self, step, row):
    """Appends {'step': step, **row} and hands it to the operating system."""
    if self._lines is None:
      return
    self._lines.write(json.dumps({'step': step, **row}) + '\n')
    self._lines.flush()
    for name, value in row.items():
      self._events.add_scalar(name, value, step)

  def close(self):
    """Never raises: what could not be written has been said by `write`."""
    for file in (self._lines, self._events):
      with contextlib.suppress(OSError):
        if file is not None:
          file.close()


def read_rows(path):
  """The whole rows of a metrics file; one cut short at the end is left out."""
  rows = []
  try:
    lines = pathlib.Path(path).read_text().splitlines()
  except FileNotFoundError:
    return rows
  for line in lines:
    try:
      rows.append(json.loads(line))
    except json.JSONDecodeError:
      break
  return rows
