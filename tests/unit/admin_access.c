#include "admin_help.h"

#define TOKEN "0123456789abcdef"

static int here(void **state)
{
    return fake_setup_with(state, TOKEN, true);
}

static int from_anywhere(void **state)
{
    return fake_setup_with(state, TOKEN, false);
}

static const char get[] = "GET /v1/ring", change[] = "POST /v1/nodes?dry_run",
                  body[] = "{\"name\": \"n\", \"address\": \"/x\"}";

struct row { const char *headers; int reads, changes; };

static void expect(struct fake *f, const struct row *rows, size_t n)
{
    for (const struct row *r = rows; r < rows + n; r++) {
        f->headers = r->headers;
        if (request(f, get, "") != r->reads || request(f, change, body) != r->changes)
            fail_msg("%s: %d", r->headers, f->status);
    }
}

#define HERE "Host: localhost\r\n"
#define AWAY "Host: chcached.example:11280\r\n"
#define JSON "Content-Type: application/json\r\n"
#define SHOWN "Authorization: Bearer " TOKEN "\r\n"

/* Of a token that is there, changes need it everywhere. */
static void on_this_host_a_token_is_for_changes(void **state)
{
    static const struct row rows[] = {
        { HERE JSON, 200, 401 },
        { HERE SHOWN, 200, 200 },
        { HERE "authorization: bearer " TOKEN "\r\n", 200, 200 },
        { HERE JSON "Authorization: Bearer " TOKEN "0\r\n", 200, 401 },
        { HERE JSON "Authorization: Bearer " TOKEN TOKEN "\r\n", 200, 401 },
        { HERE JSON "Authorization: Bearer 0123456789abcdeF\r\n", 200, 401 },
        { HERE JSON "Authorization: Bearer 0123456789abcde\r\n", 200, 401 },
        { HERE JSON "Authorization: Bearer \r\n", 200, 401 },
        { HERE JSON "Authorization: Basic " TOKEN "\r\n", 200, 401 },
        { AWAY JSON, 403, 401 },
        { AWAY SHOWN, 200, 200 },
        { HERE SHOWN SHOWN, 400, 400 },
    };

    expect(*state, rows, sizeof(rows) / sizeof(rows[0]));
}

static void from_other_hosts_all_need_it(void **state)
{
    static const struct row rows[] = {
        { HERE JSON, 401, 401 },
        { AWAY JSON, 401, 401 },
        { AWAY JSON "X-Chcached-Change: 1\r\n", 401, 401 },
        { AWAY SHOWN, 200, 200 },
        { AWAY SHOWN "Origin: http://chcached.example:11280\r\n", 200, 200 },
    };

    expect(*state, rows, sizeof(rows) / sizeof(rows[0]));
}

static void who_has_none_is_told_what_is_wanted(void **state)
{
    struct fake *f = *state;

    assert_int_equal(request(f, get, ""), 401);
    assert_non_null(strstr(f->head, "WWW-Authenticate: Bearer"));
    assert_non_null(strstr(text_at(f, "error"), "--admin-token-file"));
    assert_null(strstr(text_at(f, "error"), TOKEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(on_this_host_a_token_is_for_changes, here,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(from_other_hosts_all_need_it, from_anywhere,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(who_has_none_is_told_what_is_wanted, from_anywhere,
                                        fake_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
