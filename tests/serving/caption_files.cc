// Captions image files with an exported captioner, without Python:
//
//     caption_files MODEL_FOLDER/1 PHOTO...
//
// Prints a line for each photo: its error code, a tab, its caption.

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/public/session.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: caption_files MODEL_FOLDER/1 PHOTO...\n";
    return 2;
  }
  tensorflow::SavedModelBundleLite bundle;
  auto status = tensorflow::LoadSavedModel(tensorflow::SessionOptions(), tensorflow::RunOptions(),
                                           argv[1], {"serve"}, &bundle);
  if (!status.ok()) {
    std::cerr << status.ToString() << "\n";
    return 1;
  }
  tensorflow::Tensor files(tensorflow::DT_STRING, tensorflow::TensorShape({argc - 2}));
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    files.flat<tensorflow::tstring>()(i - 2) =
        std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  const auto& signature = bundle.GetSignatures().at("serving_default");
  std::vector<tensorflow::Tensor> outputs;
  status = bundle.GetSession()->Run(
      {{signature.inputs().at("image_bytes").name(), files}},
      {signature.outputs().at("error_codes").name(), signature.outputs().at("captions").name()},
      {}, &outputs);
  if (!status.ok()) {
    std::cerr << status.ToString() << "\n";
    return 1;
  }
  for (int i = 0; i < argc - 2; ++i) {
    std::cout << outputs[0].flat<int>()(i) << "\t"
              << std::string(outputs[1].flat<tensorflow::tstring>()(i)) << "\n";
  }
}
