"""A folder that holds a whole study: who may write in it, and what it is."""

import datetime
import fcntl
import pathlib
import shlex
import sys

from at_jax.train.checkpoint import read_json, write_json
from at_jax.train.differences import as_json, differences
from at_jax.train.mesh import describe_devices, is_first_host
from at_jax.train.versions import git_commit, versions


class Lock:
  """Holds a folder against a second process; the kernel frees it on a kill."""

  def __init__(self, folder, *, wait=None):
    """Args:
    folder: is made if it is not there.
    wait: called once before waiting for the other process; None raises
      BlockingIOError instead of waiting.
    """
    self._file = None
    if not is_first_host():
      return
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    self._file = (folder / '.lock').open('w')
    try:
      fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      if wait is None:
        raise BlockingIOError(
          f'Another process is training in {folder}. Wait for it, or give '
          'this one another --workdir.'
        ) from None
      wait()
      fcntl.flock(self._file, fcntl.LOCK_EX)

  def release(self):
    if self._file:
      self._file.close()


def check_workdir(folder, config):
  """Raises ValueError where a folder holds runs of another config."""
  old = read_json(pathlib.Path(folder) / 'config.json')
  lines = [] if old is None else differences(old, as_json(config))
  if lines:
    shown = '\n  '.join(lines)
    raise ValueError(
      f'{folder} holds runs of another config:\n  {shown}\nGive this one '
      'another --workdir, or remove that folder.'
    )


def claim_workdir(folder, config, dataset, about):
  """Writes config.json and about.json, once everything is known to fit.

  Args:
    folder: new, or of the same config (`check_workdir`).
    config: locked ConfigDict.
    dataset: what its runs will use.
    about: what about.json should say beyond versions, devices and commit.

  Raises:
    ValueError: its earlier runs used other data.
  """
  folder = pathlib.Path(folder)
  old, new = read_json(folder / 'config.json'), as_json(config)
  if old is not None:
    new['rows'] = old['rows'] | new['rows']
    new['baseline'] = new['baseline'] or old['baseline']
    new['seeds'] = max(old['seeds'], new['seeds'])
  before = read_json(folder / 'about.json') or {}
  known = before.get('data_fingerprint', dataset.fingerprint)
  if known != dataset.fingerprint:
    raise ValueError(
      f'The data changed since the runs in {folder} began: they used '
      f'{before["data"]} ({known}), now it is {dataset.source} '
      f'({dataset.fingerprint}). Point data.dir at the former, or give another '
      '--workdir.'
    )
  if is_first_host():
    write_json(folder / 'config.json', new)
    started = datetime.datetime.now().isoformat(timespec='seconds')
    write_json(
      folder / 'about.json',
      {'started': started}
      | before
      | about
      | {
        'data': dataset.source,
        'data_fingerprint': dataset.fingerprint,
        'command': shlex.join(['python', *sys.argv]),
        'commit': git_commit(),
        'versions': versions(),
        'devices': describe_devices(),
      },
    )


def check_origin(folder, before, now):
  """Raises ValueError where a run's data, teacher or start are not the same."""
  for name, what in (
    ('data_fingerprint', 'data'),
    ('teacher_hash', "teacher's weights"),
    ('start_hashes', 'weights of config.start'),
  ):
    if before.get(name) != now[name]:
      raise ValueError(
        f'The {what} changed since the run in {folder} ({before.get(name)}, '
        f'now {now[name]}). Put the former back, or give another --workdir.'
      )
