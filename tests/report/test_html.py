"""report.html: the same page as report.md, whole in one file."""

import base64
import re

import pytest
from html_reader import Reader
from report_workdir import workdir, write_mistakes, write_predictions

from at_jax import report
from at_jax.report.html import html_page

NAMES = ['cat', '<b>&', '_a|b*']


def page(text, folder='.', title='x'):
  return Reader(html_page(text, folder, title))


@pytest.fixture(scope='module')
def study(tmp_path_factory):
  """A study with all pictures, and names of classes that are HTML."""
  folder = workdir(tmp_path_factory.mktemp('html') / 'digits_at', label='Mine')
  write_predictions(folder / 'at/seed0', [0, 1, 2], [1, 1, 1], NAMES)
  write_mistakes(folder / 'at/seed0', NAMES)
  report.write_report(folder)
  return folder, (folder / 'report.html').read_text()


def test_pictures_are_those_of_the_folder(study):
  folder, text = study
  images = Reader(text).all('img')
  found = re.findall(r'!\[(.*)\]\((.*)\)', (folder / 'report.md').read_text())
  assert [name for _, name in found] == [
    'curves.png',
    'attention.png',
    'confusion.png',
    'mistakes_at.png',
  ]
  for image, (alt, name) in zip(images, found, strict=True):
    kind, data = image['src'].split(',')
    assert kind == 'data:image/png;base64' and image['alt'] == alt
    assert base64.b64decode(data) == (folder / name).read_bytes()


def test_nothing_is_fetched(study):
  found = Reader(study[1])
  fetching = {'script', 'link', 'iframe', 'object', 'video', 'audio', 'embed'}
  assert not fetching & {tag for tag, _ in found.tags}
  for tag, attrs in found.tags:
    for name in {'src', 'srcset', 'data', 'poster', 'background'} & {*attrs}:
      assert attrs[name].startswith('data:'), tag
  assert '@import' not in study[1] and 'url(' not in study[1]
  assert "default-src 'none'" in study[1]


def test_it_is_the_same_page(study):
  folder, text = study
  found = Reader(text)
  assert found.texts['title'] == 'digits_at' and found.texts['h1'] == 'Mine'
  headings = re.findall('^## (.*)', (folder / 'report.md').read_text(), re.M)
  assert found.texts['h2'] == ''.join(headings)
  assert len(found.all('table')) == 3  # results, confusions, speed
  for words in ('7.50 ± 1.80', 'never the best epoch', 'python train.py --x=1'):
    assert words in found.texts['body']
  assert found.texts['td'].count('student + AT') == 2
  assert 'teacher WRN-16-2' in found.texts['em']


def test_contents_lead_to_the_sections(study):
  found = Reader(study[1])
  links = [a['href'] for a in found.all('a')]
  assert links == [f'#{h["id"]}' for h in found.all('h2')]
  assert len(links) == len({*links}) == 6
  assert found.texts['h2'] == found.texts['a']
  assert study[1].index('</h1>') < study[1].index('<nav')


def test_names_of_classes_are_no_html(study):
  _, text = study
  assert 'cat → &lt;b&gt;&amp;: 1 of 1' in text
  assert '_a|b* → &lt;b&gt;&amp;: 1 of 1' in text
  assert 'b' not in {tag for tag, _ in Reader(text).tags}


def test_text_is_never_html():
  text = '# <i>*a*</i>\n\n| <u> | b |\n|-|-|\n| `<s>` | &x |\n\n![<b>"](a.png)'
  found = page(text, title='</title><script>')
  assert found.texts['title'] == '</title><script>'
  assert found.texts['h1'] == '<i>a</i>' and found.texts['th'] == '<u>b'
  assert found.texts['td'] == '<s>&x'
  assert not {'i', 'u', 's', 'script'} & {tag for tag, _ in found.tags}


def test_what_is_not_there_is_described(tmp_path):
  (tmp_path / 'a b.png').write_bytes(b'png')
  found = page(
    '![one](gone.png) ![two](a%20b.png) ![three](https://x.org/y.png)'
    ' [four](https://x.org)',
    tmp_path,
  )
  assert found.texts['em'] == 'onethree'
  (image,) = found.all('img')
  assert image == {'src': 'data:image/png;base64,cG5n', 'alt': 'two'}
  assert found.all('a') == [{'href': 'https://x.org'}]  # a link may lead away


def test_only_pictures_of_the_folder_are_taken(tmp_path):
  (tmp_path / 'secret').write_bytes(b'x')
  (tmp_path / 'work').mkdir()
  assert not page('![x](../secret)', tmp_path / 'work').all('img')


def test_few_sections_need_no_contents():
  assert not page('# a\n\n## b\n\n## c\n\n## d').all('nav')
  assert page('# a\n\n## b\n\n## c\n\n## d\n\n## e').all('nav')


def test_a_run_in_progress_has_what_is_there(tmp_path, no_pictures):
  folder = workdir(tmp_path / 'a', errors={'at': {0: 7.0, 1: 8.0}})
  run = folder / 'at/seed0'
  for name in ('result.json', 'attention.npz'):
    (run / name).unlink()
  with (run / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 9, "epo')
  (folder / 'at/seed1/result.json').unlink()
  write_predictions(folder / 'at/seed1', [0, 1], [1, 1], NAMES)
  (folder / 'at/seed1/mistakes.npz').write_bytes(b'PK')
  report.write_report(folder)
  found = Reader((folder / 'report.html').read_text())
  assert 'at/seed1/mistakes.npz is damaged' in found.texts['li']
  assert 'its last line is half-written' in found.texts['li']
  assert '0 of 3 runs done' in found.texts['td']
  assert 'cat → <b>&: 1 of 1' in found.texts['td']


def test_joined_reports_name_all(tmp_path, no_pictures):
  one = workdir(tmp_path / 'a')
  two = workdir(tmp_path / 'b', errors={'at': {4: 6.0}}, name='other')
  report.write_report([one, two], tmp_path / 'out')
  found = Reader((tmp_path / 'out/report.html').read_text())
  assert found.texts['title'] == 'digits_at, other'
