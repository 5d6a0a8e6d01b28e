"""Files that are downloaded once: checksums, downloads, and what is missing."""

import hashlib
import importlib.util
import pathlib
import textwrap
import threading

# A run without network learns it within 10 s: name lookup is under no
# timeout of ours, so the first answer is awaited in a thread for this long.
ANSWER_SECONDS = 8.0
CONNECT_SECONDS = 4.0
STALL_SECONDS = 30.0


def check_sha256(path: pathlib.Path, sha256: str) -> None:
  """Raises a ValueError unless the file has this checksum."""
  with open(path, 'rb') as file:
    got = hashlib.file_digest(file, 'sha256').hexdigest()
  if got != sha256:
    raise ValueError(
      f'{path} is truncated, damaged or another file: wanted sha256 {sha256}, '
      f'got {got} ({path.stat().st_size:,} bytes). Delete it and run again to '
      'download it anew, or put the right file there.'
    )


def download(url: str, folder: pathlib.Path, sha256: str) -> pathlib.Path:
  """Fetches a file into `folder` under its own name.

  The file gets its name only after its checksum was found right; what breaks
  off leaves nothing behind.

  Raises:
    OSError: no answer, a transfer that broke off, or a folder that cannot be
      written.
    ValueError: the checksum of what came is wrong.
  """
  import pooch

  _await_answer(url)
  downloader = pooch.HTTPDownloader(
    progressbar=importlib.util.find_spec('tqdm') is not None,
    chunk_size=1 << 16,
    timeout=(CONNECT_SECONDS, STALL_SECONDS),
  )
  name = url.rsplit('/', 1)[-1]
  try:
    path = pooch.retrieve(
      url,
      known_hash=f'sha256:{sha256}',
      fname=name,
      path=folder,
      downloader=downloader,
    )
  except ValueError as error:
    raise ValueError(
      f'{url} sent another file than {name}: {error} Try again later, or put '
      f'the right file into {folder} by hand.'
    ) from None
  return pathlib.Path(path)


def _await_answer(url):
  """Raises an OSError unless the server answers in ANSWER_SECONDS."""
  import requests

  failure = [
    TimeoutError(f'no answer from {url} in {ANSWER_SECONDS:g} seconds')
  ]

  def ask():
    try:
      limits = (CONNECT_SECONDS, ANSWER_SECONDS)
      with requests.get(url, stream=True, timeout=limits) as answer:
        answer.raise_for_status()
      failure.clear()
    except OSError as error:  # all of requests' own errors are OSErrors
      failure[:] = [error]

  thread = threading.Thread(target=ask, daemon=True)
  thread.start()
  thread.join(ANSWER_SECONDS)
  if failure:
    raise failure[0]


def not_found(title, looked_for, url, by_hand, error) -> FileNotFoundError:
  """The error for data that are nowhere and cannot be downloaded.

  Args:
    title: what people call the data set.
    looked_for: descriptions of every place that was looked at, with paths.
    url: what could not be downloaded.
    by_hand: which files to put where, after "put".
    error: why the download failed.
  """
  root = error  # requests wraps the reason in three errors of growing length
  while root.__context__ is not None:
    root = root.__context__
  reason = f'{type(error).__name__}: {root}'
  places = '\n'.join(f'  - {place}' for place in looked_for)
  return FileNotFoundError(
    f'{title} is not here and could not be downloaded. Looked for\n{places}\n'
    f'  - {url} ({textwrap.shorten(reason, 200)})\n'
    'Three ways out:\n'
    '  1. prepare it once with TFDS as array_record (docs/data.md says how) '
    'and name the folder above it with --config.data.dir=…\n'
    f'  2. put {by_hand} by hand\n'
    '  3. use the embedded digits: --config=configs/digits_at.py, or '
    'a dataset=digits argument: --config=configs/wrn.py:dataset=digits'
  )
