// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Reads a DICOM file as its bytes are written, whatever its meta header says of them, and without padding at its end.

#include <equipoise/io/regular_file.hpp>
#include <equipoise/psqa/dicom/deflated.hpp>
#include <equipoise/psqa/dicom/encoding.hpp>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// One line for each thing that a meta header says wrongly.
[[nodiscard]] inline std::vector<std::string> contradictions(const DicomHead& head) {
  std::vector<std::string> out;
  if (head.wrong_length())
    out.push_back("the meta header is " + std::to_string(head.length) + " bytes long, not " +
                  std::to_string(*head.group_length) + " as its group length says: read as it is");
  if (!head.wrong_syntax()) return out;
  const std::string says = head.syntax.empty()          ? ", and the meta header gives no transfer syntax"
                           : head.said() == EXS_Unknown ? ", not in the unknown transfer syntax " + head.syntax
                                                        : ", not " + std::string(DcmXfer(head.said()).getXferName()) +
                                                              " as the meta header says";
  out.push_back("the data set is written in " + std::string(DcmXfer(head.encoding->syntax()).getXferName()) + says +
                ": read as it is");
  return out;
}

/// The data set in some bytes, or nothing where it is not whole.
[[nodiscard]] inline std::unique_ptr<DcmDataset> read_data_set(const SharedBytes& bytes, std::size_t from,
                                                               E_TransferSyntax syntax) {
  MemoryStream memory(bytes, from);
  auto data = std::make_unique<DcmDataset>();
  data->transferInit();
  const OFCondition status = data->read(memory, syntax, EGL_noChange, DCM_MaxReadLength);
  data->transferEnd();
  return status.good() ? std::move(data) : nullptr;
}

/// A file's data set as its first element shows it to be written; nothing where that is not known, or the set is not
/// whole. \param warnings get a line for each thing that was passed over
[[nodiscard]] inline std::unique_ptr<DcmDataset> read_as_written(const std::filesystem::path& path,
                                                                 const DicomHead& head,
                                                                 std::vector<std::string>& warnings) {
  if (!head.encoding) return nullptr;
  std::ifstream in = io::open_regular(path);
  std::vector<char> all{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::string_view text(all.data(), all.size());
  std::vector<std::string> passed = contradictions(head);
  if (const std::size_t end = end_of_elements(text, head.data_at, *head.encoding);
      end < all.size() && is_padding(text.substr(end))) {
    const std::size_t n = all.size() - end;
    passed.push_back(std::to_string(n) + (n == 1 ? " byte" : " bytes") + " after the last element: ignored");
    all.resize(end);
  }
  const auto bytes = std::make_shared<const std::vector<char>>(std::move(all));
  const E_TransferSyntax syntax = head.wrong_syntax() || !head.has_meta ? head.encoding->syntax() : head.said();
  auto data = read_data_set(bytes, head.data_at, syntax);
  if (!data && syntax != head.encoding->syntax()) {  // compressed by its meta header alone
    data = read_data_set(bytes, head.data_at, head.encoding->syntax());
    passed.push_back("the pixels are not compressed, as the meta header says: read as they are");
  }
  if (data) warnings.insert(warnings.end(), passed.begin(), passed.end());
  return data;
}

}  // namespace equipoise::psqa::detail
