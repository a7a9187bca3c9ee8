/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frame that tells a network where a guest is now. */
#include <string.h>

#include "announce.h"
#include "unit.h"

static const uint8_t mac[6] = { 0x00, 0x16, 0x3e, 0x12, 0x34, 0x56 };

/* RFC 903, in an Ethernet frame of the least length. */
static void test_frame(void)
{
    static const uint8_t expected[42] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0x12, 0x34,
        0x56, 0x80, 0x35, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x03,
        0x00, 0x16, 0x3e, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x16, 0x3e, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x00,
    };
    uint8_t frame[MIG_ANNOUNCE_FRAME];

    memset(frame, 0xaa, sizeof(frame));
    mig_announce_frame(mac, frame);
    CU_ASSERT_EQUAL(memcmp(frame, expected, sizeof(expected)), 0);
    for (size_t i = sizeof(expected); i < sizeof(frame); i++)
        CU_ASSERT_EQUAL(frame[i], 0);
}

static void test_is_from(void)
{
    uint8_t frame[MIG_ANNOUNCE_FRAME];

    mig_announce_frame(mac, frame);
    CU_ASSERT_TRUE(mig_announce_is_from(frame, sizeof(frame), mac));
    CU_ASSERT_TRUE(mig_announce_is_from(frame, 14, mac));
    CU_ASSERT_FALSE(mig_announce_is_from(frame, 13, mac));
    frame[11] ^= 1; /* another card's, though it names this one */
    CU_ASSERT_FALSE(mig_announce_is_from(frame, sizeof(frame), mac));
}

static void test_no_such_vif(void)
{
    struct lxe_xl_nic nic = { .devid = 0 };
    struct mig_announce a = { .count = 0 };

    memcpy(nic.mac, mac, 6);
    mig_announce_listen(&a, 32000);
    CU_ASSERT_EQUAL(a.count, 0);
    CU_ASSERT_EQUAL(mig_announce_run(&a, &nic, 1), 0);
    mig_announce_close(&a);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "a RARP request", test_frame },
        { "whose frame it is", test_is_from },
        { "a vif that is not there", test_no_such_vif },
    };

    return unit_run("announce", tests, sizeof(tests) / sizeof(tests[0]));
}
