#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>

#include <clocale>
#include <fstream>
#include <functional>
#include <numbers>

#include "support/catch.hpp"
#include "support/samples.hpp"

using namespace equipoise::psqa;
namespace eq = equipoise;

namespace {

/// Two beams of a 40 mm square.
Plan two_beams() {
  Plan plan;
  plan.id = plan.label = plan.patient = "two", plan.prescription_Gy = 2;
  for (int number : {1, 2}) {
    Beam beam;
    beam.number = number, beam.mu = 100, beam.has_x_jaw = beam.has_y_jaw = true;
    beam.layers = {{LeafAxis::x, {-20, -10, 0, 10, 20}, "MLCX"}};
    for (const double w : {0.0, 1.0}) {
      ControlPoint cp;
      cp.x1 = cp.y1 = -20, cp.x2 = cp.y2 = 20, cp.weight = w;
      cp.leaves = {{{-20, -20, -20, -20}, {20, 20, 20, 20}}};
      beam.control_points.push_back(cp);
    }
    plan.beams.push_back(beam);
  }
  return plan;
}

using Change = std::function<void(DcmItem& plan, DcmItem& second_beam)>;

/// The plan as a file in which something is changed.
Plan changed(const Change& change) {
  const support::TemporaryFolder folder;
  const auto path = folder.path() / "plan.dcm";
  write_rtplan(two_beams(), path);
  DcmFileFormat file;
  REQUIRE(file.loadFile(path.c_str()).good());
  DcmItem& data = *file.getDataset();
  change(data, *sequence_items(data, DCM_BeamSequence)[1]);
  REQUIRE(file.saveFile(path.c_str()).good());
  return read_rtplan(path);
}

void set(DcmItem& item, const DcmTagKey& tag, const char* value) {
  REQUIRE(item.putAndInsertString(tag, value).good());
}
DcmItem& first(DcmItem& item, const DcmTagKey& sequence) {
  return *sequence_items(item, sequence).at(0);
}
/// Positions of a device (0: x jaws, 1: y jaws, 2: leaves) at a control point.
void set_positions(DcmItem& beam, std::size_t point, std::size_t device, const char* value) {
  DcmItem& cp = *sequence_items(beam, DCM_ControlPointSequence).at(point);
  set(*sequence_items(cp, DCM_BeamLimitingDevicePositionSequence).at(device), DCM_LeafJawPositions, value);
}
DcmItem& reference(DcmItem& plan, std::size_t beam) {
  return *sequence_items(first(plan, DCM_FractionGroupSequence), DCM_ReferencedBeamSequence).at(beam);
}
bool warned(const Plan& plan, const std::string& text) {
  return std::any_of(plan.warnings.begin(), plan.warnings.end(),
                     [&](const std::string& w) { return w.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("setup and electron beams are dropped before anything of them is judged", "[psqa][dicom][behaviour]") {
  for (const auto& [tag, value] : {std::pair{DCM_TreatmentDeliveryType, "SETUP"}, {DCM_RadiationType, "ELECTRON"}}) {
    const Plan plan = changed([&, tag = tag, value = value](DcmItem&, DcmItem& beam) {
      set(beam, tag, value);
      set_positions(beam, 0, 2, "1\\2\\3");
      set(*sequence_items(beam, DCM_ControlPointSequence)[0], DCM_CumulativeMetersetWeight, "2");
    });
    CHECK(plan.beams.size() == 1);
    CHECK(warned(plan, "beam 2"));
  }
}

TEST_CASE("a beam that continues an interrupted treatment counts, and is named", "[psqa][dicom][behaviour]") {
  const Plan plan = changed([](DcmItem&, DcmItem& beam) { set(beam, DCM_TreatmentDeliveryType, "CONTINUATION"); });
  REQUIRE(plan.beams.size() == 2);
  CHECK(plan.beams[1].delivery == "CONTINUATION");
  CHECK(metric(complexity(plan).plan, "MU") == 200);
  REQUIRE(plan.warnings.size() == 1);
  CHECK(plan.warnings[0] == "beam 2: it continues an interrupted treatment, and counts");
}

TEST_CASE("of several prescriptions the first is taken, and named", "[psqa][dicom][behaviour]") {
  const auto prescribed = [](std::initializer_list<std::pair<const char*, const char*>> more) {
    return changed([&](DcmItem& plan, DcmItem&) {
      for (const auto& [type, dose] : more) {
        DcmItem& reference = add_sequence_item(plan, DCM_DoseReferenceSequence);
        set(reference, DCM_DoseReferenceType, type);
        set(reference, DCM_TargetPrescriptionDose, dose);
      }
    });
  };
  const Plan plan = prescribed({{"TARGET", "60.25"}, {"ORGAN_AT_RISK", "45"}, {"TARGET", "2"}});
  CHECK(plan.prescription_Gy == 2);
  REQUIRE(plan.warnings.size() == 1);
  CHECK(plan.warnings[0] == "2 prescriptions to targets (2, 60.25 Gy): the first one, 2 Gy, is taken");
  CHECK(prescribed({{"TARGET", "2"}, {"ORGAN_AT_RISK", "45"}}).warnings.empty());
}

TEST_CASE("bolus, applicators and wedges are warned of by beam", "[psqa][dicom][behaviour]") {
  for (const auto& [sequence, what] : {std::pair{DCM_ReferencedBolusSequence, "boluses"},
                                       {DCM_ApplicatorSequence, "applicators"},
                                       {DCM_WedgeSequence, "wedges"},
                                       {DCM_BlockSequence, "blocks"},
                                       {DCM_CompensatorSequence, "compensators"}}) {
    const Plan plan = changed([tag = sequence](DcmItem&, DcmItem& beam) { (void)add_sequence_item(beam, tag); });
    REQUIRE(plan.warnings.size() == 1);
    CHECK_THAT(plan.warnings[0], Catch::StartsWith("beam 2: " + std::string(what) + " are ignored"));
  }
}

TEST_CASE("a plan without metrics says why", "[psqa][dicom][error]") {
  const auto each = [](const DcmTagKey& tag, const char* value) {
    return [=](DcmItem& data, DcmItem&) {
      for (DcmItem* beam : sequence_items(data, DCM_BeamSequence)) set(*beam, tag, value);
    };
  };
  CHECK_THROWS_WITH(changed(each(DCM_RadiationType, "ELECTRON")),
                    Catch::Contains("got none: beams 1, 2: the radiation is ELECTRON"));
  CHECK_THROWS_WITH(changed([&](DcmItem& data, DcmItem& beam) {
                      each(DCM_RadiationType, "ELECTRON")(data, beam);
                      set(beam, DCM_TreatmentDeliveryType, "SETUP");
                    }),
                    Catch::Contains("beam 2: the delivery type is SETUP; beam 1: the radiation is ELECTRON"));
  CHECK_THROWS_WITH(changed([](DcmItem& data, DcmItem&) {
                      delete data.remove(DCM_BeamSequence);
                      set(data, DCM_BrachyTreatmentType, "HDR");
                    }),
                    Catch::Contains("got a brachytherapy plan (HDR)"));
  CHECK_THROWS_WITH(changed([](DcmItem& data, DcmItem&) {
                      delete data.remove(DCM_BeamSequence);
                      (void)add_sequence_item(data, DCM_IonBeamSequence);
                    }),
                    Catch::Contains("got a plan of ion beams"));
  Plan plan = two_beams();
  plan.beams[0].layers.clear();
  for (ControlPoint& cp : plan.beams[0].control_points) cp.leaves.clear();
  plan.beams[1].mu = 0;
  CHECK_THROWS_WITH(complexity(plan),
                    Catch::Contains("beam 1 without multileaf collimator (jaws alone); beam 2 without MU"));
}

TEST_CASE("a treatment beam without leaves keeps its MU", "[psqa][dicom][behaviour]") {
  const auto without_positions = [](DcmItem&, DcmItem& beam) {
    for (std::size_t point : {0U, 1U}) {
      DcmItem& cp = *sequence_items(beam, DCM_ControlPointSequence)[point];
      DcmSequenceOfItems* devices = nullptr;
      REQUIRE(cp.findAndGetSequence(DCM_BeamLimitingDevicePositionSequence, devices).good());
      delete devices->remove(2UL);
    }
  };
  const auto without_device = [&](DcmItem& plan, DcmItem& beam) {
    without_positions(plan, beam);
    DcmSequenceOfItems* devices = nullptr;
    REQUIRE(beam.findAndGetSequence(DCM_BeamLimitingDeviceSequence, devices).good());
    delete devices->remove(2UL);
  };
  for (const Change& change : {Change(without_positions), Change(without_device)}) {
    const Plan plan = changed(change);
    REQUIRE(plan.beams.size() == 2);
    CHECK(plan.beams[1].mu == 100);
    CHECK(plan.beams[1].layers.empty());
    const Complexity c = complexity(plan);
    CHECK(metric(c.plan, "MU") == 200);
    CHECK(metric(c.plan, "PMU") == 200);
    CHECK(metric(c.plan, "MF_MU_per_cGy") == Approx(1));
    CHECK(metric(c.plan, "PA_mm2") == Approx(1600));
    CHECK(c.beams.size() == 1);
    REQUIRE(c.warnings.size() == 1);
    CHECK(c.warnings[0].find("beams 2 (100 MU)") != std::string::npos);
  }
  CHECK(warned(changed(without_positions), "without leaf positions"));
}

TEST_CASE("a beam that contradicts itself is refused, and named", "[psqa][dicom][error]") {
  const auto refused = [](const char* what, const Change& change) {
    INFO(what);
    CHECK_THROWS_WITH(changed(change),
                      Catch::Contains("equipoise.file.42") && Catch::Contains("beam 2") && Catch::Contains(what));
  };
  const auto boundaries = [](const char* value) {
    return [=](DcmItem&, DcmItem& beam) {
      set(*sequence_items(beam, DCM_BeamLimitingDeviceSequence)[2], DCM_LeafPositionBoundaries, value);
    };
  };
  const auto positions = [](std::size_t point, std::size_t device, const char* value) {
    return [=](DcmItem&, DcmItem& beam) { set_positions(beam, point, device, value); };
  };
  const auto meterset = [](const char* value) {
    return [=](DcmItem& plan, DcmItem&) { set(reference(plan, 1), DCM_BeamMeterset, value); };
  };
  refused("expected 8 positions of MLCX, got 4", positions(1, 2, "-20\\-20\\-20\\-20"));
  refused("that rise", boundaries("-20\\0\\-10\\10\\20"));
  refused("that rise", boundaries("-20\\-10\\-10\\10\\20"));
  refused("within", boundaries("-20\\-10\\0\\10\\1e99"));
  refused("ascending", positions(0, 0, "20\\-20"));
  refused("expected numbers", positions(0, 1, "nan\\20"));
  refused("expected 2 jaw positions", positions(0, 1, "20"));
  refused("expected numbers", positions(0, 2, "-20\\-20\\-20\\inf\\20\\20\\20\\20"));
  refused("meterset", meterset("-5"));
  refused("expected numbers", meterset("inf"));
  refused("only zeros", [](DcmItem&, DcmItem& beam) {
    set(*sequence_items(beam, DCM_ControlPointSequence)[1], DCM_CumulativeMetersetWeight, "0");
  });
  refused("one meterset", [](DcmItem& plan, DcmItem&) { set(reference(plan, 0), DCM_ReferencedBeamNumber, "2"); });
  std::string sides = "-20";
  for (int side = 1; side <= 201; ++side) sides += "\\" + std::to_string(-20 + side);
  refused("at most 200 leaf pairs, got 201", boundaries(sides.c_str()));
  refused("one axis", [](DcmItem&, DcmItem& beam) {
    DcmItem& device = add_sequence_item(beam, DCM_BeamLimitingDeviceSequence);
    set(device, DCM_RTBeamLimitingDeviceType, "MLCY");
    set(device, DCM_LeafPositionBoundaries, "-10\\0\\10");
  });
  CHECK_THROWS_WITH(changed([](DcmItem& plan, DcmItem&) { set(first(plan, DCM_BeamSequence), DCM_BeamNumber, "2"); }),
                    Catch::Contains("beam 2: expected one beam of that number, got two"));
  for (const char* fractions : {"2147483648", "-1", "1e99"})
    CHECK_THROWS_WITH(changed([&](DcmItem& plan, DcmItem&) {
                        set(first(plan, DCM_FractionGroupSequence), DCM_NumberOfFractionsPlanned, fractions);
                      }),
                      Catch::Contains("whole number"));
}

TEST_CASE("jaws and weights out of order by their last decimal are taken as they are meant",
          "[psqa][dicom][behaviour]") {
  const Plan plan = changed([](DcmItem&, DcmItem& beam) { set_positions(beam, 0, 0, "20.00001\\20"); });
  CHECK(plan.beams[1].control_points[0].x1 == 20);
  CHECK(plan.beams[1].control_points[0].x2 == 20.00001);
  const auto first_weight = [](const char* value) {
    return [=](DcmItem&, DcmItem& beam) {
      set(*sequence_items(beam, DCM_ControlPointSequence)[0], DCM_CumulativeMetersetWeight, value);
    };
  };
  const Plan other = changed(first_weight("1.000001"));
  CHECK(other.beams[1].control_points[1].weight == other.beams[1].control_points[0].weight);
  CHECK_THROWS_WITH(changed(first_weight("1.00001")), Catch::Contains("never fall"));
}

TEST_CASE("a last weight that is not the final one is told", "[psqa][dicom][behaviour]") {
  const auto final_weight = [](const char* value) {
    return [=](DcmItem&, DcmItem& beam) { set(beam, DCM_FinalCumulativeMetersetWeight, value); };
  };
  CHECK(warned(changed(final_weight("1.01")), "beam 2: the last meterset weight"));
  CHECK(changed(final_weight("1.0005")).warnings.empty());
}

TEST_CASE("crossed leaves are one warning a plan, and a metric", "[psqa][dicom][behaviour]") {
  const support::TemporaryFolder folder;
  Plan plan = two_beams();
  for (Beam& beam : plan.beams) beam.control_points[0].leaves[0].a[1] = 30;
  write_rtplan(plan, folder.path() / "crossed.dcm");
  const Plan back = read_rtplan(folder.path() / "crossed.dcm");
  REQUIRE(back.warnings.size() == 1);
  CHECK(back.warnings[0].find("12.5 %") != std::string::npos);
  CHECK(back.warnings[0].find("beams 1, 2") != std::string::npos);
  const Complexity c = complexity(back);
  CHECK(metric(c.plan, "crossed_leaf_fraction") == Approx(1.0 / 8));
  CHECK(metric(c.beams[0].metrics, "crossed_leaf_fraction") == Approx(1.0 / 8));
}

TEST_CASE("the gantry turns in the sense that the plan gives", "[psqa][complexity][worked]") {
  const auto arc = [](double from, double to, Rotation rotation) {
    Beam beam;
    beam.control_points.resize(2);
    beam.control_points[0].gantry = from, beam.control_points[1].gantry = to;
    beam.control_points[0].rotation = rotation;
    return gantry_travel(beam);
  };
  CHECK(arc(182, 178, Rotation::clockwise) == Approx(356));
  CHECK(arc(178, 182, Rotation::counter_clockwise) == Approx(356));
  CHECK(arc(182, 178, Rotation::counter_clockwise) == Approx(4));
  CHECK(arc(358, 2, Rotation::clockwise) == Approx(4));
  CHECK(arc(182, 178, Rotation::none) == Approx(4));
  CHECK(arc(180.1, 179.9, Rotation::clockwise) == Approx(359.8));
  CHECK(arc(179.9, 180.1, Rotation::counter_clockwise) == Approx(359.8));
  CHECK(arc(180.1, 179.9, Rotation::none) == Approx(0.2));
  CHECK(arc(90.1, 90, Rotation::clockwise) == Approx(359.9));
  CHECK(arc(180, 180, Rotation::clockwise) == 360);
  CHECK(arc(180, 180, Rotation::none) == 0);
}

TEST_CASE("a step back that would make an arc longer than a full turn is rounding", "[psqa][complexity][worked]") {
  const auto arc = [](const std::vector<double>& angles) {
    Beam beam;
    for (const double angle : angles) {
      ControlPoint& cp = beam.control_points.emplace_back();
      cp.gantry = angle, cp.rotation = Rotation::clockwise;
    }
    return gantry_travel(beam);
  };
  CHECK(arc({180.1, 0, 179.9}) == Approx(359.8));
  CHECK(arc({10, 30, 29.9, 50}) == Approx(40.2));
  CHECK(arc({10, 30, 30, 50}) == Approx(40));
  CHECK(arc({180.1, 0, 179.9, 179.9}) == Approx(359.8));
}

TEST_CASE("the fraction group is the caller's to choose", "[psqa][dicom][samples]") {
  const auto folder = support::samples("rtplan");
  if (folder.empty()) return;
  const auto path = folder / "pymedphys_multi_fraction_groups.dcm";
  const Plan one = read_rtplan(path), two = read_rtplan(path, {.fraction_group = 1});
  CHECK(two.fraction_group == 1);
  CHECK(one.beams.size() == 3);
  CHECK(two.beams.size() == 3);
  CHECK(one.beams[0].number != two.beams[0].number);
  CHECK_THROWS_WITH(read_rtplan(path, {.fraction_group = 2}), Catch::Contains("got 2 groups"));
}

TEST_CASE("crossed leaves of a real plan are reported", "[psqa][dicom][samples]") {
  const auto folder = support::samples("rtplan");
  if (folder.empty()) return;
  const Plan plan = read_rtplan(folder / "RTPLAN_MR_PT_01_PENALTY.dcm");
  CHECK(std::count_if(plan.warnings.begin(), plan.warnings.end(),
                      [](const std::string& w) { return w.find("crossed") != std::string::npos; }) == 1);
  CHECK(metric(complexity(plan).plan, "crossed_leaf_fraction") > 0);
}

TEST_CASE("metrics have keys even where a plan does not define them", "[psqa][complexity][behaviour]") {
  Plan plan = two_beams();
  plan.prescription_Gy = 0;
  const Complexity c = complexity(plan);
  for (const char* name : {"PMU", "MF_MU_per_cGy", "DPF_Gy", "MUDEG_MU_per_deg", "LTAL_mm_per_deg"})
    CHECK(std::isnan(metric(c.plan, name)));
  CHECK(metric(c.plan, "LTi") == Approx(1));
  CHECK(metric(c.plan, "MFA_mm2") == metric(c.plan, "PA_mm2"));
  CHECK(metric(c.plan, "JAWXMAX_mm") == Approx(40));
  CHECK(metric(c.plan, "JAWYMAX_mm") == Approx(40));
}

TEST_CASE("choices out of range are refused", "[psqa][complexity][error]") {
  for (const auto& [key, value] : {std::pair{"closed_gap_mm", "-1"},
                                   {"edge_distance_mm", "0"},
                                   {"park_k", "-2"},
                                   {"fluence_pixel_mm", "0"},
                                   {"default_dose_rate", "0"}}) {
    ComplexityChoices choices;
    eq::set_option(choices, key, value);
    CHECK_THROWS_WITH(complexity(two_beams(), choices), Catch::Contains(key));
  }
}

TEST_CASE("leaves far beyond any collimator have no metrics", "[psqa][complexity][error]") {
  for (const double far : {2e40, -3000.0, double(NAN)}) {
    Plan plan = two_beams();
    plan.beams[1].control_points[0].leaves[0].b[2] = far;
    CHECK_THROWS_WITH(complexity(plan), Catch::Contains("beam 2") && Catch::Contains("2000 mm"));
  }
}

TEST_CASE("text given as a plan is no DICOM file", "[psqa][dicom][error]") {
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / "notes.dcm") << "a text of some length that is certainly not a plan\n";
  CHECK_THROWS_WITH(read_rtplan(folder.path() / "notes.dcm"), Catch::Contains("not a DICOM file"));
}

TEST_CASE("a treatment beam that no fraction group names stays, without MU", "[psqa][dicom][behaviour]") {
  const auto unnamed = [](DcmItem& plan, DcmItem&) {
    DcmSequenceOfItems* references = nullptr;
    REQUIRE(first(plan, DCM_FractionGroupSequence).findAndGetSequence(DCM_ReferencedBeamSequence, references).good());
    delete references->remove(1UL);
  };
  const Plan plan = changed(unnamed);
  REQUIRE(plan.beams.size() == 2);
  CHECK(plan.beams[1].mu == 0);
  CHECK(warned(plan, "beam 2: no fraction group names it"));
  CHECK(metric(complexity(plan).plan, "NBEAM") == 1);
  const Plan other = changed([&](DcmItem& data, DcmItem& beam) {
    unnamed(data, beam);
    DcmItem& group = add_sequence_item(data, DCM_FractionGroupSequence);
    set(add_sequence_item(group, DCM_ReferencedBeamSequence), DCM_ReferencedBeamNumber, "2");
  });
  CHECK(other.beams.size() == 1);
  CHECK_FALSE(warned(other, "beam 2"));
}

TEST_CASE("what is not of photons, or not measured in MU, is dropped with a reason", "[psqa][dicom][behaviour]") {
  for (const auto& [tag, value] : {std::pair{DCM_PrimaryDosimeterUnit, "MINUTE"}, {DCM_RadiationType, "PROTON"}}) {
    const auto change = [tag = tag, value = value](DcmItem& item) { set(item, tag, value); };
    const Plan plan = changed([&](DcmItem&, DcmItem& beam) { change(beam); });
    CHECK(plan.beams.size() == 1);
    CHECK(warned(plan, "beam 2 is dropped"));
    CHECK(warned(plan, value));
    CHECK_THROWS_WITH(
        changed([&](DcmItem& data, DcmItem& beam) { change(first(data, DCM_BeamSequence)), change(beam); }),
        Catch::Contains("got none") && Catch::Contains(value));
  }
  CHECK(changed([](DcmItem&, DcmItem& beam) { set(beam, DCM_PrimaryDosimeterUnit, ""); }).beams.size() == 2);
}

TEST_CASE("a control point without its weight is refused where the beam has MU", "[psqa][dicom][error]") {
  const auto without_weight = [](std::size_t point) {
    return [=](DcmItem&, DcmItem& beam) {
      DcmItem& cp = *sequence_items(beam, DCM_ControlPointSequence).at(point);
      REQUIRE(cp.findAndDeleteElement(DCM_CumulativeMetersetWeight).good());
    };
  };
  CHECK_THROWS_WITH(changed(without_weight(1)),
                    Catch::Contains("beam 2: control point 1") && Catch::Contains("weight"));
  CHECK(changed(without_weight(0)).beams[1].mu == 100);
  CHECK(changed([&](DcmItem& plan, DcmItem& beam) {
          without_weight(1)(plan, beam);
          set(reference(plan, 1), DCM_BeamMeterset, "0");
        }).beams.size() == 2);
}

TEST_CASE("texts are UTF-8 whatever the file's character set is", "[psqa][dicom][behaviour]") {
  const Plan plan = changed([](DcmItem&, DcmItem& beam) { set(beam, DCM_TreatmentMachineName, "M\xfcnster"); });
  CHECK(plan.beams[1].machine == "M\xc3\xbcnster");
  CHECK_THROWS_WITH(changed([](DcmItem&, DcmItem& beam) { set_positions(beam, 0, 0, "-20\\\xff"); }),
                    Catch::Contains("\xc3\xbf"));
  const support::TemporaryFolder folder;
  write_rtplan(plan, folder.path() / "utf8.dcm");
  CHECK(read_rtplan(folder.path() / "utf8.dcm").beams[1].machine == plan.beams[1].machine);
}

TEST_CASE("numbers of a plan have a decimal point whatever the locale", "[psqa][dicom][behaviour]") {
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"})
    if (std::setlocale(LC_NUMERIC, name)) break;
  const Plan plan = changed([](DcmItem&, DcmItem& beam) { set_positions(beam, 0, 0, "-20.5 \\ +20.25"); });
  std::setlocale(LC_NUMERIC, "C");
  CHECK(plan.beams[1].control_points[0].x1 == -20.5);
  CHECK(plan.beams[1].control_points[0].x2 == 20.25);
}

TEST_CASE("a plan keeps its fluence mode, isocentre and dose rates", "[psqa][dicom][property]") {
  const support::TemporaryFolder folder;
  Plan plan = two_beams();
  plan.beams[1].fff = true, plan.beams[1].isocentre[0] = -12.5;
  plan.beams[1].control_points[0].dose_rate = 1400, plan.beams[1].control_points[1].dose_rate = 800;
  write_rtplan(plan, folder.path() / "p.dcm");
  const Plan back = read_rtplan(folder.path() / "p.dcm");
  CHECK_FALSE(back.beams[0].fff);
  CHECK(back.beams[1].fff);
  CHECK(back.beams[1].has_isocentre);
  CHECK(back.beams[1].isocentre[0] == -12.5);
  CHECK(back.beams[1].control_points[0].dose_rate == 1400);
  CHECK(back.beams[1].control_points[1].dose_rate == 800);
  CHECK_FALSE(back.frame.empty());
}

TEST_CASE("jaws are those of the machine, and collimators turn in a circle", "[psqa][complexity][worked]") {
  Plan plan = two_beams();
  for (Beam& beam : plan.beams) {
    beam.layers[0].axis = LeafAxis::y;
    for (ControlPoint& cp : beam.control_points) cp.x1 = -15, cp.x2 = 15, cp.y1 = -10, cp.y2 = 10;
  }
  const auto turned = [&](double first, double second) {
    for (ControlPoint& cp : plan.beams[0].control_points) cp.collimator = first;
    for (ControlPoint& cp : plan.beams[1].control_points) cp.collimator = second;
    return metric(complexity(plan).plan, "COLL_deg");
  };
  CHECK(turned(10, 350) == Approx(0).margin(1e-6));
  CHECK(turned(350, 340) == Approx(345));
  CHECK(turned(30, 30) == 30);
  CHECK(std::isnan(turned(90, 270)));
  plan.beams[0].mu = 200;
  CHECK(turned(0, 90) == Approx(180 / std::numbers::pi * std::atan(0.5)));
  const Complexity c = complexity(plan);
  for (const MetricList* list : {&c.plan, &c.beams[0].metrics}) {
    CHECK(metric(*list, "JAWX_mm") == Approx(30));
    CHECK(metric(*list, "JAWYMAX_mm") == Approx(20));
  }
}
