import dataclasses
import functools
import hashlib
import http.server
import socket
import threading
import time

import pytest

from at_jax.data import archives, cifar, mnist
from at_jax.data.settings import Settings


class Handler(http.server.BaseHTTPRequestHandler):
  """Serves `server.files`; `server.cut` bytes are held back at the end."""

  def do_GET(self):
    data = self.server.files.get(self.path.lstrip('/'))
    if data is None:
      self.send_error(404)
      return
    self.send_response(200)
    self.send_header('Content-Length', str(len(data)))
    self.end_headers()
    self.wfile.write(data[: len(data) - self.server.cut])

  def log_message(self, *args):
    pass


@pytest.fixture
def server(monkeypatch):
  """A server on this machine, with its address in `url`."""
  monkeypatch.setenv('NO_PROXY', '127.0.0.1')
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
    server.files, server.cut = {}, 0
    server.url = f'http://127.0.0.1:{server.server_port}/'
    threading.Thread(
      target=functools.partial(server.serve_forever, poll_interval=0.01),
      daemon=True,
    ).start()
    yield server
    server.shutdown()


@pytest.fixture
def dead_url(monkeypatch):
  """An address where nobody listens."""
  monkeypatch.setenv('NO_PROXY', '127.0.0.1')
  with socket.create_server(('127.0.0.1', 0)) as taken:
    port = taken.getsockname()[1]
  return f'http://127.0.0.1:{port}/'


def point_cifar_to(monkeypatch, url):
  archive = dataclasses.replace(
    cifar.CIFAR10, url=url + 'cifar-10-binary.tar.gz'
  )
  monkeypatch.setattr(cifar, 'CIFAR10', archive)


def digest(data):
  return hashlib.sha256(data).hexdigest()


def test_download_gets_its_name_when_it_is_whole(tmp_path, server):
  data = server.files['a.gz'] = bytes(range(256)) * 1000
  path = archives.download(server.url + 'a.gz', tmp_path / 'new', digest(data))
  assert path == tmp_path / 'new' / 'a.gz'
  assert path.read_bytes() == data
  assert list(path.parent.iterdir()) == [path]


def test_wrong_download_leaves_nothing(tmp_path, server):
  server.files['a.gz'] = b'something else'
  with pytest.raises(ValueError) as caught:
    archives.download(server.url + 'a.gz', tmp_path, digest(b'wanted'))
  for text in ('a.gz', digest(b'wanted'), digest(b'something else')):
    assert text in str(caught.value)
  assert not list(tmp_path.iterdir())


def test_download_that_breaks_off_leaves_nothing(tmp_path, server):
  data = server.files['a.gz'] = b'x' * 100_000
  server.cut = 10
  with pytest.raises(OSError):
    archives.download(server.url + 'a.gz', tmp_path, digest(data))
  assert not list(tmp_path.iterdir())


def test_absent_cifar_is_downloaded_once(tmp_path, server, files, monkeypatch):
  splits = files.random_split(10), files.random_split(5, seed=1)
  made = files.write_tar(tmp_path / 'made', files.cifar10_members(*splits))
  server.files['cifar-10-binary.tar.gz'] = made.read_bytes()
  point_cifar_to(monkeypatch, server.url)
  settings = Settings(name='cifar10', dir=str(tmp_path / 'data'))
  data = cifar.load_cifar10(settings, sha256=files.sha256(made))
  assert (data.train.images == splits[0][0]).all()
  server.files.clear()
  again = cifar.load_cifar10(settings, sha256=files.sha256(made))
  assert again.fingerprint == data.fingerprint


def test_absent_cifar_without_network_says_what_where_and_three_ways_out(
  tmp_path, dead_url, monkeypatch
):
  point_cifar_to(monkeypatch, dead_url)
  start = time.perf_counter()
  with pytest.raises(FileNotFoundError) as caught:
    cifar.load_cifar10(Settings(name='cifar10', dir=str(tmp_path)))
  assert time.perf_counter() - start < 10
  for text in (
    'CIFAR-10',
    str(tmp_path / 'cifar10' / '<version>'),
    str(tmp_path / 'cifar-10-binary.tar.gz'),
    dead_url + 'cifar-10-binary.tar.gz',
    'refused',
    'TFDS as array_record',
    'by hand',
    '--config=configs/digits_at.py',
    'dataset=digits',
  ):
    assert text in str(caught.value)
  assert not list(tmp_path.iterdir())


def test_absent_mnist_without_network(tmp_path, dead_url, monkeypatch):
  monkeypatch.setattr(mnist, 'URL', dead_url)
  with pytest.raises(FileNotFoundError, match='MNIST is not here') as caught:
    mnist.load_mnist(Settings(name='mnist', dir=str(tmp_path)))
  for text in (str(tmp_path / 'mnist'), 'docs/data.md', *mnist.SHA256):
    assert text in str(caught.value)


def test_a_missing_page_is_an_error_of_the_download(tmp_path, server):
  with pytest.raises(OSError, match='404'):
    archives.download(server.url + 'a.gz', tmp_path, digest(b''))


def test_a_name_lookup_that_hangs_is_not_waited_for(tmp_path, monkeypatch):
  import requests

  assert archives.ANSWER_SECONDS < 9
  monkeypatch.setattr(archives, 'ANSWER_SECONDS', 0.2)
  hang = threading.Event()

  def get(*args, **keywords):
    hang.wait(5)
    raise ConnectionError

  monkeypatch.setattr(requests, 'get', get)
  start = time.perf_counter()
  with pytest.raises(TimeoutError, match=r'no answer from .* in 0\.2 sec'):
    archives.download('http://nowhere/a.gz', tmp_path, digest(b''))
  assert time.perf_counter() - start < 3
  hang.set()


def test_a_silent_server_is_not_waited_for(tmp_path, monkeypatch):
  monkeypatch.setenv('NO_PROXY', '127.0.0.1')
  monkeypatch.setattr(archives, 'ANSWER_SECONDS', 0.3)
  with socket.create_server(('127.0.0.1', 0)) as silent:
    url = f'http://127.0.0.1:{silent.getsockname()[1]}/a.gz'
    start = time.perf_counter()
    with pytest.raises(OSError):
      archives.download(url, tmp_path, digest(b''))
  assert time.perf_counter() - start < 5
