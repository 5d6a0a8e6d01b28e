"""Shows where trained weights look: pictures, raw arrays, numbers.

  python -m at_jax.visualize --workdir=runs/ran_digits --what=masks
  python -m at_jax.visualize --workdir=runs/ran_cifar --images='photos/*.jpg'
  python -m at_jax.visualize --workdir=FOLDER --channels=mean,top3,12
  python -m at_jax.visualize --workdir=FOLDER --what=samples --images *.jpg
  python -m at_jax.visualize --workdir=FOLDER --what=gates --classes=top3,Edema

`masks`: of residual attention networks, every module's features before its
mask, the mask, the image under it, and the features after it.
`samples`: of TASN, the structure map, the lattice that it reads, what comes of
it, the same of single channels, and how densities become positions; for the
first images together, features beside the maps made of them.
`gates`: of networks with triple attention (A3Net), where each class is seen:
attention, scores, and both, over the image with its boxes; for all images
together, the gates of channels and of scales.

For each image a PNG and an .npz with the arrays, in OUT (default:
<run>/visualize).
"""
