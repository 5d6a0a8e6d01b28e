"""Reports on data with several labels an image."""

import json

import numpy as np
import pytest
from report_workdir import amend, workdir

from at_jax import report
from at_jax.pictures import curves, roc
from at_jax.report import multi_label, pictures
from at_jax.report.read import read_study

NAMES = ('Mass', 'Edema', 'Hernia')
LABELS = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]], np.uint8)
AUROCS = {'alone': (80.0, 81.0, 79.0), 'at': (81.0, 80.5, 79.5)}
LABEL = {'alone': 'student alone', 'at': 'student + AT'}
# Without what is padded, and without the line below the head.
TABLE = """
| | validation AUROC %, mean | test AUROC %, median | mean ± sd | n \
| difference to student alone, paired by seed | time per run |
| student alone | 82.00 | 80.00 | 80.00 ± 1.00 | 3 | – | 1.5 min |
| student + AT | 82.33 | 80.50 | 80.33 ± 0.76 | 3 \
| +0.33 ± 0.76, wins 2/3 | 1.5 min |
"""
CLASSES = """
| AUROC %, median | positives | student alone | student + AT |
| Mass | 2 | 75.00 | 75.50 |
| Edema | 2 | 85.00 | 85.50 |
| Hernia | 0 | – | – |
| **mean over classes** | | 80.00 | 80.50 |
| 95 % interval of one run | | 78.00 to 82.00 (seed 0) \
| 79.00 to 83.00 (seed 0) |

| AP %, median | positives | student alone | student + AT |
| Mass | 2 | 20.00 | 20.50 |
| Edema | 2 | 40.00 | 40.50 |
| Hernia | 0 | – | – |
| **mean over classes** | | 30.00 | 30.50 |

AUROC: the chance"""


def squeezed(text):
  """Lines without padding, and without those of dashes."""
  lines = (' '.join(line.split()) for line in text.split('\n'))
  return '\n'.join(line for line in lines if not line.startswith('| --'))


def located(plus):
  numbers = dict(pairs=984, area=10.0, pointing=30 + plus, iou=20.0, iobb=25.0)
  return {'group3': numbers | {'by_class': {'Mass': dict(numbers)}}}


def result_of(mean):
  return dict(
    test_error=5.0,
    test_auroc=mean,
    validation_auroc=mean + 2,
    test_ap=mean - 50,
    test_class_auroc=dict(zip(NAMES, (mean - 5, mean + 5, None), strict=True)),
    test_class_ap=dict(zip(NAMES, (mean - 60, mean - 40, None), strict=True)),
    test_class_positives=dict(zip(NAMES, (2, 2, 0), strict=True)),
    test_auroc_interval=[mean - 2, mean + 2],
    class_localisation=located(mean - 80),
  )


def studied(folder, **settings):
  path = workdir(folder, teacher='', **settings)
  amend(path / 'config.json', rows={k: {'label': v} for k, v in LABEL.items()})
  for row, means in AUROCS.items():
    for seed, mean in enumerate(means):
      run = path / row / f'seed{seed}'
      amend(run / 'result.json', **result_of(mean))
      rng = np.random.default_rng(seed)
      logits = rng.normal(size=LABELS.shape).astype(np.float32)
      np.savez(run / 'scores.npz', logits=logits, labels=LABELS)
      rows = (
        dict(step=2 * e, epoch=e, test_auroc=mean - 4 + e, test_error=5)
        for e in (1, 2)
      )
      (run / 'metrics.jsonl').write_text('\n'.join(map(json.dumps, rows)))
  return path


@pytest.fixture
def folder(tmp_path):
  return studied(tmp_path / 'work')


@pytest.fixture
def drawn(monkeypatch, no_pictures):
  """{name of a picture: (classes, title)}, in place of ROC curves."""
  calls = {}

  def draw(path, classes, *, title):
    calls[path.name] = classes, title

  monkeypatch.setattr(roc, 'draw_roc', draw)
  return calls


def test_the_table_a_win_is_the_larger_number(folder, drawn):
  assert squeezed(report.write_report(folder)) == TABLE.strip('\n')
  page = (folder / 'report.md').read_text()
  assert 'positive is better; a win is a seed with the larger AUROC' in page
  assert 'Bold: test AUROC during training; right: every term' in page
  rows = json.loads((folder / 'result.json').read_text())['rows']
  assert rows['at']['aurocs'] == {'0': 81.0, '1': 80.5, '2': 79.5}
  assert 'errors' not in rows['at']


def test_the_table_of_classes(folder, drawn):
  report.write_report(folder)
  assert CLASSES in squeezed((folder / 'report.md').read_text())
  rows = json.loads((folder / 'result.json').read_text())['rows']
  assert rows['at']['auroc'] == {'Mass': 75.5, 'Edema': 85.5}
  assert rows['at']['interval'] == {'seed': 0, 'low': 79.0, 'high': 83.0}


def test_the_table_of_boxes(folder, drawn):
  report.write_report(folder)
  page = squeezed((folder / 'report.md').read_text())
  assert '| student + AT | group3 | 984 | 10.0 | 30.5 | 20.0 | 25.0 |' in page
  rows = json.loads((folder / 'result.json').read_text())['rows']
  located = rows['at']['class_localisation']['group3']
  assert located['by_class']['Mass']['pointing'] == 30.5
  for path in folder.glob('*/seed*/result.json'):
    amend(path, class_localisation={})
  report.write_report(folder)
  assert 'In the boxes of each' not in (folder / 'report.md').read_text()


def test_curves_are_of_the_lowest_seed_that_has_scores(folder, drawn):
  (folder / 'alone/seed0/scores.npz').unlink()
  (folder / 'at/seed0/scores.npz').write_bytes(b'damaged')
  report.write_report(folder)
  classes, title = drawn['roc_alone.png']
  assert title == 'student alone, seed 1, 4 images'
  assert [found['label'] for found in classes] == list(NAMES)
  logits = np.random.default_rng(1).normal(size=LABELS.shape)[:, 0]
  right = np.mean(logits[[0, 2]][:, None] > logits[[1, 3]])
  assert classes[0]['auroc'] == right
  rates, found = classes[0]['roc']
  assert np.trapezoid(found, rates) == pytest.approx(right)
  assert np.isnan(classes[2]['auroc']) and not len(classes[2]['roc'][0])
  page = (folder / 'report.md').read_text()
  assert '![ROC and precision-recall curves of student + AT, seed 1]' in page
  assert 'at/seed0/scores.npz is damaged and left out.' in page


def test_curves_of_training_are_those_of_aurocs(folder, monkeypatch):
  seen = {}
  monkeypatch.setattr(
    curves, 'draw_curves', lambda path, rows, **more: seen.update(more, r=rows)
  )
  pictures.draw_curves(read_study(folder), folder / 'curves.png')
  assert (seen['measure'], seen['evaluated']) == ('AUROC', 'test')
  assert seen['r'][0]['evaluated'][0] == ([1.0, 2.0], [77.0, 78.0])
  assert not seen['r'][0]['train']
  figure = curves.curves_figure(seen['r'], measure='AUROC')
  axes = figure.axes[0]
  assert axes.get_ylabel() == 'AUROC (%)' and axes.get_ylim()[0] > 50
  assert axes.get_title().startswith('test AUROC\n')


def test_a_run_that_goes_on_is_known_by_its_metrics(folder, drawn):
  for path in folder.glob('*/seed*/result.json'):
    path.unlink()
  table = report.write_report(folder)
  assert 'test AUROC %, median' in table and '0 of 3 runs done' in table
  assert '## Classes' not in (folder / 'report.md').read_text()


def test_a_result_without_a_number_is_left_out(folder, drawn):
  amend(folder / 'at/seed0/result.json', test_auroc='x')
  report.write_report(folder)
  page = (folder / 'report.md').read_text()
  assert 'at/seed0/result.json holds no test_auroc and is left out.' in page


def test_the_other_kind_of_labels_is_not_joined(folder, tmp_path, drawn):
  other = workdir(tmp_path / 'other', teacher='')
  about = json.loads((other / 'about.json').read_text())
  for path in (other, *other.glob('*/seed*')):
    name = 'about.json' if path == other else 'result.json'
    amend(path / name, data_fingerprint=None)
  assert about['data_fingerprint'] == 'd1'
  with pytest.raises(ValueError, match='test AUROC and test error do not'):
    report.write_report([folder, other])


def test_two_results_of_one_seed_must_agree(folder, tmp_path, drawn):
  other = studied(tmp_path / 'other')
  report.write_report([folder, other])
  amend(other / 'at/seed1/result.json', test_auroc=70.0)
  with pytest.raises(ValueError, match='differ: test AUROC 80.5 % and 70.0 %'):
    report.write_report([folder, other])


def test_one_row_has_intervals_of_classes(tmp_path):
  path = studied(tmp_path / 'work')
  row = read_study(path).rows['at']
  run = row.runs[0]
  run.result['test_class_auroc_interval'] = {'Mass': [70.0, 80.0]}
  found = multi_label.summary(row)['class_intervals']
  assert found == {'Mass': {'seed': 0, 'low': 70.0, 'high': 80.0}}
  summary = multi_label.summary(row) | dict(label='at', median=75.0)
  text = multi_label._table({'at': summary}, 'auroc')
  assert '95 % interval of one run' in text.splitlines()[0]
  assert '70.00 to 80.00 (seed 0)' in text
