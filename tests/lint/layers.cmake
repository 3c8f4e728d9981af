# Layering as a test: who may include whom, and which third-party header may stand where (docs/architecture.md).
# Run: cmake -DROOT=<source dir> -P layers.cmake
cmake_minimum_required(VERSION 3.25)

# folder -> folders it may include (its own is always allowed); one line a folder, deny by default.
set(allow_common/core "")
set(allow_proto "common/core")
set(allow_common/log "common/core")
set(allow_common/crypto "common/core;common/files")
set(allow_common/files "common/core")
set(allow_common/process "common/core")
set(allow_common/archive "common/core;common/files")
set(allow_common/async "common/core;common/log")
set(allow_common/http "common/core;common/log;common/async;common/crypto;common/files;proto")
set(allow_common/systemd "common/core;common/log;common/async")
set(allow_common/config "common/core;common/files")
set(allow_common/cli "")
set(allow_common/portable "")
set(allow_common/kube "common/core;proto")
foreach(daemon coordinator agent)
  set(allow_${daemon}/domain "common/core;common/kube;proto")
  set(allow_${daemon}/ports "common/core;proto;common/async;${daemon}/domain")
  set(allow_${daemon}/service "common/*;proto;${daemon}/domain;${daemon}/ports;${daemon}/render")
  set(allow_${daemon}/store "common/*;proto;${daemon}/domain;${daemon}/ports")
endforeach()
set(allow_coordinator/ca "common/*;proto;coordinator/domain;coordinator/ports")
set(allow_coordinator/signer "common/*;proto;coordinator/domain;coordinator/ports;coordinator/ca")
set(allow_coordinator/kube "common/*;proto;coordinator/domain;coordinator/ports")
set(allow_coordinator/routes "common/*;proto;coordinator/domain;coordinator/ports")
set(allow_coordinator/api "common/*;proto;coordinator/domain;coordinator/ports;coordinator/service")
set(allow_coordinator/ctl "common/*;proto;coordinator/domain")  # domain: address plans, which need no coordinator
set(allow_coordinator "common/*;proto;coordinator/*")
foreach(folder client net process install host)
  set(allow_agent/${folder} "common/*;proto;agent/domain;agent/ports")
endforeach()
set(allow_agent/render "common/core;common/config;common/kube;proto;agent/domain;agent/ports")  # config: merging overrides is the same there
set(allow_agent "common/*;proto;agent/*")

# third-party header (regular expression) -> files (regular expression) that may include it
set(confined
  "boost/beast=^common/http/[a-z_]+\\.cpp$"
  "nlohmann/=^(proto/codec\\.cpp|proto/settings\\.cpp|proto/json_fields\\.hpp|common/config/[a-z_]+\\.cpp|common/kube/[a-z_]+\\.cpp|(coordinator|agent)/store/[a-z_]+\\.cpp|agent/render/[a-z_]+\\.(cpp|hpp)|coordinator/kube/([a-z_]+\\.cpp|shallow_json\\.hpp))$"
  "proto/json_fields\\.hpp=^(proto/(codec|config_reference)\\.cpp|(coordinator|agent)/store/[a-z_]+\\.(cpp|hpp)|coordinator/kube/[a-z_]+\\.cpp|common/config/[a-z_]+\\.cpp)$"
  "openssl/=^(common/crypto/([a-z_]+\\.cpp|ossl\\.hpp)|common/http/tls[a-z_]*\\.(cpp|hpp))$"
  "systemd/sd-=^common/systemd/[a-z_]+\\.cpp$"
  "sqlite3\\.h=^coordinator/store/sqlite_store\\.cpp$"
  "yaml-cpp/=^common/config/[a-z_]+\\.cpp$"
  "CLI/=^(common/cli/[a-z_]+\\.(cpp|hpp)|(agent|coordinator)/main\\.cpp|coordinator/ctl/(main\\.cpp|command_line[a-z_]*\\.(cpp|hpp)))$"
  "archive(_entry)?\\.h=^common/archive/[a-z_]+\\.cpp$"
  "netlink/=^agent/net/[a-z_]+\\.(cpp|hpp)$"
  "seccomp\\.h=^coordinator/signer/seccomp\\.cpp$"
  "nftables/=^agent/net/[a-z_]+\\.cpp$"
  "spdlog/=^common/log/log\\.cpp$")
# the pure folders: no third-party header at all but what stands here
set(pure "^(coordinator|agent)/domain/|^common/core/|^proto/(types|fields|routes|problem)")
set(pure_third_party "boost/|openssl/|nlohmann/|spdlog/|CLI/|systemd/|sqlite3|yaml-cpp/|archive|netlink/|nftables/")

set(problems "")
file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/common/*.[ch]pp ${ROOT}/proto/*.[ch]pp ${ROOT}/coordinator/*.[ch]pp ${ROOT}/agent/*.[ch]pp)
list(LENGTH files count)
if(count LESS 20)
  message(FATAL_ERROR "only ${count} files found below ${ROOT}: the rule would pass by looking at nothing")
endif()

function(check_own file folder header)
  get_filename_component(target "${header}" DIRECTORY)
  if(target STREQUAL folder OR target STREQUAL "")
    return()
  endif()
  if(NOT DEFINED allow_${folder})
    set(problems ${problems} "${file}: folder ${folder} has no rule: add one to tests/lint/layers.cmake" PARENT_SCOPE)
    return()
  endif()
  foreach(allowed ${allow_${folder}})
    string(REPLACE "/*" "(/.*)?" pattern "${allowed}")
    if(target MATCHES "^${pattern}$")
      return()
    endif()
  endforeach()
  set(problems ${problems} "${file} includes ${header}: ${folder} may not include ${target}" PARENT_SCOPE)
endfunction()

function(check_foreign file header)
  foreach(rule ${confined})
    string(REPLACE "=" ";" parts "${rule}")
    list(GET parts 0 what)
    list(GET parts 1 where)
    if(header MATCHES "^${what}" AND NOT file MATCHES "${where}")
      set(problems ${problems} "${file} includes <${header}>: that header is confined to ${where}" PARENT_SCOPE)
    endif()
  endforeach()
  if(file MATCHES "${pure}" AND header MATCHES "^(${pure_third_party})" AND NOT file STREQUAL "common/core/result.hpp")
    set(problems ${problems} "${file} includes <${header}>: this folder is pure" PARENT_SCOPE)
  endif()
endfunction()

foreach(file ${files})
  get_filename_component(folder ${file} DIRECTORY)
  file(STRINGS ${ROOT}/${file} lines REGEX "^#include ")
  foreach(line ${lines})
    string(REGEX REPLACE "^#include [\"<]([^\">]+)[\">].*" "\\1" header "${line}")
    if(header MATCHES "^(common|proto|coordinator|agent|tests)/")
      check_own(${file} ${folder} ${header})
      check_foreign(${file} ${header})
    else()
      check_foreign(${file} ${header})
    endif()
  endforeach()
endforeach()

if(problems)
  list(JOIN problems "\n  " text)
  message(FATAL_ERROR "layering broken:\n  ${text}")
endif()
message(STATUS "layers: ${count} files keep the rules")
