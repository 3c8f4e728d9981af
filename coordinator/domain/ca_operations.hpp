#pragma once
// ChangeCa as apply() carries it out. For operations.cpp only.
#include "coordinator/domain/operations.hpp"
#include "coordinator/domain/state_editor.hpp"

namespace slipway {

// Writes nothing on an error. The caller finishes the operation.
Status change_ca(const State& state, StateEditor& editor, const ChangeCa& op);

// Errc::conflict when the CA that signed it has been taken out of use meanwhile.
Status check_issuer(const State& state, const CertificateRecord& record);

}  // namespace slipway
