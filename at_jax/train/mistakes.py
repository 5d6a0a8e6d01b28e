"""Test images that a network got wrong and was sure of, kept beside a run.

Arrays of `mistakes.npz`, the most confident first: `images` uint8 [n, H, W, C],
`labels`, `predictions`, `probabilities` (of the predictions) [n],
`class_names`. There is no file where nothing is wrong.
"""

import numpy as np

from at_jax.train.snapshot import write_arrays

COUNT = 12


def save_mistakes(folder, dataset, evaluation):
  """Writes the images as evaluation saw them, so that a report needs no data.

  Args:
    folder: of the run.
    dataset: a `Dataset` with one label an image.
    evaluation: the `Evaluation` of its test set.
  """
  indices = evaluation.mistakes(COUNT)
  if not len(indices):
    return
  arrays = {
    'images': dataset.test.examples(indices)['image'],
    'labels': evaluation.labels[indices],
    'predictions': evaluation.predictions[indices],
    'probabilities': evaluation.probabilities[indices],
    'class_names': np.array(dataset.class_names),
  }
  write_arrays(folder / 'mistakes.npz', arrays)
