/* wire.h - what the examples over MPI share: messages of bytes, waits that end, one end for all.

   No rank waits for ever. A wait that has no end within wire_limit seconds, a message of another
   size than was agreed, an error of MPI and a rank that fails take all ranks down, and say why; a
   rank that dies takes down mpirun, which ends the others. */
#ifndef WIRE_H
#define WIRE_H
#include "args.h"
#include "lctx.h"
#include <mpi.h>

extern int     wire_rank, wire_ranks;
extern int64_t wire_limit;            /* seconds; see WIRE_OPTION */
extern int64_t wire_sent;             /* bytes of messages that this rank sent */
extern double  wire_waited;           /* seconds in waits */

#define WIRE_OPTION \
    { "--limit", ARGS_INT, &wire_limit, 1, 86400, "S", "seconds to wait for another rank; 60" }

void wire_open(int *argc, char ***argv);
void wire_close(void);

/* Prints "rank R: message" on stderr, and ends all ranks with exit code 3. */
#ifdef __GNUC__
__attribute__((noreturn))
#endif
OS_PRINTF(1, 2) void wire_fail(const char *message, ...);
void wire_check(lctx_status status);

/* Messages on their way. */
typedef struct wire_message {
    MPI_Request request;
    int64_t     bytes;                /* that are to come; -1: this one is sent */
    int         peer;
} wire_message;
wire_message wire_send(const void *data, int64_t bytes, int to);
wire_message wire_take(void *data, int64_t bytes, int from);
void wire_wait(wire_message *messages, int n);

/* An lctx_progress: lets MPI move messages along while attention computes, as it does on many
   transports only inside its own calls. */
int  wire_progress(void *user, int64_t done, int64_t total);

/* Waits for a call of all ranks, of which `what` tells. */
void wire_done(MPI_Request request, const char *what);
void wire_barrier(void);
double wire_most(double x);           /* the greatest of all ranks, in all; a NaN is */
double wire_sum(double x);

/* Fails if not all ranks say the same. */
void wire_agree(const char *what, int64_t value);

/* Joins what all ranks' keys gave: rows of d values and their lse, in place, the same bits on all
   ranks. One all-reduce, whose operator is lctx_merge. */
void wire_join(int64_t n_rows, int32_t d, float *out, float *lse);
#endif
