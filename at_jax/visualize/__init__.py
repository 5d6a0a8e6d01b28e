"""Shows where trained networks look: pictures, raw arrays, numbers, one page.

  python -m at_jax.visualize --workdir=runs/digits_at --rows=alone+at
  python -m at_jax.visualize --workdir FOLDER FOLDER --images 'photos/*.jpg'
  python -m at_jax.visualize --workdir=FOLDER --taps='group[34]' --kind=max_pow
  python -m at_jax.visualize --workdir=FOLDER --what=gradients,masks --square

`maps`: attention maps of layers, networks side by side, and how alike they are.
`gradients`: which pixels the class depends on, likewise.
`masks`: of residual attention networks, every module's features before its
mask, the mask, the image under it, and the features after it.
`samples`: of TASN, the structure map, the lattice that it reads, what comes of
it, the same of single channels, and how densities become positions; for the
first images together, features beside the maps made of them.
`gates`: of networks with triple attention (A3Net), where each class is seen:
attention, scores, and both, over the image with its boxes; for all images
together, the gates of channels and of scales.

For each image a PNG and an .npz with the arrays, in OUT; index.html there has
all pictures and tables of this command in itself.

Photos are seen whole, their longer side cut to twelfths of the shorter one, so
that few shapes need to be compiled; --square sees the central square, as test
images are seen. Pictures and how to read them: docs/seeing.md.
"""
