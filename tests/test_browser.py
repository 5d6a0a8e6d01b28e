"""Pages in a browser: whole, silent, and with nothing from elsewhere.

Skipped where there is no Chromium.
"""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image
from report_workdir import workdir, write_mistakes, write_predictions
from saved_networks import noise_photo
from visualize_study import make_study

from at_jax import report
from at_jax.visualize.__main__ import main as visualize
from at_jax.visualize.page import writing

NAMES = 'chromium', 'chromium-browser', 'google-chrome', 'chrome'
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
WIDTH, HEIGHT, MARGIN = 1280, 2400, 12  # pixels
WRONG = '<script>throw 1</script><img src="http://example.org/x.png">'

pytestmark = pytest.mark.skipif(
  not BROWSER, reason=f'none of {", ".join(NAMES)} is installed'
)


@pytest.fixture(scope='module')
def pages(small_wrn, tmp_path_factory):
  """A report, and what `visualize` writes."""
  work = workdir(tmp_path_factory.mktemp('report') / 'digits_at')
  write_predictions(work / 'at/seed0', [0, 1, 2], [1, 1, 1], 'abc')
  write_mistakes(work / 'at/seed0', 'abc')
  report.write_report(work)
  above = tmp_path_factory.mktemp('seen')
  study, photo = make_study(above), noise_photo(above / 'a.jpg', 9, 12, 3)
  command = [f'--workdir={study}', '--rows=alone+at', f'--out={above}']
  visualize([*command, '--images', photo])
  return {'report': work / 'report.html', 'visualize': above / 'index.html'}


def opened(page, folder):
  """(what the browser's console says, the page's uppermost pixels)."""
  shot = folder / 'shot.png'
  command = [
    BROWSER,
    '--headless',
    '--no-sandbox',  # root has none
    '--disable-gpu',
    '--no-first-run',
    '--hide-scrollbars',
    '--enable-logging=stderr',
    '--v=0',
    '--host-resolver-rules=MAP * ~NOTFOUND',
    f'--user-data-dir={folder / "profile"}',
    f'--window-size={WIDTH},{HEIGHT}',
    f'--screenshot={shot}',
    page.as_uri(),
  ]
  done = subprocess.run(command, capture_output=True, text=True, timeout=60)
  assert shot.exists(), done.stderr[-2000:]
  console = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
  with Image.open(shot) as image:
    return console, np.asarray(image.convert('RGB')).astype(int)


def is_white(pixels):
  return (pixels == 255).all()


@pytest.mark.parametrize('name', ['report', 'visualize'])
def test_a_page_is_shown_and_says_nothing(pages, tmp_path, name):
  console, pixels = opened(pages[name], tmp_path)
  assert console == []
  assert pixels.shape == (HEIGHT, WIDTH, 3)
  # Text is grey and links are few: colours are those of pictures.
  colourful = pixels.max(-1) - pixels.min(-1) > 40
  assert colourful.mean() > 0.05
  assert is_white(pixels[:, -MARGIN:]), 'something reaches over the page'


@pytest.mark.parametrize('name', ['report', 'visualize'])
def test_scripts_and_what_is_elsewhere_are_refused(pages, tmp_path, name):
  text = pages[name].read_text()
  page = tmp_path / 'wrong.html'
  page.write_text(text.replace('</body>', f'{WRONG}</body>'))
  console, _ = opened(page, tmp_path)
  script, image = sorted(console, key=lambda line: 'example.org' in line)
  assert 'inline script violates' in script
  assert 'example.org/x.png' in image and 'violates' in image


def test_what_is_wide_stays_in_the_page_and_is_as_large_as_it(tmp_path):
  Image.new('RGB', (2000, 40), 'red').save(tmp_path / 'red.png')
  with writing(tmp_path / 'index.html', 'Wide') as page:
    page.command('python ' + '--flag=value ' * 50 + 'x' * 300)
    page.table([[f'group{k}/block1' for k in range(40)]] * 2)
    page.picture(tmp_path / 'red.png', 'red')
  _, pixels = opened(tmp_path / 'index.html', tmp_path)
  assert is_white(pixels[:, -MARGIN:])
  red = (pixels == (255, 0, 0)).all(-1)
  assert red.any(0).sum() > 0.9 * WIDTH
