#include "ctl/ask.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/secret.h"
#include "ctl/conn.h"

#define ANSWER_MAX (64u << 20)
#define HEADERS_MAX 100

/* ---- the request ---------------------------------------------------------- */

static bool send_request(struct conn *c, const char *token, const char *method,
                         const char *path, const json_t *body)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    char *request = xasprintf("%s %s HTTP/1.1\r\n"
                              "Host: %s\r\n"
                              "Connection: close\r\n"
                              "%s%s%s"
                              "Content-Type: application/json\r\n"
                              "Content-Length: %zu\r\n\r\n%s", method, path, c->server,
                              token[0] != '\0' ? "Authorization: Bearer " : "", token,
                              token[0] != '\0' ? "\r\n" : "",
                              text != NULL ? strlen(text) : 0, text != NULL ? text : "");
    bool sent = conn_send(c, request, strlen(request));

    free(request);
    free(text);
    return sent;
}

/* ---- the answer ----------------------------------------------------------- */

/* "HTTP/1.1 200 OK" */
static bool read_status(struct conn *c, unsigned *status)
{
    const char *line = conn_line(c);
    uint32_t number;

    if (line == NULL)
        return false;
    if (strncmp(line, "HTTP/1.", 7) == 0 && strlen(line) >= 12 && line[8] == ' '
        && num_parse_u32(line + 9, 3, &number)) {
        *status = number;
        return true;
    }
    errno = EPROTO;
    return false;
}

/* Up to the empty line; there must be a length. */
static bool read_headers(struct conn *c, uint64_t *len)
{
    static const char name[] = "Content-Length: ";
    bool found = false;
    char *line;

    for (int i = 0; i < HEADERS_MAX && (line = conn_line(c)) != NULL; i++) {
        if (*line == '\0' && found && *len <= ANSWER_MAX)
            return true;
        if (*line == '\0')
            break;
        if (strncasecmp(line, name, strlen(name)) == 0)
            found = num_parse_u64(line + strlen(name), strlen(line + strlen(name)), len);
    }
    if (line != NULL)
        errno = EPROTO;
    return false;
}

static bool read_body(struct conn *c, char *out, size_t len)
{
    while (len > 0) {
        size_t n = c->end - c->at;

        if (n > len)
            n = len;
        memcpy(out, c->buf + c->at, n);
        c->at += n;
        out += n;
        len -= n;
        if (len > 0 && n == 0) {
            c->at = c->end = 0;
            if (!conn_fill(c))
                return false;
        }
    }
    return true;
}

/* False: errno says why. */
static bool read_answer(struct conn *c, unsigned *status, json_t **answer)
{
    uint64_t len;
    char *body;

    if (!read_status(c, status) || !read_headers(c, &len))
        return false;
    body = xmalloc((size_t)len + 1);
    *answer = read_body(c, body, (size_t)len) ? json_loadb(body, (size_t)len, 0, NULL) : NULL;
    free(body);
    if (*answer == NULL && (errno == 0 || len > 0))
        errno = EPROTO;
    return *answer != NULL;
}

static int judge(const struct ctl *ctl, unsigned status, json_t **answer)
{
    const char *error = json_string_value(json_object_get(*answer, "error"));
    int rc = YES;

    if (status >= 200 && status < 300 && json_is_object(*answer))
        return YES;
    if (error != NULL && status == 401) {
        rc = say(NO, ctl->token_file == NULL
                 ? "%s wants a token: name a copy of its --admin-token-file with --token-file"
                 : "%s wants another token than that of --token-file", ctl->admin);
    } else if (error != NULL) {
        char *words = xstrdup(error);

        rc = say_refused(words);
        free(words);
    } else {
        rc = say(UNREACHED, "%s: that is no admin address (status %u)", ctl->admin, status);
    }
    json_decref(*answer);
    *answer = NULL;
    return rc;
}

/* Servers of memcached hang up on HTTP, or answer it line by line. */
static int lost(const struct conn *c)
{
    if (errno == EPROTO || (errno == ECONNRESET && c->end == 0))
        return say(UNREACHED, "%s: no answer in HTTP; an admin address is what chcached has as "
                   "--http", c->server);
    return conn_lost(c);
}

int ask(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
        json_t **answer)
{
    struct conn *c;
    char token[SECRET_MAX + 1] = "";
    const char *why = ctl->token_file != NULL ? secret_read(ctl->token_file, token) : NULL;
    unsigned status = 0;
    int rc;

    *answer = NULL;
    if (why != NULL)
        return say(EX_CONFIG, "--token-file: %s: %s", ctl->token_file, why);
    c = xzalloc(sizeof(*c));
    rc = conn_open(c, ctl->admin, "11280");
    if (rc == YES && ctl->patience_s > 0)
        conn_set_patience(c, ctl->patience_s);
    if (rc == YES && (!send_request(c, token, method, path, body)
                      || !read_answer(c, &status, answer)))
        rc = lost(c);
    conn_close(c);
    free(c);
    return rc == YES ? judge(ctl, status, answer) : rc;
}

/* ---- pieces --------------------------------------------------------------- */

char *ask_encode(const char *part)
{
    char *out = xmalloc(3 * strlen(part) + 1), *at = out;

    for (; *part != '\0'; part++) {
        const unsigned char byte = (unsigned char)*part;

        if (isalnum(byte) || strchr("-._~", byte) != NULL)
            *at++ = (char)byte;
        else
            at += sprintf(at, "%%%02X", byte);
    }
    *at = '\0';
    return out;
}

const char *ask_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

long long ask_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

double ask_real(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

bool ask_flag(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}
