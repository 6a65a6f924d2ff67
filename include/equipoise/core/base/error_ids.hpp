// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The table of all errors of the library.
/// Numbers: shape 1xx, value 2xx and 3xx (radiotherapy), name 3xx, file 4xx, numeric 5xx.
/// `docs/make_pages.py` writes `docs/errors.md` from it. An id that is not in the table does not compile.

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
              "an input of an encoder, standardizer or fusion has another shape than expected, or holds integers"},
    ErrorKind{"shape.102", "a presence is not [B, M], or has other numbers than 0 and 1"},
    ErrorKind{"shape.103", "a presence does not have the records, or the modalities, of its batch"},
    ErrorKind{"shape.104", "ids, groups, classes or weights: not one value per record"},
    ErrorKind{"shape.105", "the tensors of a batch differ in the number of records"},
    ErrorKind{"shape.106", "a table of coalitions does not have 2^M rows"},
    ErrorKind{"shape.107", "a row that is written to an array file has the wrong size"},
    ErrorKind{"shape.108",
              "a dose grid has the wrong shape or number of doses, or is a volume where a plane is needed"},
    ErrorKind{"shape.109", "gamma of a plane and a volume without a search space"},
    ErrorKind{"shape.110", "a target has another shape or type than its task predicts"},
    ErrorKind{"shape.111", "an encoder returns a feature of another shape than it declares"},
    ErrorKind{"shape.112", "a fusion returns a joint feature of another width than it declares"},
    ErrorKind{"shape.113", "target maps and predicted maps differ in height or width"},
    ErrorKind{"shape.114", "an input has another type than the encoder's parameters, or the encoder cannot process it"},
    ErrorKind{"shape.115", "lengths or padding do not fit the sequences"},
    ErrorKind{"shape.116", "a transform changes the shape of a record, or cannot process its type"},
    ErrorKind{"shape.117", "a task's loss is not one value a record, or its prediction not one row"},
    ErrorKind{"shape.118", "maps are too small for the scales of MS-SSIM; the message says how many fit"},
    ErrorKind{"shape.119",
              "a metric cannot be computed from its task's predictions and targets; the message has their shapes"},
    ErrorKind{"shape.130", "two lists that belong together, such as truths and predictions, differ in length"},
    ErrorKind{"value.201", "an option is out of range"},
    ErrorKind{"value.202", "the text of an option cannot be converted to the option's type"},
    ErrorKind{"value.203", "too many modalities for a table of all coalitions"},
    ErrorKind{"value.204", "a policy evaluates a hold-out without declaring `Needs::holdout`"},
    ErrorKind{"value.205", "no records to train on, to evaluate or to explain"},
    ErrorKind{"value.206", "too few groups for a hold-out"},
    ErrorKind{"value.207", "two policies of a stack cannot be combined"},
    ErrorKind{"value.208", "a policy needs linear heads, and the model has another kind of head"},
    ErrorKind{"value.209", "the number of widths of a cascade differs from the number of the encoder's skip maps"},
    ErrorKind{"value.210",
              "a window of epochs for a policy that changes the deployed model; such a policy cannot be switched off"},
    ErrorKind{"value.211", "too few patients for a split"},
    ErrorKind{"value.212", "a command's argument is missing or malformed"},
    ErrorKind{"value.213", "too few orders for a standard error of sampled Shapley values"},
    ErrorKind{"value.214", "a label is not one of the task's classes"},
    ErrorKind{"value.215", "runs were tested on different records"},
    ErrorKind{"value.216", "a policy scales the learning rate of a pass that makes no optimiser step"},
    ErrorKind{"value.217", "an index of a task, parameter group, objective, coalition or record is out of range"},
    ErrorKind{"value.218", "a policy asks for the gradients of objectives without declaring the need"},
    ErrorKind{"value.219", "a factor on gradients or on a learning rate is not finite"},
    ErrorKind{"value.220", "a policy asks for a task without targets in the batch, or for an empty list of coalitions"},
    ErrorKind{"value.221", "all training targets of a task are missing, or none of a survival task has an event"},
    ErrorKind{"value.222",
              "the trainer would replace or remove the model's output stage, of other policies or of the user's own"},
    ErrorKind{"value.223", "this build of LibTorch cannot use the device"},
    ErrorKind{"value.224", "a value of a target does not fit its task, such as an infinite one"},
    ErrorKind{"value.225", "micro-batches cannot be used with a task whose loss depends on the whole batch"},
    ErrorKind{"value.226", "a difference in a paired test is NaN"},
    ErrorKind{"value.230", "a monitor, `patience` or a plateau schedule needs labelled validation data"},
    ErrorKind{"value.231", "the optimiser does not have this option of the trainer"},
    ErrorKind{"value.232", "a parameter group is given twice"},
    ErrorKind{"value.233", "a schedule's factor is negative or not finite"},
    ErrorKind{"value.234", "more epochs are asked for, but the run's schedule has reached 0"},
    ErrorKind{"value.235", "weights of records are negative, not finite or all zero"},
    ErrorKind{"value.236", "the plan of an epoch has a pass or a record that does not exist"},
    ErrorKind{"value.237", "a sequence is longer than its tensor"},
    ErrorKind{"value.238", "weights of records cannot be used with a task whose loss depends on the whole batch"},
    ErrorKind{"value.239", "several threads evaluate a model that is in training mode"},
    ErrorKind{"value.240", "a cell's category is not in the given list; the message names the nearest one"},
    ErrorKind{"value.241",
              "a column of numerals is read as text where numbers are needed; a cell that is no number is file.433"},
    ErrorKind{"value.242", "a column cannot be standardised: it has no value, or an infinite one"},
    ErrorKind{"value.243", "a sampler lacks the value of a training record, or has two for one id"},
    ErrorKind{"value.244", "a row of a table is looked up by a text that no row has, or several have"},
    ErrorKind{"value.245", "two cells of a study have one name, or a name is no folder's"},
    ErrorKind{"value.246", "a range or list of a search space is empty, or not positive where it is logarithmic"},
    ErrorKind{"value.247",
              "methods cannot be ranked: fewer than two, or more than twenty, or no block with all of them"},
    ErrorKind{"value.250", "a survival target is not a time > 0 with an event of 0 or 1"},
    ErrorKind{"value.260", "a table's number of a category is not whole, or beyond the encoder's categories"},
    ErrorKind{"value.261", "a gradient is asked of an encoder that has no backward pass"},
    ErrorKind{"value.263", "a standardiser is used before it was fitted"},
    ErrorKind{"value.301", "a gamma criterion or grid is out of range"},
    ErrorKind{"value.302", "a plan has no beam with both leaves and MU"},
    ErrorKind{"value.303", "a control chart cannot be made from these passing rates"},
    ErrorKind{"value.304", "a patient has no target structures"},
    ErrorKind{"value.306", "a choice of a complexity metric is out of range"},
    ErrorKind{"value.307", "gamma of doses in different units"},
    ErrorKind{"value.308", "gamma without a point that can be judged"},
    ErrorKind{"value.309", "a leaf position is missing, not a number, or farther than 2 m from the axis"},
    ErrorKind{"value.311", "gamma of doses whose axes point in different directions"},
    ErrorKind{"value.331",
              "a setting or mismatch of the simulator is out of range, or `cohort.json` names an unknown setting"},
    ErrorKind{"name.302", "unknown option or command; the message names the nearest one"},
    ErrorKind{"name.303", "unknown objective"},
    ErrorKind{"name.304", "a checkpoint holds a state that the policy does not have"},
    ErrorKind{"name.305", "unknown policy; the message names the nearest one"},
    ErrorKind{"name.307", "unknown metric"},
    ErrorKind{"name.308", "unknown fusion; the message names the nearest one"},
    ErrorKind{"name.309", "an option of a policy that is not used"},
    ErrorKind{"name.310", "unknown column of a table; the message names the nearest one or lists the columns"},
    ErrorKind{"name.311", "unknown machine of the cohort; the message names the nearest one"},
    ErrorKind{"name.312", "a coalition was not evaluated"},
    ErrorKind{"name.313", "unknown figure of a study; the message names the nearest one"},
    ErrorKind{"name.320", "unknown figure to monitor; the message lists the figures"},
    ErrorKind{"name.321", "unknown parameter group; the message names the nearest one"},
    ErrorKind{"name.322", "two figures of a task have one name"},
    ErrorKind{"file.401", "a file is missing or cannot be read"},
    ErrorKind{"file.402",
              "a checkpoint is damaged, or belongs to another model, optimiser or policy stack; the message names the "
              "option or parameter that differs"},
    ErrorKind{"file.403", "a file cannot be written (disk full, no permission); an existing file is left unchanged"},
    ErrorKind{"file.411", "not an NPY file"},
    ErrorKind{"file.412", "an array file is truncated"},
    ErrorKind{"file.413", "an array has an unsupported type, memory order or alignment"},
    ErrorKind{"file.414", "an image cannot be encoded"},
    ErrorKind{"file.421", "not a complete DICOM file"},
    ErrorKind{"file.422", "a value cannot be written as DICOM"},
    ErrorKind{"file.423", "unknown fraction group"},
    ErrorKind{"file.424", "the data of a beam contradict each other"},
    ErrorKind{"file.425", "a DICOM file of another kind, or a plan without treatment beams"},
    ErrorKind{"file.426", "an RTDOSE file has no usable grid, position, orientation or pixels"},
    ErrorKind{"file.427", "invalid number in a DICOM file: not a number, not finite or out of range"},
    ErrorKind{"file.428", "a deflated DICOM file expands to an implausible size"},
    ErrorKind{"file.431", "the folder exists already"},
    ErrorKind{"file.432", "a column is missing"},
    ErrorKind{"file.433", "a line or cell of a table is malformed, or a cell is no number where numbers are needed"},
    ErrorKind{"file.434", "a record's id occurs twice"},
    ErrorKind{"file.435", "planes differ in shape"},
    ErrorKind{"file.436", "a dose is negative or not finite"},
    ErrorKind{"file.437", "not a cohort, or a cohort of another schema"},
    ErrorKind{"file.438", "not a run"},
    ErrorKind{"file.439", "a configuration file cannot be parsed"},
    ErrorKind{"file.441", "a text file is larger than 512 MiB"},
    ErrorKind{"file.442", "a line of a text file is malformed"},
    ErrorKind{"file.443", "a detector or planning system file lacks a complete table of evenly spaced doses"},
    ErrorKind{"file.444", "a delivery log lacks columns, records or MU that a plan needs"},
    ErrorKind{"file.445", "not an OpenKBP table"},
    ErrorKind{"file.446", "planes beside a plan are incomplete, lack their spacing or do not belong together"},
    ErrorKind{"file.447",
              "a plane beside a plan has no dose, or has dose outside the cohort's grid about the beam axis"},
    ErrorKind{"file.448", "a folder to be reused holds another run or cohort than the one asked for"},
    ErrorKind{"file.449", "a run's cohort is not the one it was trained on, or has changed since"},
    ErrorKind{"file.450", "the log of a run cannot be written"},
    ErrorKind{"file.460", "a table has no column names, or has one of them twice"},
    ErrorKind{"file.461",
              "not a safetensors file, or its header is malformed, or its tensors overlap, leave gaps or have the "
              "wrong size"},
    ErrorKind{"file.462",
              "weights in a file have other names, shapes or types than the module, or no name begins with the "
              "prefix; the message lists names"},
    ErrorKind{"file.463", "not a TorchScript file"},
    ErrorKind{"file.464", "not an AOTInductor package that this program can load, or one of a fixed number of records"},
    ErrorKind{"file.465", "another process is writing in the folder of a study or run"},
    ErrorKind{"numeric.501", "an objective is not finite; the message names the batch's records"},
    ErrorKind{"numeric.502", "a contribution is not finite"},
    ErrorKind{"numeric.503", "the validation loss of a task is not finite"},
    ErrorKind{"numeric.504",
              "a parameter is not finite after an epoch: its gradient overflowed although the loss was finite"},
    ErrorKind{
        "numeric.505",
        "an input of a record that has the modality is NaN or infinite; the message names the records and the entry"},
    ErrorKind{"numeric.506", "what a task predicts without any modality is not finite"},
    ErrorKind{"numeric.507", "the monitored figure, a metric of a task, was NaN after every epoch"},
};

/// The ids in order, so that the compiler finds one in a few steps; a program has hundreds of messages.
inline constexpr auto kSortedErrorIds = [] {
  std::array<std::string_view, kErrorKinds.size()> ids;
  std::transform(kErrorKinds.begin(), kErrorKinds.end(), ids.begin(), [](const ErrorKind& k) { return k.id; });
  std::sort(ids.begin(), ids.end());
  return ids;
}();

/// Not constexpr: the name is the compiler's message for an id that has no line in `kErrorKinds`.
inline void this_error_id_is_not_in_kErrorKinds() {}

/// The id of an error kind. \pre a line of `kErrorKinds`; checked by the compiler
class ErrorId {
 public:
  consteval ErrorId(const char* id) : text_(id) {  // NOLINT(google-explicit-constructor): a literal is an id
    if (!std::binary_search(kSortedErrorIds.begin(), kSortedErrorIds.end(), text_))
      this_error_id_is_not_in_kErrorKinds();
  }

  [[nodiscard]] constexpr std::string_view text() const { return text_; }

  friend constexpr bool operator==(ErrorId, ErrorId) = default;

 private:
  std::string_view text_;
};

}  // namespace equipoise
