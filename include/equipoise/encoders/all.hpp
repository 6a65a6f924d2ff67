// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The list of all encoders of the library. To add one, write its header and its test, and add its
/// include and its entry here (docs/adding_components.md). Three have includes of their own in this
/// folder: `pretrained.hpp`, which needs nlohmann-json, `scripted.hpp` and `exported.hpp`, whose
/// headers of LibTorch take seconds to compile.

#include <equipoise/core/base/type_list.hpp>
#include <equipoise/encoders/cnn.hpp>
#include <equipoise/encoders/frozen.hpp>
#include <equipoise/encoders/ft_transformer.hpp>
#include <equipoise/encoders/identity.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/encoders/resnet.hpp>
#include <equipoise/encoders/sequence.hpp>
#include <equipoise/encoders/sized.hpp>
#include <equipoise/encoders/unet_encoder.hpp>
#include <equipoise/encoders/vit.hpp>

#include <tuple>

namespace equipoise {

using EveryEncoder = std::tuple<Mlp, Cnn, Sequence, FtTransformer, Identity, Frozen<Mlp>, ResNet, ViT, UNetEncoder>;
static_assert(has_distinct_ids<EveryEncoder>, "equipoise: two encoders of the list have the same id");

}  // namespace equipoise
