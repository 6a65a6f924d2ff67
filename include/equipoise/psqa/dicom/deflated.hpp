// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Inflates deflated DICOM data sets into memory, within bounds, and reads them from there. DCMTK
/// would allocate any length that a data set claims, and up to a thousand bytes for each byte of a
/// hostile file.

#include <equipoise/core/base/errors.hpp>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcistrmf.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// The largest inflated size: a megabyte, or this many bytes for each byte of the file. Real doses
/// and plans have a tenth of that.
inline constexpr std::uintmax_t kInflated = 1 << 20, kInflatedPerByte = 64;

using SharedBytes = std::shared_ptr<const std::vector<char>>;

/// Bytes in memory as DCMTK reads a file: long values stay where they are until somebody asks for them, and a value that
/// claims to be longer than what follows is an error.
class MemoryStream : public DcmInputBufferStream {
 public:
  explicit MemoryStream(SharedBytes bytes, std::size_t from = 0) : bytes_(std::move(bytes)), from_(from) {
    setBuffer(bytes_->data() + from_, static_cast<offile_off_t>(bytes_->size() - from_));
    setEos();
  }
  DcmInputStreamFactory* newFactory() const override {
    return new Factory(bytes_, from_ + static_cast<std::size_t>(tell()));
  }

 private:
  class Factory : public DcmInputStreamFactory {
   public:
    Factory(SharedBytes bytes, std::size_t from) : bytes_(std::move(bytes)), from_(from) {}
    DcmInputStream* create() const override { return new MemoryStream(bytes_, from_); }
    DcmInputStreamFactory* clone() const override { return new Factory(bytes_, from_); }
    DcmInputStreamFactoryType ident() const override { return DFT_DcmInputTempFileStreamFactory; }

   private:
    SharedBytes bytes_;
    std::size_t from_;
  };

  SharedBytes bytes_;
  std::size_t from_;
};

/// The rest of a stream. \throws FileError when it is longer than `kInflated` and `kInflatedPerByte` allow
[[nodiscard]] inline std::vector<char> inflated(DcmInputStream& stream, const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error),
                       max_size = std::max(kInflated, kInflatedPerByte * size);
  std::vector<char> out, part(4096);
  while (stream.good() && !stream.eos()) {
    const offile_off_t got = stream.read(part.data(), static_cast<offile_off_t>(part.size()));
    if (got <= 0) break;
    out.insert(out.end(), part.begin(), part.begin() + got);
    if (out.size() > max_size)
      throw FileError(message("file.428", path.string(), "expected a deflated data set of at most ", kInflatedPerByte,
                              " times the file's ", size, " bytes, got more"));
  }
  return out;
}

/// A file's data set if it is deflated, nothing if not.
/// \throws FileError when it is damaged, or expands to an implausible size
[[nodiscard]] inline std::unique_ptr<DcmDataset> read_deflated(const std::filesystem::path& path) {
  DcmInputFileStream stream(path.c_str());
  DcmMetaInfo meta;
  meta.transferInit();
  OFString syntax;
  if (meta.read(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength).bad() ||
      meta.findAndGetOFString(DCM_TransferSyntaxUID, syntax).bad() ||
      DcmXfer(syntax.c_str()).getStreamCompression() != ESC_zlib || stream.installCompressionFilter(ESC_zlib).bad())
    return nullptr;
  MemoryStream memory(std::make_shared<const std::vector<char>>(inflated(stream, path)));
  auto data = std::make_unique<DcmDataset>();
  data->transferInit();
  const OFCondition status = data->read(memory, EXS_LittleEndianExplicit, EGL_noChange, DCM_MaxReadLength);
  data->transferEnd();
  if (status.bad())
    throw FileError(message("file.421", path.string(),
                            "expected a whole deflated data set, got one that cannot be read: ", status.text()));
  return data;
}

}  // namespace equipoise::psqa::detail
