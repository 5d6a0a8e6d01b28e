"""What is known of ChestX-ray14 when all of it is there: numbers to check.

Counted from the official lists. Two releases of the labels are around; a
table's file name does not tell which one it is, the numbers do.
"""

import numpy as np

from at_jax.data.chestxray14_tables import DISEASES

IMAGES = (86_524, 25_596)  # in train_val_list.txt, test_list.txt

# Images that show a disease in each list, and any: the labels of today.
POSITIVES = {
  'Atelectasis': (8_280, 3_279),
  'Cardiomegaly': (1_707, 1_069),
  'Effusion': (8_659, 4_658),
  'Infiltration': (13_782, 6_112),
  'Mass': (4_034, 1_748),
  'Nodule': (4_708, 1_623),
  'Pneumonia': (876, 555),
  'Pneumothorax': (2_637, 2_665),
  'Consolidation': (2_852, 1_815),
  'Edema': (1_378, 925),
  'Emphysema': (1_423, 1_093),
  'Fibrosis': (1_251, 435),
  'Pleural_Thickening': (2_242, 1_143),
  'Hernia': (141, 86),
}
ANY = (36_024, 15_735)

# In both lists together: what is known of the first labels.
FIRST = {'Atelectasis': 11_535, 'Cardiomegaly': 2_772, 'Pneumonia': 1_353}
FIRST_ANY = sum(IMAGES) - 60_412


def check_published(where, table, train, test):
  """Compares the whole set with what is published of it.

  Args:
    where: what errors begin with.
    table: name of the file with the labels; only one without 2020 in it may
      have the first ones.
    train, test: multi-hot labels `[N, 14]` of the two lists.

  Returns:
    What was found, in words.

  Raises:
    ValueError: other numbers of images, or of a disease.
  """
  images = (len(train), len(test))
  if images != IMAGES:
    raise ValueError(
      f'{where}: the lists have {images[0]:,} and {images[1]:,} images, the '
      f'official split of all {sum(IMAGES):,} has {IMAGES[0]:,} for training '
      f'and validation and {IMAGES[1]:,} for test. Take train_val_list.txt and '
      'test_list.txt as they are published: other splits give other numbers.'
    )
  shown = np.stack([train.sum(axis=0), test.sum(axis=0)], axis=1)
  counts = dict(zip(DISEASES, map(tuple, shown.tolist()), strict=True))
  positive = tuple(int(x.any(axis=1).sum()) for x in (train, test))
  if counts == POSITIVES and positive == ANY:
    return 'all images, numbers as published'
  first = {name: sum(counts[name]) for name in FIRST}
  if first == FIRST and sum(positive) == FIRST_ANY:
    if '2020' not in table:
      return 'all images, the first release of the labels'
    raise ValueError(
      f'{where}: {table} has the labels of the first release, of 2017, under '
      'the name of the second one. Call it Data_Entry_2017.csv, or download '
      'Data_Entry_2017_v2020.csv again.'
    )
  wrong = [
    f'{name} {counts[name]}, wanted {POSITIVES[name]}'
    for name in DISEASES
    if counts[name] != POSITIVES[name]
  ]
  if positive != ANY:
    wrong.append(f'any disease {positive}, wanted {ANY}')
  raise ValueError(
    f'{where}: {table} has other labels than published: images of the '
    f'training and the test list with {"; ".join(wrong)}. Download the table '
    'again.'
  )
