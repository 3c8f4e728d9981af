#pragma once
// agent.yaml and its drop-ins: reading with file, line and field in every error, defaults, checks, and the
// token.
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "proto/file_types.hpp"

namespace slipway {

inline constexpr char k_agent_config_file[] = "/etc/slipway/agent.yaml";
inline constexpr char k_token_credential[] = "slipway.token";  // name in systemd's LoadCredential=

// `file`, then *.yaml of "<file>.d", merged and checked; node_name is filled in from the host. Blocks. Errc::invalid: a line for each problem of
// the first file with mistakes, or of what the files make together: "FILE:LINE:COLUMN: /field ...". Reads no secret.
Result<proto::AgentConfig> load_agent_config(const std::string& file);

// Names, addresses, role and paths make sense. Pure. Errc::invalid names all that is wrong, a line each: "/role: ...".
Status check_agent_config(const proto::AgentConfig& config);

// The token from `token_file` or, when there is none, from the credentials folder (empty: no such folder).
// Blocks. Errc::not_found when neither is there.
Result<Secret> read_token(const std::string& token_file, const std::string& credentials_dir);
// Deletes the file of a token that has done its work; none is no error. A credential of systemd's is not ours to delete. Blocks.
Status forget_token(const std::string& token_file);

}  // namespace slipway
