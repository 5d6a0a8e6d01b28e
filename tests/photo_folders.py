"""Folders of JPEGs that tests make from real digits."""

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def write_digits(root, *, train, test, side=40, boxes=False, classes=10):
  """Writes `train/` and `test/` with a folder for each digit.

  Args:
    root: where to.
    train, test: images in all of each split, classes in turn.
    side: about how many pixels a side has; no two shapes are the same.
    boxes: also a `boxes.csv`, with the digit's box on a grey canvas that is
      half as large again.
    classes: the digits 0 to classes - 1.

  Returns:
    root.
  """
  found = load_digits()
  of_class = [np.flatnonzero(found.target == k) for k in range(classes)]
  lines, used = ['path,x0,y0,x1,y1'], [0] * classes
  for split, count in (('train', train), ('test', test)):
    for number in range(count):
      label = number % classes
      scan = found.images[of_class[label][used[label]]]
      used[label] += 1
      path = f'{split}/digit{label}/{number:03}.jpg'
      height, width = side + number % 7, side + 3 * (number % 5)
      image = Image.fromarray(np.uint8(scan * 15)).convert('RGB')
      image = image.resize((width, height), Image.Resampling.BILINEAR)
      if boxes:
        canvas = Image.new('RGB', (width * 3 // 2, height * 3 // 2), 'grey')
        left, top = number % (width // 2), number % (height // 2)
        canvas.paste(image, (left, top))
        lines.append(f'{path},{left},{top},{left + width},{top + height}')
        image = canvas
      (root / path).parent.mkdir(parents=True, exist_ok=True)
      image.save(root / path, quality=90)
  if boxes:
    (root / 'boxes.csv').write_text('\n'.join(lines) + '\n')
  return root
