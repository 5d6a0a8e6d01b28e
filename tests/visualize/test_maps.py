"""`--what=maps,gradients`: which arrays, of which network, of which image."""

import json
import re

import jax
import numpy as np
import pytest
from saved_networks import noise_photo
from visualize_study import Some, forward, save

from at_jax.maps import attention_map
from at_jax.visualize.__main__ import main as visualize
from at_jax.visualize.gradients import SUM, show_gradients
from at_jax.visualize.kinds import KINDS
from at_jax.visualize.maps import show_maps
from at_jax.visualize.networks import find_columns

GROUPS = ['group1', 'group2', 'group3']
CLOSE = dict(rtol=1e-3, atol=1e-5)


def test_the_command(study, tmp_path, capsys):
  paths = [
    noise_photo(tmp_path / 'a.jpg', 8, 12, 3),
    noise_photo(tmp_path / 'b.png', 9, 9),
  ]
  out = tmp_path / 'out'
  command = [f'--workdir={study}', '--rows=alone+at', f'--out={out}']
  visualize([*command, '--square', '--images', *paths])
  said = capsys.readouterr().out
  both = ('maps', 'gradients')
  wanted = [f'{x}_{y}.{z}' for x in 'ab' for y in both for z in ('npz', 'png')]
  wanted += ['index.html', 'similarity.json', 'gradient_similarity.json']
  assert sorted(path.name for path in out.iterdir()) == sorted(wanted)
  classes = r'student alone: [abc] \([01]\.\d\d\); student at: .*; teacher WRN'
  assert len(re.findall(classes, said)) == 4
  assert said.count('| mean cosine with teacher WRN-16-2 | group1 |') == 1
  page = (out / 'index.html').read_text()
  assert page.count('data:image/png;base64,') == 4
  assert page.index('id="image0"') < page.index('id="image1"')
  for text in ('a.jpg', 'b.png', '--rows=alone+at', 'Input gradients'):
    assert text in page
  assert 'each place, sum_pow2 over' in page and 'takes the image for' in page
  texts = [
    kind.text(dict(kind='max_pow,sum_abs', p='4', label=True))
    for kind in KINDS.values()
  ]
  assert 'each place, max_pow4, sum_abs over' in texts[0]
  assert "the image's own class where" in texts[1]


def test_arrays_are_those_of_the_networks(study, tmp_path, calls):
  columns = find_columns([study], 'at+alone')
  lines = show_maps(columns, Some(2), tmp_path, say=lambda _: None)
  assert [name for name, *_ in calls] == ['x0_maps.png', 'x1_maps.png']
  _, title, bands, drawn, _ = calls[1]
  assert title == 'title x1 · cos: with teacher WRN-16-2 · maps: sum_pow2'
  assert [band.name for band in bands] == GROUPS
  assert [one.title for one in drawn] == [
    'student alone',
    'student at',
    'teacher WRN-16-2',
  ]
  saved = np.load(tmp_path / 'x1_maps.npz')
  maps = {}
  for column, one in zip(columns, drawn, strict=True):
    chances, ends = forward(column, saved['image'])
    np.testing.assert_array_equal(one.image, saved['image'])
    close = saved[f'probabilities/{column.name}']
    np.testing.assert_allclose(close, chances, **CLOSE)
    assert one.said == f'{"abc"[chances.argmax()]} ({chances.max():.2f})'
    for tap in GROUPS:
      want = np.sum(np.square(ends[tap][0]), axis=-1)
      maps[column.name, tap] = want
      np.testing.assert_allclose(one.maps[tap], want, rtol=1e-3, atol=1e-3)
      np.testing.assert_array_equal(
        one.maps[tap], saved[f'{column.name}/{tap}']
      )
  cosines = {}
  for name in ('alone', 'at'):
    for tap in GROUPS:
      a, b = maps[name, tap], maps['teacher', tap]
      want = np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
      cosines[name, tap] = want
      got = saved[f'cosine/{name}/{tap}']
      np.testing.assert_allclose(got, want, rtol=1e-4)
  assert drawn[1].notes['group2'] == f'cos {cosines["at", "group2"]:.2f}'
  assert not any(drawn[2].notes.values())
  # Means over both images, in the table and in the file.
  found = json.loads((tmp_path / 'similarity.json').read_text())
  assert found['images'] == 2 and found['against'] == 'teacher'
  about = dict(label='group2', tap='group2', kind='sum_pow', p=2)
  assert found['maps']['group2'] == about
  first = np.load(tmp_path / 'x0_maps.npz')['cosine/at/group3']
  mean = (first + cosines['at', 'group3']) / 2
  assert found['cosine']['at']['group3'] == pytest.approx(mean, rel=1e-4)
  assert lines[0] == ['mean cosine with teacher WRN-16-2', *GROUPS]
  assert lines[2][0] == 'student at' and lines[2][3] == f'{mean:.3f}'


def test_kinds_powers_styles_and_taps(study, tmp_path, calls):
  columns = find_columns([study], 'at')
  settings = dict(kind='max_pow', p='4', style='all', scale='shared')
  show_maps(
    columns, Some(), tmp_path, taps='group[13]', against='at', **settings
  )
  ((_, title, bands, drawn, looks),) = calls
  assert title.endswith('cos: with student at · maps: max_pow4')
  assert looks['scale'] == 'shared'
  assert [band.name for band in bands] == ['group1', 'group3']
  assert bands[0].styles == ('overlay', 'heat', 'dark')
  _, ends = forward(columns[1], drawn[1].image)
  want = attention_map(ends['group3'], kind='max_pow', p=4)[0]
  np.testing.assert_allclose(drawn[1].maps['group3'], want, rtol=1e-3)
  found = json.loads((tmp_path / 'similarity.json').read_text())
  assert found['maps']['group3']['p'] == 4
  assert list(found['cosine']) == ['teacher']


def test_kinds_by_powers(study, tmp_path, calls):
  """As in the paper's grid of networks and maps."""
  columns = find_columns([study], 'at')
  grid = dict(kind='sum_abs,sum_pow,max_pow', p='2,4')
  lines = show_maps(columns, Some(), tmp_path, taps='group3,group2', **grid)
  forms = ['sum_abs', 'sum_pow2', 'sum_pow4', 'max_pow2', 'max_pow4']
  wanted = [f'{tap}/{form}' for tap in ('group2', 'group3') for form in forms]
  ((_, _, bands, (one, _), _),) = calls
  assert [band.name for band in bands] == wanted == lines[0][1:]
  _, ends = forward(columns[0], one.image)
  for form, kind, p in (
    ('sum_abs', 'sum_abs', 1),
    ('sum_pow4', 'sum_pow', 4),
    ('max_pow2', 'max_pow', 2),
  ):
    want = attention_map(ends['group3'], kind=kind, p=p)[0]
    got = np.load(tmp_path / 'x0_maps.npz')[f'at/group3/{form}']
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(one.maps[f'group3/{form}'], got)


def test_networks_of_other_sizes(study, tmp_path, calls):
  large = save(tmp_path / 'large', 3, 'large', (16, 16, 3))
  columns = find_columns([study, large])
  show_maps(columns, Some(), tmp_path / 'out')
  small, large = calls[0][3]
  assert small.image.shape == (8, 8, 3) and large.image.shape == (16, 16, 3)
  assert small.maps['group1'].shape == (8, 8)
  assert large.maps['group1'].shape == (16, 16)
  saved = np.load(tmp_path / 'out/x0_maps.npz')
  np.testing.assert_array_equal(saved['image/large'], large.image)
  # Half-pixel centres, no antialiasing: means of two by two.
  halved = large.maps['group1'].reshape(8, 2, 8, 2).mean((1, 3))
  a, b = small.maps['group1'], halved
  want = np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
  np.testing.assert_allclose(saved['cosine/alone/group1'], want, rtol=1e-5)
  show_gradients(columns, Some(), tmp_path / 'out')
  assert calls[1][3][1].maps[SUM].shape == (16, 16)


def test_dead_maps_and_diverged_networks(study, tmp_path, calls):
  columns = find_columns([study], 'at')
  params = columns[0].weights.variables['params']
  params['group2_bn'] = jax.tree.map(np.zeros_like, params['group2_bn'])
  lines = show_maps(columns, Some(), tmp_path)
  student, _ = calls[0][3]
  assert student.notes['group2'] == 'cos –: all zero'
  assert lines[1][2] == '–'
  found = json.loads((tmp_path / 'similarity.json').read_text())
  assert found['cosine']['at']['group2'] is None
  params['head'] = jax.tree.map(lambda x: x * np.nan, params['head'])
  for show in (show_maps, show_gradients):
    with pytest.raises(
      ValueError, match='student at gives .* NaN for title x0'
    ):
      show(columns, Some(), tmp_path)


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (['--what=map'], "Unknown --what 'map'.*mean 'maps'"),
    (['--what=maps,masks,gates'], 'has no masks: --what=masks'),
    (['--taps=group9'], 'Unknown tap .*group9.*group1, group2, group3'),
    (['--against=kd', '--rows=at'], "network --against 'kd'.*at, teacher"),
    (['--against=alone'], 'compares networks, and there is one'),
    (
      ['--kind=sum_abs', '--p=3'],
      '--p=3 is a power, and kind=sum_abs has none',
    ),
    (['--p=0.5'], 'p of attention_map must be >= 1'),
    (['--p=2,x'], "--p takes a number, or several: --p=2,4, got '2,x'"),
    (['--kind=max'], "Unknown --kind 'max'.*sum_abs, sum_pow, max_pow"),
    (['--what=maps', '--label'], '--label is for --what=gradients, not for'),
    (['--what=gradients', '--taps=x'], '--taps is for --what=maps, not for'),
    (['--rows=beta'], "Unknown row .*'beta'.*alone, at, kd, all"),
    (['--workdir', 'nowhere'], 'nowhere is no workdir'),
  ],
)
def test_errors(study, tmp_path, arguments, words):
  path = noise_photo(tmp_path / 'a.png', 8, 8)
  command = [f'--workdir={study}', f'--out={tmp_path}', '--images', path]
  with pytest.raises(SystemExit) as error:
    visualize([*command, *arguments])
  assert re.search(words, str(error.value)), error.value


def test_summaries_of_another_command_do_not_stay(study, tmp_path):
  path = noise_photo(tmp_path / 'a.png', 8, 8)
  out = tmp_path / 'out'
  command = [f'--out={out}', '--what=maps', '--images', path]
  visualize([f'--workdir={study / "at/seed0"}', *command])
  assert not (out / 'similarity.json').exists()
  visualize([f'--workdir={study}', '--rows=alone,at', *command])
  assert (out / 'similarity.json').exists()
  visualize([f'--workdir={study}', *command])
  assert not (out / 'similarity.json').exists()


def test_further_folders_may_follow(study, tmp_path, capsys):
  path = noise_photo(tmp_path / 'a.png', 8, 8)
  one, other = (str(study / row / 'seed0') for row in ('alone', 'at'))
  visualize([f'--workdir={one}', other, f'--out={tmp_path}', '--images', path])
  said = capsys.readouterr().out
  assert said.startswith('student alone, student at: compiling')


def test_square_is_for_photos(study):
  with pytest.raises(SystemExit, match='--square is for photos'):
    visualize([f'--workdir={study}', '--square'])
