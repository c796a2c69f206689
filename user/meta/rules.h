/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Name overrides, the part that hs_identify() uses; users see identity.h. */
#ifndef HS_META_RULES_H
#define HS_META_RULES_H

#include "meta/identity.h"

/* Give identity the name and namespace of the first rule that fits. rules may be NULL. */
void hs_rules_apply(const struct hs_rules *rules, const struct hs_process_facts *facts,
		    struct hs_identity *identity);

#endif
