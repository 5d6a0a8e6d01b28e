"""What a report says of the weights that rows began with."""

import pytest
from report_workdir import ERRORS, ROWS, workdir

from at_jax import report
from at_jax.report.begun import sentences
from at_jax.report.read import read_study

pytestmark = pytest.mark.usefixtures('no_pictures')
FROZEN = ['stem', 'group1_*']


def said(folder, **config):
  return sentences(read_study(workdir(folder, **config)))


def test_rows_from_scratch_say_nothing(tmp_path):
  assert said(tmp_path / 'old') == []  # written before there were starts
  assert said(tmp_path / 'new', start={}, freeze=[], bn='global') == []


def test_rows_that_began_alike_share_a_sentence(tmp_path):
  begun = dict(start={'': 'weights/resnet18'}, freeze=FROZEN, bn='frozen')
  wanted = (
    'student alone, student + AT: begins with weights `weights/resnet18`, '
    'frozen `stem` `group1_*`, all batch norms fixed.'
  )
  assert said(tmp_path, **begun) == [wanted]
  report.write_report(tmp_path)
  assert f'\n\n{wanted}\n\nParameters: ' in (tmp_path / 'report.md').read_text()


def test_a_row_with_a_start_of_its_own(tmp_path):
  rows = {
    'alone': ROWS['alone'] | {'start': {}, 'freeze': []},
    'at': ROWS['at'] | {'start': {'': 'a', 'group1': 'b'}, 'bn': 'global'},
  }
  begun = dict(start={'': 'x'}, freeze=FROZEN, bn='global')
  assert said(tmp_path, rows=rows, errors=ERRORS, **begun) == [
    'student + AT: begins with weights `a`, weights `b` at `group1`, frozen '
    '`stem` `group1_*`.'
  ]


def test_a_plain_config_that_freezes_only(tmp_path):
  plain = dict(rows={}, errors={'main': {0: 5.0}}, label='AT')
  assert said(tmp_path, **plain, freeze=FROZEN) == [
    'AT: frozen `stem` `group1_*`.'
  ]
