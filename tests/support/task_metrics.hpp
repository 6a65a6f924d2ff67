// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Metrics of predictions, written by tests/evaluation/make_task_metrics.py.

namespace support::reference {

inline constexpr double mae = 0.7410074675651424;
inline constexpr double rmse = 0.894915027310405;
inline constexpr double r2 = 0.3903374182662036;
inline constexpr double pearson = 0.8096714948782378;
inline constexpr double spearman = 0.8137249952759634;
inline constexpr double absolute_bias = 0.41515804198045675;
inline constexpr double of_2_classes_balanced_accuracy = 0.8708791208791209;
inline constexpr double of_2_classes_macro_f1 = 0.8647734956051386;
inline constexpr double of_2_classes_auroc = 0.9271978021978021;
inline constexpr double of_2_classes_auprc = 0.888708463183253;
inline constexpr double of_2_classes_brier = 0.113093583169953;
inline constexpr double of_2_classes_ece = 0.10290770377989164;
inline constexpr double of_4_classes_balanced_accuracy = 0.771590909090909;
inline constexpr double of_4_classes_macro_f1 = 0.6623015873015873;
inline constexpr double of_4_classes_auroc = 0.9121464646464645;
inline constexpr double of_4_classes_auprc = 0.7860695452117635;
inline constexpr double of_4_classes_brier = 0.4609648777738113;
inline constexpr double of_4_classes_ece = 0.17724343463921186;
inline constexpr double of_labels_balanced_accuracy = 0.6304314429847252;
inline constexpr double of_labels_macro_f1 = 0.5060931899641576;
inline constexpr double of_labels_auroc = 0.7530744037480904;
inline constexpr double of_labels_auprc = 0.6247892184756654;
inline constexpr double of_labels_brier = 0.19856838800499954;
inline constexpr double of_labels_ece = 0.2226242339314216;
inline constexpr double ssim = 0.8940351740815725;
inline constexpr double psnr = 16.88783822271394;
inline constexpr double ms_ssim = 0.8977686049725518;
inline constexpr double ms_ssim_of_3_scales = 0.9032853523003613;
inline constexpr double dice = 0.2968125187804822;
inline constexpr double hausdorff95 = 3.329021658537817;
inline constexpr double hausdorff95_in_mm = 7.022542485937368;
inline constexpr double hausdorff95_of_noise = 2.0999999999999996;
inline constexpr double of_volumes_mae = 0.44802217144268774;
inline constexpr double of_volumes_rmse = 0.5439821053359806;
inline constexpr double of_volumes_psnr = 11.308926960053862;
inline constexpr double of_volumes_ssim = 0.8271242075586737;
inline constexpr double of_volumes_ms_ssim = 0.8279701736073751;
inline constexpr double of_volumes_dice = 0.4391445933765592;
inline constexpr double of_volumes_hausdorff95 = 2.9113977430374467;
inline constexpr double of_volumes_hausdorff95_in_mm = 6.6641563972623885;
inline constexpr double hausdorff95_of_noise_in_a_volume = 2.370653918225939;
inline constexpr double c_index = 0.7013574660633484;

}  // namespace support::reference
