"""Folders of X-rays in the layout of ChestX-ray14, small."""

import numpy as np
from PIL import Image

HEADER = (
  'Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,'
  'Patient Sex,View Position,OriginalImage[Width,Height],'
  'OriginalImagePixelSpacing[x,y]'
)
BOX_HEADER = 'Image Index,Finding Label,Bbox [x,y,w,h],,,'

# Patients 1 to 4 are trained on, 5 and 6 tested on.
FINDINGS = {
  '00000001_000.png': 'Cardiomegaly',
  '00000001_001.png': 'Cardiomegaly|Emphysema',
  '00000001_002.png': 'No Finding',
  '00000002_000.png': 'No Finding',
  '00000003_000.png': 'Hernia',
  '00000003_001.png': 'Infiltration|Atelectasis',
  '00000004_000.png': 'Pleural_Thickening',
  '00000005_000.png': 'No Finding',
  '00000005_001.png': 'Mass|Nodule|Pneumonia',
  '00000006_000.png': 'Effusion',
}
TRAIN = [name for name in FINDINGS if name < '00000005']
TEST = [name for name in FINDINGS if name >= '00000005']


def row(name, findings):
  """A line of the table of labels."""
  return f'{name},{findings},0,{int(name[:8])},58,M,PA,2682,2749,0.143,0.143'


def write_table(root, findings, table='Data_Entry_2017_v2020.csv', more=()):
  lines = [HEADER, *(row(*item) for item in findings.items()), *more]
  (root / table).write_text('\n'.join(lines) + '\n')


def write_list(root, name, names):
  (root / name).write_text('\n'.join(names))


def write_boxes(root, *lines, header=BOX_HEADER):
  (root / 'BBox_List_2017.csv').write_text('\n'.join([header, *lines, '']))


def write_image(path, number, size=(16, 16)):
  """A grey PNG of noise; `size` is (height, width)."""
  path.parent.mkdir(parents=True, exist_ok=True)
  pixels = np.random.default_rng(number).integers(0, 256, size)
  Image.fromarray(pixels.astype(np.uint8)).save(path)


def write_xrays(root, *, size=(16, 16), archives=True, findings=FINDINGS):
  """Images in two archives' folders or one, the table of labels, both lists."""
  for number, name in enumerate(findings):
    folder = f'images_{1 + number % 2:03}/images' if archives else 'images'
    write_image(root / folder / name, number, size)
  write_table(root, findings)
  names = sorted(findings)
  write_list(root, 'train_val_list.txt', [n for n in names if n < '00000005'])
  write_list(root, 'test_list.txt', [n for n in names if n >= '00000005'])
  return root
