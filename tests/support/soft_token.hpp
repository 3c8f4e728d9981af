#pragma once
// A SoftHSM2 token for keys that cannot be copied.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/temp_dir.hpp"

namespace slipway::test {

inline constexpr const char* k_softhsm = "/usr/lib/softhsm/libsofthsm2.so";

inline bool has_token_tools() {
  return std::filesystem::exists(k_softhsm) &&
         std::system("command -v softhsm2-util pkcs11-tool > /dev/null 2>&1") == 0;
}

// A token with one P-256 key "fabric" that may sign and may not be read, and its self-signed certificate. Its
// settings are in this process's environment from then on; the module reads them once a process.
struct SoftToken {
  TempDir dir;

  SoftToken() {
    std::filesystem::create_directory(dir / "tokens");
    put_file(dir / "softhsm.conf", "directories.tokendir = " + (dir / "tokens") +
                                       "\nobjectstore.backend = file\nlog.level = ERROR\n");
    ::setenv("SOFTHSM2_CONF", (dir / "softhsm.conf").c_str(), 1);
    run("softhsm2-util --init-token --free --label slipway --so-pin 12345678 --pin 87654321");
    run("pkcs11-tool --module " + std::string(k_softhsm) +
        " --token-label slipway --login --pin 87654321 --keypairgen --key-type EC:prime256v1 --label fabric "
        "--id 01 --usage-sign");
    put_file(dir / "cnf",
             "[req]\nprompt=no\ndistinguished_name=dn\nx509_extensions=x\n[dn]\nCN=fabric in a token\n[x]\n"
             "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier="
             "hash\n");
    run("PKCS11_MODULE_PATH=" + std::string(k_softhsm) + " openssl req -x509 -new -config " + (dir / "cnf") +
        " -engine pkcs11 -keyform engine -key "
        "'pkcs11:token=slipway;object=fabric;type=private;pin-value=87654321' -days 3650 -out " +
        (dir / "fabric-ca.crt"));
  }
  void run(const std::string& command) {
    INFO(command);
    REQUIRE(std::system((command + " > " + (dir / "log") + " 2>&1").c_str()) == 0);
  }
  void put_uri(const std::string& query) {
    put_file(dir / "fabric-ca.uri", "pkcs11:token=slipway;object=fabric;type=private?module-path=" +
                                        std::string(k_softhsm) + query + "\n");
    REQUIRE(::chmod((dir / "fabric-ca.uri").c_str(), 0600) == 0);
  }
};

}  // namespace slipway::test
