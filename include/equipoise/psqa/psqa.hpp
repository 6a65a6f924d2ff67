// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Everything of the radiotherapy part.

#include <equipoise/psqa/cohort/acceptance.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/cohort/delivery_maps.hpp>
#include <equipoise/psqa/cohort/description.hpp>
#include <equipoise/psqa/cohort/extras.hpp>
#include <equipoise/psqa/cohort/floor_summary.hpp>
#include <equipoise/psqa/cohort/floors.hpp>
#include <equipoise/psqa/cohort/import.hpp>
#include <equipoise/psqa/cohort/machines.hpp>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/psqa/cohort/simulate.hpp>
#include <equipoise/psqa/cohort/writer.hpp>
#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/complexity/delivery_maps.hpp>
#include <equipoise/psqa/dicom/dose_description.hpp>
#include <equipoise/psqa/dicom/rtdose_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_reader.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/learning/bmmqa.hpp>
#include <equipoise/psqa/learning/evaluate.hpp>
#include <equipoise/psqa/learning/learner.hpp>
#include <equipoise/psqa/learning/methods.hpp>
#include <equipoise/psqa/simulator/monthly_qa.hpp>
#include <equipoise/psqa/simulator/noise_ceiling.hpp>
#include <equipoise/psqa/simulator/plan_loop.hpp>
#include <equipoise/psqa/simulator/planning_system.hpp>
#include <equipoise/psqa/tg218.hpp>
