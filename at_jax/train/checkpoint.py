"""Checkpoints: Orbax, with a digest, so that only a whole one is resumed."""

import errno
import hashlib
import json
import pathlib
import shutil

import jax
import numpy as np
import orbax.checkpoint as ocp

from at_jax.train.mesh import is_first_host, wait_for_all


def tree_digest(tree):
  """A hash of every array in a tree and its path: equal means bitwise equal."""
  sha = hashlib.sha256()
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      leaf = jax.random.key_data(leaf)
    array = np.asarray(leaf)
    sha.update(
      f'{jax.tree_util.keystr(path)} {array.dtype} {array.shape}'.encode()
    )
    sha.update(np.ascontiguousarray(array).tobytes())
  return sha.hexdigest()


class Checkpoints:
  """The checkpoints of one run: `save`, and `restore` the last whole one."""

  def __init__(self, folder, *, keep=2):
    self._folder = pathlib.Path(folder).absolute()
    self._options = ocp.CheckpointManagerOptions(
      preservation_policy=ocp.checkpoint_managers.LatestN(keep),
      enable_async_checkpointing=False,
    )
    self._manager = self._open()

  def _open(self):
    return ocp.CheckpointManager(
      self._folder,
      options=self._options,
      item_names=('state', 'meta'),
    )

  def save(self, state, meta):
    """Writes a checkpoint of `state.step`; `meta` is any JSON value.

    Raises:
      OSError: the disk is full or not writable; nothing older was lost.
    """
    step = int(state.step)
    if step in self._manager.all_steps():
      return
    meta = {'digest': tree_digest(state), 'meta': meta}
    try:
      self._manager.save(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(meta)
        ),
        force=True,
      )
    except Exception as error:
      raise self._save_error(step, error) from error

  def restore(self, template, say=print):
    """(state, meta) of the last whole checkpoint, or None.

    A damaged one is moved aside to `damaged/`, `say` is told, and the one
    before it is tried.

    Args:
      template: a state of the same shapes and shardings.
      say: takes a line of text.
    """
    while (step := self._manager.latest_step()) is not None:
      try:
        return self._read(step, template)
      except Exception as error:
        if not _is_damage(error):
          raise
        self._set_aside(step)
        before = self._manager.latest_step()
        way = (
          f'going on from step {before}'
          if before is not None
          else 'there is no older one, so the run starts again'
        )
        say(
          f'Checkpoint {step} in {self._folder} is damaged '
          f'({_first_line(error)}); moved to damaged/, {way}.'
        )
    return None

  def latest_step(self):
    return self._manager.latest_step()

  def close(self):
    self._manager.close()

  def _read(self, step, template):
    restored = self._manager.restore(
      step,
      args=ocp.args.Composite(
        state=ocp.args.StandardRestore(template), meta=ocp.args.JsonRestore()
      ),
    )
    state, meta = restored['state'], restored['meta']
    if tree_digest(state) != meta['digest']:
      raise ValueError('its arrays are not the ones that were saved')
    return state, meta['meta']

  def _set_aside(self, step):
    self._manager.close()
    if is_first_host():
      aside = self._folder.parent / 'damaged' / str(step)
      shutil.rmtree(aside, ignore_errors=True)
      aside.parent.mkdir(exist_ok=True)
      shutil.move(self._folder / str(step), aside)
    wait_for_all(f'damaged {step}')
    self._manager = self._open()

  def _save_error(self, step, error):
    latest = self._manager.latest_step()
    kept = 'there is none yet' if latest is None else f'step {latest}'
    return write_error(
      f'Checkpoint {step} in {self._folder}',
      error,
      f'The last whole checkpoint ({kept}) is untouched',
    )


def write_error(what, error, kept):
  """An OSError that says what could not be written, why, and what to do.

  Args:
    what: could not be written.
    error: that was raised; Orbax has several for a full disk.
    kept: what is not lost, a clause.
  """
  full = getattr(error, 'errno', None) == errno.ENOSPC or any(
    sign in str(error)
    for sign in ('No space left', 'RESOURCE_EXHAUSTED', 'ENOSPC')
  )
  reason = 'the disk is full' if full else _first_line(error)
  return OSError(
    errno.ENOSPC if full else errno.EIO,
    f'{what} could not be written: {reason}. {kept}: make room and run the '
    'same command again',
  )


def read_json(path):
  """The JSON value in a file, or None where there is no (whole) one."""
  try:
    return json.loads(pathlib.Path(path).read_text())
  except (FileNotFoundError, json.JSONDecodeError):
    return None


def write_json(path, value):
  """Writes JSON so that a reader sees the old file or the new, never a part."""
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  part = path.with_name(path.name + '.part')
  part.write_text(json.dumps(value, indent=2) + '\n')
  part.replace(path)


def _is_damage(error):
  """Whether a file is missing or wrong; not that it could not be read now."""
  if isinstance(error, OSError):
    return isinstance(error, FileNotFoundError | NotADirectoryError)
  return not isinstance(error, MemoryError)


def _first_line(error):
  text = str(error).strip()
  return text.splitlines()[0][:200] if text else type(error).__name__
