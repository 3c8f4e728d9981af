#pragma once
// The FileReaders port in memory. Passes the contract of the real one.
#include <map>
#include <set>
#include <vector>

#include "agent/ports/file_readers.hpp"

namespace slipway::test {

class FakeFileReaders final : public FileReaders {
 public:
  boost::asio::awaitable<Result<bool>> reread(FileReader reader) override {
    asked.push_back(reader);
    const auto error = errors.find(reader);
    if (error != errors.end()) co_return error->second;
    if (running.count(reader) == 0) co_return false;
    ++rereads[reader];
    co_return true;
  }

  std::set<FileReader> running = {FileReader::networkd, FileReader::network_manager};
  std::map<FileReader, Error> errors;
  std::map<FileReader, int> rereads;
  std::vector<FileReader> asked;
};

}  // namespace slipway::test
