// SPDX-License-Identifier: MIT
/// \file
/// Small files for the fuzzer: the readers' own examples, and DICOM files of the project's writers: `fuzz_corpus FOLDER`.

#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/readers/all.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

namespace psqa = equipoise::psqa;

/// The same file, deflated.
void deflate(const std::filesystem::path& from, const std::filesystem::path& to) {
  DcmFileFormat file;
  if (file.loadFile(from.c_str()).bad() || file.loadAllDataIntoMemory().bad() ||
      file.saveFile(to.c_str(), EXS_DeflatedLittleEndianExplicit).bad())
    throw std::runtime_error("cannot deflate " + from.string());
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz_corpus FOLDER\n";
    return 2;
  }
  const std::filesystem::path root = argv[1];
  equipoise::for_each_type<psqa::EveryReader>([&]<class R>() {
    if constexpr (requires { R::example(); }) {
      std::filesystem::create_directories(root / R::id);
      std::ofstream(root / R::id / "example", std::ios::binary) << R::example();
    }
  });
  for (const char* folder : {"dicom_plan", "dicom_dose"}) std::filesystem::create_directories(root / folder);
  psqa::Plan plan;
  plan.id = plan.label = plan.patient = "small", plan.prescription_Gy = 2;
  psqa::Beam beam;
  beam.number = 1, beam.mu = 100, beam.has_x_jaw = beam.has_y_jaw = true;
  beam.layers = {{psqa::LeafAxis::x, {-10, -5, 0, 5, 10}, "MLCX"}};
  for (const double w : {0.0, 1.0}) {
    psqa::ControlPoint cp;
    cp.x1 = cp.y1 = -10, cp.x2 = cp.y2 = 10, cp.weight = w;
    cp.leaves = {{{-4, -5, -6, -7}, {4, 5, 6, 7}}};
    beam.control_points.push_back(cp);
  }
  plan.beams = {beam};
  psqa::write_rtplan(plan, root / "dicom_plan" / "small.dcm");
  psqa::DoseGrid dose = psqa::DoseGrid::plane(3, 4, 2);
  for (std::size_t i = 0; i < dose.values.size(); ++i) dose.values[i] = static_cast<double>(i);
  psqa::write_rtdose(dose, plan, "planned", root / "dicom_dose" / "small.dcm");
  for (const char* folder : {"dicom_plan", "dicom_dose"})
    deflate(root / folder / "small.dcm", root / folder / "small_deflated.dcm");
}
