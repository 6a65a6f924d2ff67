// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Everything of the radiotherapy part.

#include <equipoise/psqa/acceptance.hpp>
#include <equipoise/psqa/bmmqa.hpp>
#include <equipoise/psqa/cohort.hpp>
#include <equipoise/psqa/cohort_reader.hpp>
#include <equipoise/psqa/cohort_writer.hpp>
#include <equipoise/psqa/complexity.hpp>
#include <equipoise/psqa/evaluate.hpp>
#include <equipoise/psqa/gamma.hpp>
#include <equipoise/psqa/import.hpp>
#include <equipoise/psqa/learner.hpp>
#include <equipoise/psqa/methods.hpp>
#include <equipoise/psqa/rtdose_reader.hpp>
#include <equipoise/psqa/rtplan_reader.hpp>
#include <equipoise/psqa/rtplan_writer.hpp>
#include <equipoise/psqa/tg218.hpp>
