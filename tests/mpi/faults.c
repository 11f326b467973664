/* faults.c - ranks pass rows round, join them and agree, but the last one does what the command
   line names: whoever runs it under mpirun sees that all end, with an error. */
#include "wire.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 64, DIM = 64 };

static const char *fault;

static const args_option options[] = {
    { "FAULT", ARGS_TEXT, &fault, 1, 0, "", "none, killed, exits, fails, stalls, short, long, "
      "rows or shape" },
    WIRE_OPTION,
    { 0 }
};

int main(int argc, char **argv)
{
    static float here[ROWS * DIM], out[(ROWS + 1) * DIM], lse[ROWS + 1];
    int64_t sent = sizeof here, rows = ROWS, shape = 7;
    wire_message m[2];
    int turn;
    wire_open(&argc, &argv);
    args_parse(argc, argv, "faults", "Fails.", options);
    for (turn = 0; turn < 3; turn++) {
        if (turn == 1 && wire_rank == wire_ranks - 1) {
            if (!strcmp(fault, "killed")) raise(SIGKILL);
            if (!strcmp(fault, "exits")) exit(0);
            if (!strcmp(fault, "fails")) wire_check(LCTX_E_MEMORY);
            if (!strcmp(fault, "stalls")) sleep(3600);
            if (!strcmp(fault, "short")) sent -= 4;
            if (!strcmp(fault, "long")) sent += 4;
            if (!strcmp(fault, "rows")) rows++;
            if (!strcmp(fault, "shape")) shape++;
        }
        m[0] = wire_take(here, sizeof here, (wire_rank + wire_ranks - 1) % wire_ranks);
        m[1] = wire_send(out, sent, (wire_rank + 1) % wire_ranks);
        wire_wait(m, 2);
        wire_join(rows, DIM, out, lse);
        wire_agree("shape", shape);
    }
    wire_close();
    return 0;
}
