// The FileReaders port: the same cases against the fake and against the adapter, which speaks to stand-ins on
// a private bus.
#include <catch2/catch.hpp>
#include <functional>
#include <memory>

#include "agent/net/network_managers.hpp"
#include "tests/support/fake_file_readers.hpp"
#include "tests/support/fake_network_managers.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

constexpr FileReader k_readers[] = {FileReader::networkd, FileReader::network_manager};

struct Rig {
  virtual ~Rig() = default;
  virtual FileReaders& readers() = 0;
  virtual int rereads(FileReader reader) = 0;
  virtual void stop() = 0;
  virtual void refuse() = 0;
  IoTest io;
};

struct FakeRig final : Rig {
  FakeFileReaders fake;
  FileReaders& readers() override { return fake; }
  int rereads(FileReader reader) override { return fake.rereads[reader]; }
  void stop() override { fake.running.clear(); }
  void refuse() override {
    for (const FileReader reader : k_readers)
      fake.errors.insert_or_assign(reader, Error{Errc::denied, "not allowed"});
  }
};

struct BusRig final : Rig {
  PrivateBus bus;
  std::unique_ptr<FakeNetworkManagers> services = std::make_unique<FakeNetworkManagers>(
      bus.address(), std::set<std::string>{"org.freedesktop.NetworkManager", "org.freedesktop.network1"});
  NetworkManagers adapter{io.executor(), {bus.address()}};
  FileReaders& readers() override { return adapter; }
  int rereads(FileReader reader) override {
    // The configuration alone: NetworkManager would write /etc/resolv.conf, too.
    return reader == FileReader::networkd ? services->reloads("org.freedesktop.network1.Manager", "")
                                          : services->reloads("org.freedesktop.NetworkManager", "1");
  }
  void stop() override { services.reset(); }
  void refuse() override { services->answer_with(FakeNetworkManagers::Answer::denied); }
};

void for_each_rig(const std::function<void(Rig&)>& run) {
  SECTION("fake") {
    FakeRig rig;
    run(rig);
  }
  SECTION("adapter on a private bus") {
    if (!PrivateBus::available()) {
      WARN("SKIPPED: no /usr/bin/dbus-daemon");
      return;
    }
    BusRig rig;
    run(rig);
  }
}

}  // namespace

TEST_CASE("file readers contract: who runs reads its files again, each time it is told",
          "[readers][contract]") {
  for_each_rig([](Rig& rig) {
    for (const FileReader reader : k_readers) {
      INFO(describe(reader));
      for (const int times : {1, 2}) {
        const auto told = rig.io.run(rig.readers().reread(reader));
        if (!told) FAIL(told.error().message);
        CHECK(*told);
        CHECK(rig.rereads(reader) == times);
      }
    }
  });
}

TEST_CASE("file readers contract: who does not run is no error", "[readers][contract]") {
  for_each_rig([](Rig& rig) {
    rig.stop();
    for (const FileReader reader : k_readers) {
      INFO(describe(reader));
      const auto told = rig.io.run(rig.readers().reread(reader));
      if (!told) FAIL(told.error().message);
      CHECK_FALSE(*told);
    }
  });
}

TEST_CASE("file readers contract: a refusal is told", "[readers][contract]") {
  for_each_rig([](Rig& rig) {
    rig.refuse();
    for (const FileReader reader : k_readers) {
      INFO(describe(reader));
      const auto told = rig.io.run(rig.readers().reread(reader));
      REQUIRE_FALSE(told);
      CHECK(told.error().code == Errc::denied);
      CHECK(rig.rereads(reader) == 0);
    }
  });
}

TEST_CASE("programs of before there was such a call, and hosts without a bus, are no error", "[readers]") {
  if (!PrivateBus::available()) {
    WARN("SKIPPED: no /usr/bin/dbus-daemon");
    return;
  }
  BusRig rig;
  rig.services->answer_with(FakeNetworkManagers::Answer::unknown_method);
  const TempDir dir;
  NetworkManagers nobody{rig.io.executor(), {"unix:path=" + (dir / "nobody")}};
  for (const FileReader reader : k_readers) {
    INFO(describe(reader));
    for (FileReaders* readers :
         {static_cast<FileReaders*>(&rig.adapter), static_cast<FileReaders*>(&nobody)}) {
      const auto told = rig.io.run(readers->reread(reader));
      if (!told) FAIL(told.error().message);
      CHECK_FALSE(*told);
    }
  }
}
