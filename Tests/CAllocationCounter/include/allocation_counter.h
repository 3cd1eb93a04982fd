// SPDX-License-Identifier: Apache-2.0
#pragma once

/// How often the calling thread has asked for memory; -1 where it cannot be counted.
long allocations_of_this_thread(void);
