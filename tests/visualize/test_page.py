"""The page: well formed, whole in itself, written whole or not at all."""

import base64
import re

import pytest
from html_reader import Reader

from at_jax.visualize.page import writing


def read(path):
  text = path.read_text(encoding='utf-8')
  assert text.startswith('<!DOCTYPE html>')
  return Reader(text)


def assert_alone(page):
  """Nothing is fetched from anywhere."""
  for tag, attributes in page.tags:
    assert tag not in ('script', 'link', 'iframe')
    assert attributes.get('src', 'data:').startswith('data:')
    assert attributes.get('href', '#').startswith('#')


def test_all_that_can_be_written(tmp_path):
  picture = tmp_path / 'a.png'
  picture.write_bytes(b'\x89PNG and more')
  with writing(tmp_path / 'index.html', 'A <b> & "c"') as page:
    page.links({'image0': 'x<y'})
    page.heading(2, '1 < 2', 'image0')
    page.text('<script>alert(1)</script>')
    page.table([['head', 'é'], ['<td>', 'b']])
    page.picture(picture, 'maps of "x"')
  found = read(tmp_path / 'index.html')
  assert_alone(found)
  (image,) = found.all('img')
  data = image['src'].removeprefix('data:image/png;base64,')
  assert base64.b64decode(data) == picture.read_bytes()
  assert image['alt'] == 'maps of "x"'
  assert found.all('h2') == [{'id': 'image0'}]
  assert found.all('a') == [{'href': '#image0'}]
  want = [('th', 'head'), ('th', 'é'), ('td', '<td>'), ('td', 'b')]
  assert found.cells == want
  for text in ('A <b> & "c"', '1 < 2', '<script>alert(1)</script>', 'x<y'):
    assert text in found.text
  text = (tmp_path / 'index.html').read_text()
  assert not re.search(r'url\(|@import|https?:', text)


def test_a_page_that_fails_leaves_the_one_before(tmp_path):
  path = tmp_path / 'index.html'
  path.write_text('before')
  with pytest.raises(OSError), writing(path, 'title') as page:
    page.text('half of it')
    page.picture(tmp_path / 'none.png', 'x')
  assert path.read_text() == 'before'
  assert list(tmp_path.iterdir()) == [path]
