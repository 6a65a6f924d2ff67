/// \file
/// The DICOM files that are written: another reader (pydicom) understands them, and a plan that comes back gives the
/// same dose.

#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>

#include <cstdlib>
#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace fs = std::filesystem;

namespace {

constexpr LinacModel kModels[] = {LinacModel::millennium_120, LinacModel::agility, LinacModel::halcyon,
                                  LinacModel::hd120};

Simulator simulator_of(LinacModel model) {
  return Simulator({.machines = 1, .model = model});
}

Plan plan_of(LinacModel model, Technique technique) {
  return generate_plan(5, 3, "linac0", {}, technique, {}, {}, model);
}

/// A Python that has pydicom: EQUIPOISE_PYTHON, the first python3, or Debian's; empty with a printed reason where there is
/// none.
std::string python() {
  const char* given = std::getenv("EQUIPOISE_PYTHON");
  for (const std::string command : {given ? given : "python3", "/usr/bin/python3"})
    if (std::system(("'" + command + "' -c 'import pydicom, numpy' 2>/dev/null").c_str()) == 0) return command;
  std::cerr << "skipped: no pydicom and numpy for python3 (Debian: python3-pydicom); set EQUIPOISE_PYTHON\n";
  return {};
}

/// Prints nothing and exits with 0 where every plan and dose of the folder is what `expected.txt` says.
const char* const kScript = R"(
import pathlib, sys
import pydicom
folder = pathlib.Path(sys.argv[1])
for line in (folder / "expected.txt").read_text(encoding="utf-8").splitlines():
    name, *want = line.split("|")
    d = pydicom.dcmread(folder / name)
    for element in d.iterall():
        element.value  # every value converts to its type
    if d.Modality == "RTPLAN":
        beams, mu, leaves, energy, fff, machine = want
        assert len(d.BeamSequence) == int(beams), (name, "beams")
        references = d.FractionGroupSequence[0].ReferencedBeamSequence
        assert abs(sum(float(r.BeamMeterset) for r in references) - float(mu)) < 1e-6 * float(mu), (name, "MU")
        assert [r.ReferencedBeamNumber for r in references] == [b.BeamNumber for b in d.BeamSequence], (name, "numbers")
        for b in d.BeamSequence:
            assert len(b.ControlPointSequence) == b.NumberOfControlPoints, (name, "control points")
            assert float(b.ControlPointSequence[-1].CumulativeMetersetWeight) == 1, (name, "weights")
            assert b.TreatmentMachineName == machine, (name, b.TreatmentMachineName)
            pairs = {s.RTBeamLimitingDeviceType: s.NumberOfLeafJawPairs for s in b.BeamLimitingDeviceSequence}
            assert sum(n for kind, n in pairs.items() if kind.startswith("MLC")) == int(leaves), (name, pairs)
            for cp in b.ControlPointSequence:
                for s in cp.BeamLimitingDevicePositionSequence:
                    assert len(s.LeafJawPositions) == 2 * pairs[s.RTBeamLimitingDeviceType], (name, "positions")
            assert float(b.ControlPointSequence[0].NominalBeamEnergy) == float(energy), (name, "energy")
            assert ("PrimaryFluenceModeSequence" in b) == (fff == "1"), (name, "fluence mode")
    else:
        rows, columns, largest = want
        dose = d.pixel_array * float(d.DoseGridScaling)
        assert dose.shape == (int(rows), int(columns)), (name, dose.shape)
        assert abs(dose.max() - float(largest)) < 1e-6 * float(largest), (name, dose.max())
)";

}  // namespace

TEST_CASE("pydicom reads every plan and dose that is written", "[psqa][dicom][behaviour]") {
  const std::string command = python();
  if (command.empty()) return;
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "check.py") << kScript;
  std::ofstream expected(folder.path() / "expected.txt");
  expected.precision(12);
  for (const LinacModel model : kModels) {
    const std::string name(equipoise::name_of(model));
    Plan plan = plan_of(model, model == LinacModel::agility ? Technique::arc : Technique::step_and_shoot);
    double mu = 0;
    std::size_t leaves = 0;
    for (const Layer& layer : plan.beams[0].layers) leaves += layer.pairs();
    for (Beam& beam : plan.beams) {
      mu += beam.mu, beam.fff = model == LinacModel::halcyon;
      beam.machine = model == LinacModel::halcyon ? "H\xc3\xa4lcyon" : name;
    }
    write_rtplan(plan, folder.path() / (name + ".dcm"));
    expected << name << ".dcm|" << plan.beams.size() << '|' << mu << '|' << leaves << '|' << plan.beams[0].energy_MV
             << '|' << plan.beams[0].fff << '|' << plan.beams[0].machine << '\n';
    const DoseGrid dose = simulator_of(model).planned_plane(plan);
    write_rtdose(dose, plan, "planned", folder.path() / (name + "_planned.dcm"));
    expected << name << "_planned.dcm|" << dose.shape[1] << '|' << dose.shape[2] << '|'
             << *std::max_element(dose.values.begin(), dose.values.end()) << '\n';
  }
  expected.close();
  CHECK(std::system(
            ("'" + command + "' '" + (folder.path() / "check.py").string() + "' '" + folder.path().string() + "' >&2")
                .c_str()) == 0);
}

TEST_CASE("plans of one name are told apart by their identifiers", "[psqa][dicom][behaviour]") {
  const support::TemporaryFolder folder;
  const auto uids = [&](std::uint64_t seed) {
    Simulator simulator({.seed = seed, .machines = 1});
    const Record r = simulator.record(0);
    write_rtplan(r.plan, folder.path() / "p.dcm");
    write_rtdose(r.planned, r.plan, "planned", folder.path() / "d.dcm");
    std::vector<std::string> out;
    for (const char* file : {"p.dcm", "d.dcm"}) {
      const auto opened = open_dicom(folder.path() / file);
      for (const DcmTagKey& tag : {DCM_SOPInstanceUID, DCM_StudyInstanceUID, DCM_FrameOfReferenceUID})
        out.push_back(dicom_text(*opened->getDataset(), tag));
    }
    return out;
  };
  const std::vector<std::string> one = uids(1), two = uids(2);
  CHECK(one == uids(1));
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(one[i] != two[i]);
  CHECK(one[1] == one[4]);  // a plan's dose is of its study and frame
  CHECK(one[2] == one[5]);
}

TEST_CASE("a plan that comes back from its file gives the same dose", "[psqa][dicom][property]") {
  const support::TemporaryFolder folder;
  for (const LinacModel model : kModels) {
    Simulator simulator = simulator_of(model);
    for (const Technique technique : {Technique::sliding_window, Technique::step_and_shoot, Technique::arc}) {
      INFO(equipoise::name_of(model) << " technique " << int(technique));
      const Plan plan = plan_of(model, technique);
      write_rtplan(plan, folder.path() / "p.dcm");
      const Plan back = read_rtplan(folder.path() / "p.dcm");
      CHECK(back.warnings.empty());
      REQUIRE(back.beams[0].layers.size() == plan.beams[0].layers.size());
      const DoseGrid a = simulator.planned_plane(plan), b = simulator.planned_plane(back);
      double maximum = 0, largest = 0;
      for (std::size_t i = 0; i < a.values.size(); ++i)
        maximum = std::max(maximum, std::abs(a.values[i] - b.values[i])), largest = std::max(largest, a.values[i]);
      CHECK(largest > 0.1);
      CHECK(maximum < 1e-7 * largest);  // positions come back to about 1e-10 mm
    }
  }
}

TEST_CASE("reading and writing leave the program's DCMTK logger as it is", "[psqa][dicom][behaviour]") {
  const auto before = DCM_dcmdataLogger.getLogLevel();
  const support::TemporaryFolder folder;
  for (const auto level : {OFLogger::WARN_LOG_LEVEL, OFLogger::DEBUG_LOG_LEVEL, OFLogger::OFF_LOG_LEVEL}) {
    DCM_dcmdataLogger.setLogLevel(level);
    write_rtplan(plan_of(LinacModel::agility, Technique::arc), folder.path() / "p.dcm");
    CHECK(DCM_dcmdataLogger.getLogLevel() == level);
    CHECK_FALSE(read_rtplan(folder.path() / "p.dcm").beams.empty());
    CHECK(DCM_dcmdataLogger.getLogLevel() == level);
    CHECK_THROWS(read_rtplan(folder.path() / "none.dcm"));
    CHECK(DCM_dcmdataLogger.getLogLevel() == level);
  }
  DCM_dcmdataLogger.setLogLevel(before);
}
