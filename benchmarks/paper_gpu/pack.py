"""What to take home from a machine that is given back, in a few archives."""

import pathlib
import tarfile

from at_jax.train.checkpoint import read_json

ARCHIVE = 15 * 2**20  # bytes of each at most
WARN = 60 * 2**20  # bytes of all
# Never needed again; compiled programs are large and of that machine.
LEFT_OUT = ('cache', 'damaged', '.lock')
FINISHED = ('checkpoints', 'weights')  # of a run: not needed to go on


def files(workdir):
  """What is light, and what training needs to go on: sorted paths.

  Runs that are finished leave their checkpoints and weights behind, teachers
  only their checkpoints.
  """
  found = []
  for path in sorted(pathlib.Path(workdir).rglob('*')):
    parts = path.relative_to(workdir).parts
    if path.is_file() and not _left_out(workdir, parts):
      found.append(path)
  return found


def _left_out(workdir, parts):
  if any(part in LEFT_OUT for part in parts) or '.tfevents.' in parts[-1]:
    return True
  if any('.part' in part or '-tmp' in part for part in parts):
    return True
  for index, part in enumerate(parts[:-1]):
    if part in FINISHED:
      result = pathlib.Path(workdir, *parts[:index], 'result.json')
      if part == 'weights' and 'teachers' in parts[:index]:
        return False
      return read_json(result) is not None
  return False


def pack(workdir, out, *, limit=ARCHIVE):
  """Writes state-1.tar.gz, ...: each whole by itself; returns their paths.

  Args:
    workdir: what to pack.
    out: a folder; archives of an earlier call in it are replaced.
    limit: bytes of an archive.
  """
  workdir, out = pathlib.Path(workdir), pathlib.Path(out)
  out.mkdir(parents=True, exist_ok=True)
  parts, archive = [], None
  try:
    for path in files(workdir):
      # What is written so far, and this file if it cannot be compressed.
      if archive is None or parts[-1].stat().st_size + _size(path) > limit:
        if archive:
          archive.close()
        parts.append(out / f'state-{len(parts) + 1}.tar.gz.part')
        archive = tarfile.open(parts[-1], 'w:gz', compresslevel=6)
      archive.add(path, arcname=path.relative_to(workdir))
      archive.fileobj.flush()
  finally:
    if archive:
      archive.close()
  for old in out.glob('state-*.tar.gz'):
    old.unlink()
  whole = [part.with_suffix('') for part in parts]
  for part, path in zip(parts, whole, strict=True):
    part.replace(path)
  return whole


def _size(path):
  return path.stat().st_size + 1024  # its head, and what fills a block


def unpack_command(workdir):
  """How the archives become a workdir again."""
  return (
    f'mkdir -p {workdir}; for f in state-*.tar.gz; do tar xzf $f -C {workdir}; '
    'done'
  )
