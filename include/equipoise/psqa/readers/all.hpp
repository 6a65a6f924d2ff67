// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every reader of dose and plan files. Adding one: its header, its include and its entry here, its test
/// (docs/adding_components.md). The first reader of the list that recognises a file reads it: one of a special kind of text
/// stands before that of any table.

#include <equipoise/core/base/type_list.hpp>
#include <equipoise/psqa/readers/dicom_reader.hpp>
#include <equipoise/psqa/readers/log_reader.hpp>
#include <equipoise/psqa/readers/mapcheck_reader.hpp>
#include <equipoise/psqa/readers/mcc_reader.hpp>
#include <equipoise/psqa/readers/npy_reader.hpp>
#include <equipoise/psqa/readers/openkbp_reader.hpp>
#include <equipoise/psqa/readers/opg_reader.hpp>
#include <equipoise/psqa/readers/table_reader.hpp>
#include <equipoise/psqa/readers/xio_reader.hpp>

#include <tuple>

namespace equipoise::psqa {

using EveryReader = std::tuple<NpyReader, DicomReader, MapcheckReader, MccReader, OpgReader, XioReader, ElektaLogReader,
                               OpenKbpReader, TableReader>;
static_assert(has_distinct_ids<EveryReader>, "equipoise: two readers of the list have the same id");

}  // namespace equipoise::psqa
