"""Small real batches, one for each loss, for the README and the tests.

Each file holds a loss's arguments and options by name. :mod:`lossproof.samples.make` makes them
from data that scikit-learn ships.

From scikit-learn's digits (``load_digits``), the second half of which was held out from training:

- ``cross_entropy_digits.npz``, ``softmax_focal_digits.npz``: logits of a multinomial logistic
  regression.
- ``binary_cross_entropy_digits.npz``, ``balanced_cross_entropy_digits.npz``,
  ``sigmoid_focal_digits.npz``: logits of ten one-against-the-rest logistic regressions;
  ``log_loss_digits.npz``: their probabilities.
- ``arcface_digits.npz``, ``center_digits.npz``: linear discriminants, and the class means of the
  first half.

From scikit-learn's sample images (``load_sample_image``) flower.jpg and china.jpg:

- ``mse_flower.npz``: a crop of flower.jpg, and its reconstruction from principal components that
  were learned on china.jpg.
- ``vgg_content_flower.npz``: a quarter of the same pair.
- ``iou_flower.npz``, ``giou_flower.npz``, ``diou_flower.npz``, ``ciou_flower.npz``: boxes around
  the petal rims in flower.jpg, found at a lower resolution and by a contrast rule.
- ``yolo_detection_flower.npz``: the same boxes, a cell classifier's logits of the middle of a rim, and
  whether the rim lies or stands.
- ``dice_flower.npz``: a pixel classifier's probabilities of flower on a shrunk flower.jpg, and the
  mask of a colour rule.
- ``jaccard_flower.npz``, ``tversky_flower.npz``, ``focal_tversky_flower.npz``,
  ``log_cosh_dice_flower.npz``, ``sensitivity_specificity_flower.npz``: four tiles of these;
  ``hausdorff_dt_flower.npz``: with the distances to both contours.
- ``bce_dice_flower.npz``, ``bce_log_dice_flower.npz``, ``combo_flower.npz``: the classifier's logits
  on the same tiles; ``exp_log_flower.npz``: as logits of two classes;
  ``distance_dice_flower.npz``, ``distance_weighted_ce_flower.npz``: with maps of the contour.

Credits and licences:

- Digits: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
  Repository, 1998, https://doi.org/10.24432/C50P49, CC BY 4.0; scikit-learn has its test set.
- flower.jpg: vultilion, https://www.flickr.com/photos/vultilion/6056698931, CC BY 2.0, cropped and
  shrunk (scikit-learn's images/README.txt links to vultilion, but names danielbuechele).
- china.jpg: danielbuechele, https://www.flickr.com/photos/danielbuechele/6061409035, CC BY 2.0.

CC BY 2.0: https://creativecommons.org/licenses/by/2.0/
CC BY 4.0: https://creativecommons.org/licenses/by/4.0/
"""
