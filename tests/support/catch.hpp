// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The only way to include Catch2: LibTorch first, since c10 defines a fatal CHECK of its own.
/// Tests of tiers without LibTorch are built with EQUIPOISE_TESTS_WITHOUT_TORCH.

#ifndef EQUIPOISE_TESTS_WITHOUT_TORCH
#include <c10/util/Logging.h>
#undef CHECK
#endif

#include <catch2/catch.hpp>
