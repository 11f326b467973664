#include "wire.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int     wire_rank, wire_ranks;
int64_t wire_limit = 60, wire_sent;
double  wire_waited;

static MPI_Op  merge;
static int64_t agreed;               /* floats of the last join: a rank with others is found out */

void wire_fail(const char *message, ...)
{
    char text[512];
    va_list args;
    va_start(args, message);
    vsnprintf(text, sizeof text, message, args);
    va_end(args);
    fprintf(stderr, "rank %d: %s\n", wire_rank, text);
    fflush(stderr);
    MPI_Abort(MPI_COMM_WORLD, EXIT_RUN);
    exit(EXIT_RUN);
}

void wire_check(lctx_status status)
{
    if (status != LCTX_OK) wire_fail("%s", lctx_status_text(status));
}

static void mpi_check(int error, const char *what)
{
    char text[MPI_MAX_ERROR_STRING];
    int n;
    if (error == MPI_SUCCESS) return;
    MPI_Error_string(error, text, &n);
    wire_fail("%s: %s", what, text);
}

/* ---- the join: an element is a row, d values and their lse */
static void merge_rows(void *in, void *inout, int *len, MPI_Datatype *row)
{
    const float *before = in;
    float *rows = inout;
    int bytes, i;
    MPI_Type_size(*row, &bytes);
    for (i = 0; i < *len; i++) {
        const int32_t d = bytes / (int32_t)sizeof(float) - 1;
        const float *outs[2], *lses[2];
        outs[0] = before, lses[0] = before + d, outs[1] = rows, lses[1] = rows + d;
        wire_check(lctx_merge(1, d, 2, outs, lses, rows, rows + d));
        before += d + 1, rows += d + 1;
    }
}

void wire_join(int64_t n_rows, int32_t d, float *out, float *lse)
{
    const size_t row = (size_t)d + 1;
    float *rows = malloc((size_t)n_rows * row * sizeof *rows);
    MPI_Datatype type;
    MPI_Request request;
    int64_t i;
    if (!rows || n_rows > INT32_MAX) wire_fail("no memory for %lld rows", (long long)n_rows);
    if (n_rows * d != agreed) wire_agree("rows to join", agreed = n_rows * d);
    for (i = 0; i < n_rows; i++) {
        memcpy(rows + (size_t)i * row, out + i * d, (size_t)d * sizeof *rows);
        rows[(size_t)i * row + (size_t)d] = lse[i];
    }
    mpi_check(MPI_Type_contiguous((int)row, MPI_FLOAT, &type), "a row");
    mpi_check(MPI_Type_commit(&type), "a row");
    mpi_check(MPI_Iallreduce(MPI_IN_PLACE, rows, (int)n_rows, type, merge, MPI_COMM_WORLD,
                             &request), "join");
    wire_done(request, "join");
    MPI_Type_free(&type);
    for (i = 0; i < n_rows; i++) {
        memcpy(out + i * d, rows + (size_t)i * row, (size_t)d * sizeof *rows);
        lse[i] = rows[(size_t)i * row + (size_t)d];
    }
    free(rows);
}

/* ---- begin and end. The operator keeps the ranks' order: so MPI may cut the rows as it likes, but
   all get the bits of one order. */
void wire_open(int *argc, char ***argv)
{
    int threads;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &threads) != MPI_SUCCESS)
        fail(EXIT_RUN, "MPI does not start");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &wire_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &wire_ranks);
    mpi_check(MPI_Op_create(merge_rows, 0, &merge), "an operator");
}

void wire_close(void)
{
    wire_barrier();
    MPI_Op_free(&merge);
    MPI_Finalize();
}

/* ---- waits */
static int waited_too_long(double start) { return os_seconds() - start > (double)wire_limit; }

static int count(int64_t bytes)
{
    if (bytes > INT32_MAX) wire_fail("a message of %lld bytes", (long long)bytes);
    return (int)bytes;
}

wire_message wire_send(const void *data, int64_t bytes, int to)
{
    wire_message m = { MPI_REQUEST_NULL, -1, to };
    mpi_check(MPI_Isend(data, count(bytes), MPI_BYTE, to, 0, MPI_COMM_WORLD, &m.request), "send");
    wire_sent += bytes;
    return m;
}

wire_message wire_take(void *data, int64_t bytes, int from)
{
    wire_message m = { MPI_REQUEST_NULL, bytes, from };
    mpi_check(MPI_Irecv(data, count(bytes), MPI_BYTE, from, 0, MPI_COMM_WORLD, &m.request),
              "receive");
    return m;
}

static void finish(const wire_message *m, int error, MPI_Status *status)
{
    int got = 0, class = MPI_SUCCESS;
    if (error != MPI_SUCCESS) MPI_Error_class(error, &class);
    if (class == MPI_ERR_TRUNCATE)
        wire_fail("rank %d sent more than %lld bytes", m->peer, (long long)m->bytes);
    mpi_check(error, m->bytes < 0 ? "send" : "receive");
    if (m->bytes < 0) return;
    MPI_Get_count(status, MPI_BYTE, &got);
    if (got != m->bytes)
        wire_fail("rank %d sent %d bytes in place of %lld", m->peer, got, (long long)m->bytes);
}

void wire_wait(wire_message *messages, int n)
{
    const double start = os_seconds();
    int i;
    for (i = 0; i < n; i++) {
        wire_message *m = &messages[i];
        MPI_Status status;
        int done = 0;
        while (!done) {
            int error = MPI_Test(&m->request, &done, &status);
            if (done || error != MPI_SUCCESS) finish(m, error, &status), done = 1;
            else if (waited_too_long(start))
                wire_fail("rank %d: nothing for %lld s", m->peer, (long long)wire_limit);
        }
    }
    wire_waited += os_seconds() - start;
}

void wire_done(MPI_Request request, const char *what)
{
    const double start = os_seconds();
    int done = 0;
    while (!done) {
        mpi_check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), what);
        if (!done && waited_too_long(start))
            wire_fail("%s: some rank has not come for %lld s", what, (long long)wire_limit);
    }
    wire_waited += os_seconds() - start;
}

int wire_progress(void *user, int64_t done, int64_t total)
{
    int flag;
    (void)user, (void)done, (void)total;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
    return 0;
}

void wire_barrier(void)
{
    MPI_Request request;
    mpi_check(MPI_Ibarrier(MPI_COMM_WORLD, &request), "barrier");
    wire_done(request, "barrier");
}

static double reduce(double x, MPI_Op op)
{
    MPI_Request request;
    double result;
    mpi_check(MPI_Iallreduce(&x, &result, 1, MPI_DOUBLE, op, MPI_COMM_WORLD, &request), "reduce");
    wire_done(request, "reduce");
    return result;
}
double wire_sum(double x) { return reduce(x, MPI_SUM); }
double wire_most(double x)
{
    const double most = reduce(isnan(x) ? 0 : x, MPI_MAX);
    return wire_sum(isnan(x)) > 0 ? NAN : most;
}

void wire_agree(const char *what, int64_t value)
{
    int64_t both[2], most[2];
    MPI_Request request;
    both[0] = value, both[1] = -value;
    mpi_check(MPI_Iallreduce(both, most, 2, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD, &request), what);
    wire_done(request, what);
    if (most[0] != -most[1])
        wire_fail("%s: ranks have from %lld to %lld", what, (long long)-most[1],
                  (long long)most[0]);
}
