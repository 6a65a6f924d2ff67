// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The table of all errors of the library: shape 1xx, value 2xx and 3xx (radiotherapy), name 3xx, file 4xx, numeric 5xx.
/// `docs/make_pages.py` makes `docs/errors.md` from it. An id that is not in the table does not compile.

#include <algorithm>
#include <array>
#include <string_view>

namespace equipoise {

/// One kind of error: its id, which stands in every message of it, and its meaning.
struct ErrorKind {
  std::string_view id, meaning;
};

inline constexpr std::array kErrorKinds{
    ErrorKind{"shape.101",
              "an input of an encoder or a standardizer has another shape than it was built for, or is of integers"},
    ErrorKind{"shape.102", "a presence tensor is not [B, M]"},
    ErrorKind{"shape.103", "a presence tensor is of another size than the batch"},
    ErrorKind{"shape.104", "ids, groups, classes or weights are not one a record"},
    ErrorKind{"shape.105", "the tensors of a batch do not have the same number of records"},
    ErrorKind{"shape.106", "a table of coalitions does not have 2^M rows"},
    ErrorKind{"shape.107", "an array file was promised another number of rows, or rows of another size"},
    ErrorKind{"shape.108", "gamma needs planes with as many doses as their shape says"},
    ErrorKind{"shape.109", "gamma of a plane and a volume without a choice of where to search"},
    ErrorKind{"shape.110", "a target does not have the shape, or the type, that its task predicts"},
    ErrorKind{"shape.111", "an encoder's feature is not of the shape that it declares"},
    ErrorKind{"shape.112", "a fusion's joint feature is not as wide as it declares"},
    ErrorKind{"shape.113", "maps of another height or width than the task predicts"},
    ErrorKind{"shape.114",
              "an input of another type than the encoder's parameters, or one that the encoder cannot take"},
    ErrorKind{"shape.115", "lengths or padding that do not fit the sequences"},
    ErrorKind{"shape.116", "a transform that changes the shape of a record, or that cannot take its type"},
    ErrorKind{"shape.130", "two lists that belong together, as truths and predictions, are of different lengths"},
    ErrorKind{"value.201", "an option is out of its range"},
    ErrorKind{"value.202", "an option's text is not of its type"},
    ErrorKind{"value.203", "too many modalities for a table of all coalitions"},
    ErrorKind{"value.204", "a policy evaluates a hold-out that it did not declare as a need"},
    ErrorKind{"value.205", "no records to train on, to evaluate or to explain"},
    ErrorKind{"value.206", "too few groups for a hold-out"},
    ErrorKind{"value.207", "two policies of a stack exclude each other"},
    ErrorKind{"value.208", "a policy needs linear heads and the model has another"},
    ErrorKind{"value.209", "a cascade's levels do not go with its encoder's skip maps"},
    ErrorKind{"value.210", "a policy that changes the deployed model has no window"},
    ErrorKind{"value.211", "too few patients for a split"},
    ErrorKind{"value.212", "a command's argument is missing or malformed"},
    ErrorKind{"value.213", "too few orders for a standard error"},
    ErrorKind{"value.214", "a label that is not one of the task's classes"},
    ErrorKind{"value.215", "runs that were not tested on the same records"},
    ErrorKind{"value.216", "a policy scales a learning rate in a pass that makes no step"},
    ErrorKind{"value.217", "an index of a task, parameter group, objective or coalition that there is not"},
    ErrorKind{"value.218", "a policy that asks for the gradients of objectives did not declare them as a need"},
    ErrorKind{"value.219", "a factor on gradients or on a learning rate is not finite"},
    ErrorKind{"value.220", "a policy asks for a task of which the batch has no target, or for no coalition"},
    ErrorKind{"value.221", "a task's training targets are all missing"},
    ErrorKind{"value.222", "a trainer without the policies that made a model's outputs would remove them"},
    ErrorKind{"value.223", "a device that this LibTorch cannot use"},
    ErrorKind{"value.224", "a target that is infinite"},
    ErrorKind{"value.225", "micro-batches with a task whose loss depends on the whole batch"},
    ErrorKind{"value.226", "a paired test of differences of which one is NaN"},
    ErrorKind{"value.230", "a monitor, or patience, without validation data that have a label"},
    ErrorKind{"value.231", "an option of the trainer that its optimiser does not take"},
    ErrorKind{"value.232", "a parameter group whose options are given twice"},
    ErrorKind{"value.233", "a schedule's factor is negative or not finite"},
    ErrorKind{"value.234", "more epochs for a run whose schedule has come to 0"},
    ErrorKind{"value.235", "weights of records that are negative, not finite or all zero"},
    ErrorKind{"value.236", "an epoch's plan with a pass or an item that the run does not have"},
    ErrorKind{"value.237", "a sequence that is longer than its tensor"},
    ErrorKind{"value.238", "weights of records with a task whose loss depends on the whole batch"},
    ErrorKind{"value.239", "a model in training mode that several threads evaluate"},
    ErrorKind{"value.240", "a cell whose category is not among the given ones; the nearest one is named"},
    ErrorKind{"value.241", "a column of texts where numbers are needed"},
    ErrorKind{"value.242", "a column without a value to standardise it by, or with an infinite one"},
    ErrorKind{"value.243", "a sampler has no value of a training record, or two of one id"},
    ErrorKind{"value.301", "a gamma criterion or grid is out of range"},
    ErrorKind{"value.302", "a plan has no beam with leaves and MU"},
    ErrorKind{"value.303", "passing rates that no control chart can be made of"},
    ErrorKind{"value.304", "a patient without target structures"},
    ErrorKind{"value.306", "a choice of a complexity metric is out of its range"},
    ErrorKind{"value.307", "gamma of doses in different units"},
    ErrorKind{"value.308", "gamma without a point that could be judged"},
    ErrorKind{"value.309", "a leaf that is nowhere, or farther than 2 m from the axis"},
    ErrorKind{"value.311", "gamma of doses whose axes point different ways"},
    ErrorKind{"value.331",
              "a setting or mismatch of the simulator that no cohort can have, or a name in `cohort.json` that no "
              "setting has"},
    ErrorKind{"name.302", "no such option or command; the nearest one is named"},
    ErrorKind{"name.303", "no such objective"},
    ErrorKind{"name.304", "a checkpoint holds a state that the policy does not have"},
    ErrorKind{"name.305", "no such policy; the nearest one is named"},
    ErrorKind{"name.307", "no such metric"},
    ErrorKind{"name.308", "no such fusion; the nearest one is named"},
    ErrorKind{"name.309", "an option of a policy that is not in use"},
    ErrorKind{"name.310", "no such column of a table; the nearest one, or those that there are, are named"},
    ErrorKind{"name.311", "no such machine in the cohort; the nearest one is named"},
    ErrorKind{"name.312", "a coalition that was not evaluated"},
    ErrorKind{"name.320", "no such figure to monitor; those that there are are listed"},
    ErrorKind{"name.321", "no such parameter group; the nearest one is named"},
    ErrorKind{"file.401", "a file is missing or cannot be read"},
    ErrorKind{"file.402",
              "a checkpoint is damaged, or of another model, optimiser or stack; the option or parameter that differs "
              "is named"},
    ErrorKind{"file.403", "a file cannot be written (disk full, no permission); what was there is untouched"},
    ErrorKind{"file.411", "not an NPY file"},
    ErrorKind{"file.412", "a truncated array"},
    ErrorKind{"file.413", "an array of another type, memory order or alignment"},
    ErrorKind{"file.414", "an image cannot be encoded"},
    ErrorKind{"file.421", "not a whole DICOM file"},
    ErrorKind{"file.422", "a value cannot be written as DICOM"},
    ErrorKind{"file.423", "no such fraction group"},
    ErrorKind{"file.424", "a beam contradicts itself"},
    ErrorKind{"file.425", "a DICOM file of another kind, or a plan without treatment beams"},
    ErrorKind{"file.426", "an RTDOSE without a usable grid, place, orientation or pixels"},
    ErrorKind{"file.427", "a number in a DICOM file that is none, not finite, or beyond what it can be"},
    ErrorKind{"file.428", "a deflated DICOM file whose data set is out of proportion to it"},
    ErrorKind{"file.431", "a folder exists already"},
    ErrorKind{"file.432", "a column is missing"},
    ErrorKind{"file.433", "a line or cell of a table is malformed"},
    ErrorKind{"file.434", "a record's id occurs twice"},
    ErrorKind{"file.435", "planes of another shape"},
    ErrorKind{"file.436", "a dose that is negative or not finite"},
    ErrorKind{"file.437", "not a cohort, or of another schema"},
    ErrorKind{"file.438", "not a run"},
    ErrorKind{"file.439", "a configuration file that cannot be parsed"},
    ErrorKind{"file.441", "a text file beyond 512 MiB"},
    ErrorKind{"file.442", "a line of a text file is malformed"},
    ErrorKind{"file.443", "a detector's or planning system's file without a whole table of evenly spaced doses"},
    ErrorKind{"file.444", "a delivery log without the columns, records or MU that a plan needs"},
    ErrorKind{"file.445", "not an OpenKBP table"},
    ErrorKind{"file.446", "planes beside a plan that do not belong together"},
    ErrorKind{"file.447",
              "a plane beside a plan without dose, or with dose beyond the cohort's grid about the beam axis"},
    ErrorKind{"file.448", "a folder to be reused holds another run or cohort than asked for"},
    ErrorKind{"file.449", "a run's cohort is not the one that it was trained on"},
    ErrorKind{"file.450", "a log of a run cannot be written"},
    ErrorKind{"file.460", "a table without column names, or with one of them twice"},
    ErrorKind{"numeric.501", "an objective is not finite; the batch's records are named"},
    ErrorKind{"numeric.502", "a contribution is not finite"},
    ErrorKind{"numeric.503", "the validation loss of a task is not finite"},
    ErrorKind{"numeric.504", "a parameter is not finite after an epoch: its gradient overflowed behind a finite loss"},
    ErrorKind{"numeric.505", "an input of a record that has the modality is NaN or infinite; the records are named"},
};

/// Not constexpr: the name is the compiler's message for an id that has no line in `kErrorKinds`.
inline void this_error_id_is_not_in_kErrorKinds() {}

/// The id of an error kind. \pre a line of `kErrorKinds`; checked by the compiler
class ErrorId {
 public:
  consteval ErrorId(const char* id) : text_(id) {  // NOLINT(google-explicit-constructor): a literal is an id
    if (std::none_of(kErrorKinds.begin(), kErrorKinds.end(), [&](const ErrorKind& k) { return k.id == text_; }))
      this_error_id_is_not_in_kErrorKinds();
  }

  [[nodiscard]] constexpr std::string_view text() const { return text_; }

  friend constexpr bool operator==(ErrorId, ErrorId) = default;

 private:
  std::string_view text_;
};

}  // namespace equipoise
