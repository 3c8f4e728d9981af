#pragma once
// The system calls that the signer needs, and no others.
#include "common/core/result.hpp"

namespace slipway::signer {

// For all threads of this process, for ever: what is not on the list fails with EPERM. No sockets can be made
// (only the channels that are there are read and written), no program started, no process looked into, no
// page made executable. `tokens`: the wider list, for PKCS#11 modules: they load libraries, and speak to a
// daemon (pcscd) over local sockets; still no network. Sets no_new_privs. Then makes sure that it holds.
// Threads must all be there: none can be made afterwards on the narrow list.
Status confine_signer(bool tokens);

}  // namespace slipway::signer
