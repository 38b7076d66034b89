// A secret of this process's for hashing. Set-up.
#pragma once

#include "base/sip_hash.h"

namespace martlet::guards {

base::SipKey random_key();

}  // namespace martlet::guards
