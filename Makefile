# lctx: `make help` lists what can be made. Everything made goes to build/.
CFLAGS   ?= -O2
WARNINGS ?= -Wall -Wextra -pedantic -Wshadow -Wconversion
B         = build
,         = ,
C99       = $(CC) -std=c99 $(CFLAGS) $(WARNINGS) -I. -Iexamples/shared
CXX17     = $(CXX) -std=c++17 $(CFLAGS) $(WARNINGS) -I.
WASM      = clang --target=wasm32-wasi -std=c99 -O2 -msimd128 $(WARNINGS)
PTHREAD   = -pthread
PIC       = -fPIC
DEPS      = -MMD -MP
Q        ?= @

# Where threads come from: the library's own pool, openmp, or none. Without a compiler that links
# them there are none.
THREADS  ?= pool
FLAGS_pool    = -pthread -DLCTX_PTHREADS -D_GNU_SOURCE
FLAGS_openmp  = -fopenmp
HEADER_pool   = pthread.h
HEADER_openmp = omp.h
TRY_THREADS   = $(if $(FLAGS_$(THREADS)),$(shell mkdir -p $(B); \
                printf '\043include <$(HEADER_$(THREADS))>\nint main(void) { return 0; }\n' | \
                $(1) $(CFLAGS) $(FLAGS_$(THREADS)) -x c - -o $(B)/try 2>/dev/null && \
                echo '$(FLAGS_$(THREADS))'))
PARALLEL     := $(call TRY_THREADS,$(CC))
LIBS      = $(filter -pthread -fopenmp,$(PARALLEL)) -lm
HAVE_CXX := $(shell command -v $(firstword $(CXX)))
PARALLEL_CXX := $(if $(PARALLEL),$(call TRY_THREADS,$(CXX)))

# Where make install puts things, under DESTDIR. Before 1.0 each minor version has an ABI of its own.
PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
VERSION    := $(shell printf '%d.%d.%d' $$(sed -n \
              's/.*define LCTX_VERSION 0x\(..\)\(..\)\(..\)u.*/0x\1 0x\2 0x\3/p' lctx.h))
SONAME      = liblctx.so.$(basename $(VERSION))

PROGRAMS  = generate passkey perplexity stream drop_in split mixers sparse compress remember
SHARED    = args chat choose gguf hyper layer llama2c lookup memory model os plain prefix run shorten tasks \
            text token unicode vocab words
EXAMPLES  = $(PROGRAMS:%=$(B)/%) $(if $(HAVE_CXX),$(B)/drop_in_cpp) $(if $(GGML),$(B)/ggml_try)
TOY       = examples/toy

# The example in C++ has an implementation of its own, which compiles without optimisation in a third
# of the time.
CXX_O    ?= -O0

# Tests share what stands beside them under another name than test_*; ORACLE= adds flags for it: its
# plain loops are most of the tests' time.
ORACLE      ?= -O3
TEST_FILES   = $(wildcard tests/*.c)
TEST_HEADERS = $(wildcard tests/*.h)
TEST_O       = $(if $(filter -O2 -O3,$(CFLAGS)),-O1)      # the suites themselves do little
TEST_SHARED  = $(patsubst tests/%.c,$(B)/tests_%.o,$(filter-out tests/test_%,$(TEST_FILES)))
TESTS        = $(patsubst tests/%.c,$(B)/%,$(filter tests/test_%,$(TEST_FILES)))

# The fuzzers, and programs that replay their kept inputs.
FUZZERS      = $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS      = $(FUZZERS:%=$(B)/replay_%)

all: examples

# One goal is made with a job for each processor; -j says otherwise.
ifeq ($(MAKELEVEL)$(filter -j% --jobserver%,$(MAKEFLAGS))$(word 2,$(MAKECMDGOALS)),0)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
endif

help:
	@echo 'make             the examples, as make examples'
	@echo 'make run         a small model answers from 16 times its trained context'
	@echo 'make test        tests, under two minutes; test-full: the long grids as well'
	@echo 'make fuzz        fuzzers, each for SECONDS=$(SECONDS) (wants clang with libFuzzer)'
	@echo 'make test-peers  beside llama.cpp: tokens, logits (wants node, npm and python3)'
	@echo 'make mpi         examples of more than one process (wants MPI); test-mpi: their tests'
	@echo 'make hosts       attention as an operator of ggml, beside its own (wants GGML=PREFIX)'
	@echo 'make lib         $(B)/liblctx.so and $(B)/liblctx.a'
	@echo 'make install     header, libraries, pkg-config and CMake files and a manual page, to'
	@echo '                 DESTDIR=$(DESTDIR) PREFIX=$(PREFIX); uninstall'
	@echo 'make bindings    declarations for Python, JavaScript, Rust and Go, out of lctx.h (wants'
	@echo '                 clang and python3); test-bindings: all of them;'
	@echo '                 bench-bindings: what a call costs from each'
	@echo 'make wasm        $(B)/lctx.wasm (wants clang, lld, wasi-libc and the runtime'
	@echo '                 library that Debian has in libclang-rt-dev-wasm32)'
	@echo 'make web         $(B)/web, a page that shows what a long context costs (wants the same)'
	@echo 'make test-web    tests it in Chromium (wants node and chromium)'
	@echo 'make bench       measurements beside their limits; bench-quick: a few of them;'
	@echo '                 GGML=PREFIX compares with an installed ggml'
	@echo '                 bench-threads: beside those of OpenMP, quiet and beside a busy process'
	@echo '                 $(B)/models times the shapes of models that people have'
	@echo 'make plots       the curves, to bench/plots/ (wants gnuplot)'
	@echo 'make plots-mpi   time against ranks (wants gnuplot and MPI)'
	@echo 'make compare     every method on the toy models: tables and pictures (45 minutes)'
	@echo 'make clean       removes $(B)/'
	@echo 'variables: CC=$(CC) CXX=$(CXX) CFLAGS=$(CFLAGS) THREADS=$(THREADS) (openmp, none)'
	@echo '           Q= (shows commands)'

examples: $(EXAMPLES)
	$(if $(HAVE_CXX),,@echo 'SKIPPED $(B)/drop_in_cpp: no C++ compiler ($(CXX))')

run: $(B)/generate
	@echo 'The pass key stands somewhere in $(TOY)/passkey.txt; the model answers:'
	$(B)/generate $(TOY)/toy-yarn.gguf --file $(TOY)/passkey.txt -n 6 \
	    --rope yarn --factor 20 --orig-ctx 256

# The library comes first: nothing takes longer to compile, and all else waits for it. The example in
# C++, which nothing here runs, takes half as long.
test-full: examples
test test-full: $(B)/lctx.o $(filter-out %_cpp,$(EXAMPLES)) $(B)/compare lib $(TESTS) $(REPLAYS)
	$(if $(filter test,$@),@echo '  SKIPPED: compiling $(B)/drop_in_cpp (make test-full)')
	$(Q)$(if $(filter test-full,$@),TEST_FULL=1) sh tests/run.sh $(B)

bench: $(B)/bench
	$(B)/bench

bench-quick: $(B)/bench
	$(B)/bench --quick

bench-threads: $(B)/generate
	+$(Q)$(MAKE) B=$(B)/openmp THREADS=openmp $(B)/openmp/generate
	$(Q)sh bench/threads.sh $(B)/generate $(B)/openmp/generate

plots: $(B)/bench
	$(B)/bench --scaling
	sh bench/plots.sh $(B)/bench.json bench/plots

plots-mpi: mpi
	sh bench/mpi.sh $(B) bench/plots

compare: $(B)/compare $(B)/sparse
	@mkdir -p bench/plots
	$(B)/compare --json $(B)/compare.json --table bench/plots/compare.txt
	sh bench/compare.sh $(B)/compare.json bench/plots
	$(B)/compare --hybrid examples/toy/toy-hybrid.gguf --longest 64 --methods sinks,yarn,rerope \
	    --types '' --json $(B)/compare-hybrid.json --table bench/plots/compare-hybrid.txt
	sh bench/compare.sh $(B)/compare-hybrid.json bench/plots
	sh bench/choosers.sh $(B) bench/plots

lib: $(B)/liblctx.so $(B)/liblctx.a

wasm: $(B)/lctx.wasm

# Declarations for other languages, kept in the tree: after a change of the API.
bindings:
	python3 examples/bindings/generate.py

test-bindings: lib
	$(Q)sh tests/bindings/run.sh $(B)

bench-bindings: test-bindings
	$(Q)sh bench/bindings/run.sh $(B)

INSTALLED = $(INCLUDEDIR)/lctx.h $(LIBDIR)/liblctx.a $(LIBDIR)/liblctx.so.$(VERSION) \
            $(LIBDIR)/$(SONAME) $(LIBDIR)/liblctx.so $(LIBDIR)/pkgconfig/lctx.pc \
            $(LIBDIR)/cmake/lctx/lctx-config.cmake $(MANDIR)/man3/lctx.3 \
            $(LIBDIR)/cmake/lctx/lctx-config-version.cmake
FILL = sed $(foreach v,PREFIX LIBDIR INCLUDEDIR VERSION SONAME LIBS,-e 's|@$(v)@|$($(v))|g')

install: lib
	$(Q)mkdir -p $(addprefix '$(DESTDIR)',$(sort $(dir $(INSTALLED))))
	$(Q)for file in $(INSTALLED); do \
	    name=$${file##*/} to='$(DESTDIR)'$$file; \
	    rm -f "$$to"; \
	    case $$name in \
	    lctx.h) cp lctx.h "$$to" ;; \
	    liblctx.a) cp $(B)/liblctx.a "$$to" ;; \
	    liblctx.so.$(VERSION)) cp $(B)/liblctx.so "$$to" && chmod 755 "$$to" ;; \
	    liblctx.so*) ln -sf liblctx.so.$(VERSION) "$$to" ;; \
	    lctx.3) awk -v version=$(VERSION) -f examples/install/man.awk lctx.h > "$$to" ;; \
	    *) $(FILL) examples/install/$$name.in > "$$to" ;; \
	    esac || exit 1; \
	    echo "$$to"; \
	done

uninstall:
	rm -f $(addprefix '$(DESTDIR)',$(INSTALLED))
	-rmdir '$(DESTDIR)$(LIBDIR)/cmake/lctx'

clean:
	rm -rf $(B)

# A file that changes when the compiler or its flags do: what was made with others is made again.
$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo '$(C99) $(PARALLEL) $(PIC) $(ORACLE) $(CXX17) $(CXX_O) $(LIBS) $(WASM)' | cmp -s - $@ || \
	    echo '$(C99) $(PARALLEL) $(PIC) $(ORACLE) $(CXX17) $(CXX_O) $(LIBS) $(WASM)' > $@

# The implementation, compiled once for programs and libraries; lctx.h is the source file.
$(B)/lctx.o: lctx.h $(B)/flags
	@echo 'CC  $@'
	$(Q)$(C99) $(PARALLEL) $(PIC) -fvisibility=hidden -DLCTX_IMPLEMENTATION \
	    '-DLCTX_API=__attribute__((visibility("default")))' -x c -c lctx.h -o $@

# Where fields stand, for bindings.
$(B)/layout.o: examples/bindings/layout.c lctx.h $(B)/flags
	@echo 'CC  $@'
	$(Q)$(C99) $(PIC) '-DLCTX_API=__attribute__((visibility("default")))' -c $< -o $@

$(B)/liblctx.so: $(B)/lctx.o $(B)/layout.o
	@echo 'LD  $@'
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) $^ -o $@ $(LIBS)
	$(Q)ln -sf liblctx.so $(B)/$(SONAME)

$(B)/liblctx.a: $(B)/lctx.o $(B)/layout.o
	@echo 'AR  $@'
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# A library of calls, without main, with malloc and free for what is handed to them.
$(B)/lctx.wasm: examples/bindings/layout.c lctx.h $(B)/flags
	@echo 'CC  $@'
	$(Q)library=$$($(WASM) -print-libgcc-file-name) && { test -e "$$library" || { echo \
	    "missing: $$library, clang's runtime library (Debian: libclang-rt-dev-wasm32)" >&2; \
	    exit 1; }; }
	$(Q)$(WASM) -mexec-model=reactor -I. -DLCTX_IMPLEMENTATION \
	    '-DLCTX_API=__attribute__((visibility("default")))' $< -o $@ \
	    -Wl,--export-dynamic,--export=malloc,--export=free

# A page, as a folder that can be served or opened as it is: what it loads comes as scripts, which a
# page from a disk may read. The implementation alone wants atomics; one linking shares its memory.
WEB        = $(B)/web
WEB_O      = $(B)/web.o
WEB_CC     = $(WASM) -D_WASI_EMULATED_PROCESS_CLOCKS -I. -Iexamples/shared
WEB_LD     = $(WASM) -mexec-model=reactor -Wl,--export=malloc,--export=free,--no-check-features,-s
WEB_SHARE  = -Wl,--shared-memory,--import-memory,--max-memory=4294967296,--export=__stack_pointer
WEB_ASSETS = $(WEB_O)/lctx.wasm $(WEB_O)/lctx-threads.wasm examples/web/worker.js $(TOY)/toy.gguf \
             $(TOY)/toy-yarn.gguf $(TOY)/passkey.txt $(TOY)/held-out.txt
WEB_PAGE   = $(patsubst examples/web/%,$(WEB)/%,$(filter-out %/worker.js,\
             $(wildcard examples/web/*.html examples/web/*.css examples/web/*.js)))

web:
	@if echo 'int main(void) { return 0; }' | $(WASM) -x c - -o $(B)/try.wasm 2>/dev/null; then \
	    $(MAKE) $(WEB_PAGE) $(patsubst %,$(WEB)/%.js,$(notdir $(WEB_ASSETS))) && \
	    echo 'open $(WEB)/index.html'; \
	else echo 'SKIPPED web: no clang with lld, wasi-libc and its runtime library'; fi

$(WEB_O)/%.o: examples/shared/%.c $(wildcard examples/shared/*.h) lctx.h $(B)/flags
	@echo 'CC  $@'
	@mkdir -p $(WEB_O)
	$(Q)$(WEB_CC) -c $< -o $@

$(WEB_O)/web.o: examples/web/web.c examples/web/crew.h $(wildcard examples/shared/*.h) lctx.h \
    $(B)/flags
	@echo 'CC  $@'
	@mkdir -p $(WEB_O)
	$(Q)$(WEB_CC) -matomics -mbulk-memory -c $< -o $@

$(WEB_O)/lctx.wasm $(WEB_O)/lctx-threads.wasm: $(WEB_O)/web.o $(SHARED:%=$(WEB_O)/%.o)
	@echo 'LD  $@'
	$(Q)$(WEB_LD) $(if $(findstring threads,$@),$(WEB_SHARE)) $^ -o $@ -lwasi-emulated-process-clocks

$(WEB_PAGE): $(WEB)/%: examples/web/%
	@mkdir -p $(WEB)
	$(Q)cp $< $@

# asset NAME is a rule for a script that brings a file along.
define WEB_ASSET
$(WEB)/$(notdir $(1)).js: $(1)
	@mkdir -p $(WEB)
	$(Q){ printf "assets['$(notdir $(1))'] = '"; base64 < $$< | tr -d '\n'; echo "';"; } > $$@
endef
$(foreach asset,$(WEB_ASSETS),$(eval $(call WEB_ASSET,$(asset))))

test-web: web
	$(Q)sh tests/web/run.sh $(B)

vpath %.c examples examples/shared

$(B)/%.o: %.c $(B)/flags
	@echo 'CC  $@'
	$(Q)$(C99) $(DEPS) -c $< -o $@

$(B)/shared.a: $(SHARED:%=$(B)/%.o)
	@echo 'AR  $@'
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(PROGRAMS:%=$(B)/%): $(B)/%: $(B)/%.o $(B)/shared.a $(B)/lctx.o
	@echo 'LD  $@'
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LIBS)

$(B)/drop_in_cpp: examples/drop_in.cpp lctx.h $(B)/flags
	@echo 'CXX $@'
	$(Q)$(CXX17) $(CXX_O) $(LDFLAGS) $< -o $@ $(PARALLEL_CXX) -lm

$(TEST_SHARED): $(B)/tests_%.o: tests/%.c $(TEST_HEADERS) $(B)/flags
	@echo 'CC  $@'
	$(Q)$(C99) $(ORACLE) -c $< -o $@

$(TESTS): $(B)/%: tests/%.c $(TEST_SHARED) $(TEST_HEADERS) $(B)/shared.a $(B)/lctx.o
	@echo 'CC  $@'
	$(Q)$(C99) $(TEST_O) $(PTHREAD) $(PARALLEL) $(LDFLAGS) $< $(TEST_SHARED) $(B)/shared.a \
	    $(B)/lctx.o -o $@ $(LIBS)

# Fuzzers, with libFuzzer and sanitizers; any compiler replays what is kept of their inputs. Vectors
# stay out, unless FUZZ_SIMD=1, and loops as they are: that compiles in a tenth of the time.
F          = $(B)/fuzz
FUZZ_CC   ?= clang
FUZZ_C99   = $(FUZZ_CC) -std=c99 -O1 -g -I. -Itests -Iexamples/shared
FUZZ_LCTX  = $(if $(FUZZ_SIMD),,-DLCTX_NO_SIMD) -w '-D_Pragma(x)=' -DLCTX_IMPLEMENTATION \
             '-DLCTX_ASSERT(x)=((x) ? (void)0 : __builtin_trap())'
FUZZ_H     = $(wildcard tests/fuzz/*.h tests/*.h)
FUZZ_PARTS = fuzz tiny chat gguf llama2c memory model prefix text token unicode vocab words os
SECONDS   ?= 10
vpath %.c tests/fuzz

fuzz: $(B)/flags
	@if echo 'int LLVMFuzzerTestOneInput(void *d, unsigned long n) { return !d && n; }' | \
	    $(FUZZ_CC) -fsanitize=fuzzer,address -x c - -o $(B)/flags.fuzz 2>/dev/null; then \
	    $(MAKE) $(FUZZERS:%=$(F)/%) && sh tests/fuzz/run.sh $(F) $(SECONDS) $(FUZZERS); \
	else echo 'SKIPPED fuzz: no clang with libFuzzer ($(FUZZ_CC))'; fi

# Rules for one set of sanitizers: its folder, flags to compile and to link, parts, fuzzers. What
# libFuzzer counts by would be races, so that threads are driven by random bytes alone.
define FUZZ_RULES
$(F)/$(1)/lctx.o: lctx.h $(B)/flags
	@echo 'CC  $$@'
	@mkdir -p $$(@D)
	$(Q)$(FUZZ_C99) -fsanitize=$(2) -fno-sanitize-recover=all $(FUZZ_LCTX) \
	    -x c -c lctx.h -o $$@

$(F)/$(1)/%.o: %.c $(FUZZ_H) lctx.h $(B)/flags
	@mkdir -p $$(@D)
	$(Q)$(FUZZ_C99) -fsanitize=$(2) -fno-sanitize-recover=all -c $$< -o $$@

$(5:%=$(F)/%): $(F)/%: $(F)/$(1)/fuzz_%.o $(4:%=$(F)/$(1)/%.o) $(F)/$(1)/lctx.o \
    $(B)/tests_oracle.o
	@echo 'LD  $$@'
	$(Q)$(FUZZ_CC) -fsanitize=$(strip $(3)) $$^ -o $$@ -lm
endef
$(eval $(call FUZZ_RULES,address,fuzzer-no-link$(,)address$(,)undefined,\
    fuzzer$(,)address$(,)undefined,$(FUZZ_PARTS),$(filter-out threads,$(FUZZERS))))
$(eval $(call FUZZ_RULES,thread,thread,thread,$(FUZZ_PARTS) driver,threads))

# Programs that answer beside other implementations.
PEERS = $(patsubst tests/peers/%.c,$(B)/peer_%,$(wildcard tests/peers/*.c))

$(PEERS): $(B)/peer_%: tests/peers/%.c $(B)/shared.a $(B)/lctx.o
	@echo 'CC  $@'
	$(Q)$(C99) $(LDFLAGS) $< $(B)/shared.a $(B)/lctx.o -o $@ $(LIBS)

test-peers: $(PEERS) $(B)/test_families
	$(Q)sh tests/peers/run.sh $(B)

REPLAY_SHARED = $(patsubst %,$(B)/fuzz_%.o,driver fuzz tiny)

$(REPLAY_SHARED): $(B)/fuzz_%.o: tests/fuzz/%.c $(FUZZ_H) lctx.h $(B)/flags
	@echo 'CC  $@'
	$(Q)$(C99) -Itests -c $< -o $@

$(REPLAYS): $(B)/replay_%: tests/fuzz/fuzz_%.c $(FUZZ_H) $(REPLAY_SHARED) $(B)/tests_oracle.o \
    $(B)/shared.a $(B)/lctx.o
	@echo 'CC  $@'
	$(Q)$(C99) -Itests $(PTHREAD) $(LDFLAGS) $(filter %.c %.o %.a,$^) -o $@ $(LIBS)

# Examples over MPI, where there is its compiler.
MPICC       ?= mpicc
MPI_decode   = wire rows
MPI_prompt   = wire rows ring ulysses longnet
MPI_generate = wire
MPI_network  = wire rows
MPI_faults   = wire
MPI_PROGRAMS = decode prompt generate network faults
MPI_C99      = $(MPICC) -std=c99 $(CFLAGS) $(WARNINGS) -I. -Iexamples/shared -Iexamples/mpi

$(B)/mpi/%.o: examples/mpi/%.c $(B)/flags
	@mkdir -p $(@D)
	@echo 'CC  $@'
	$(Q)$(MPI_C99) $(DEPS) -c $< -o $@
$(B)/mpi/faults.o: tests/mpi/faults.c $(B)/flags
	@mkdir -p $(@D)
	@echo 'CC  $@'
	$(Q)$(MPI_C99) $(DEPS) -c $< -o $@

define MPI_RULE
$(B)/mpi_$(1): $(MPI_$(1):%=$(B)/mpi/%.o) $(B)/mpi/$(1).o $(B)/shared.a $(B)/lctx.o
	@echo 'LD  $$@'
	$(Q)$(MPICC) $(CFLAGS) $(LDFLAGS) $$^ -o $$@ $(LIBS)
endef
$(foreach p,$(MPI_PROGRAMS),$(eval $(call MPI_RULE,$(p))))

mpi: $(if $(shell command -v $(MPICC)),$(MPI_PROGRAMS:%=$(B)/mpi_%))
	$(if $(shell command -v $(MPICC)),,@echo 'SKIPPED mpi: no MPI compiler ($(MPICC))')

test-mpi: mpi $(B)/generate
	$(Q)sh tests/mpi/run.sh $(B)

# The bench. GGML=PREFIX compares with an installed ggml; the plain baseline gets all that a compiler
# can do for it.
BENCH_C   = $(filter-out bench/baseline.c bench/compare% bench/models%,$(wildcard bench/*.c))
ifdef GGML
BENCH_GGML = -DBENCH_GGML -isystem $(GGML)/include
BENCH_LIBS = -L$(GGML)/lib -lggml -lggml-cpu -lggml-base -lstdc++ -fopenmp -Wl,-rpath,$(GGML)/lib
endif

# An operator of an installed ggml, beside ggml's own.
GGML_OP   = examples/hosts/ggml_op.c examples/hosts/ggml_try.c

$(B)/ggml_try: $(GGML_OP) examples/hosts/ggml_op.h $(B)/shared.a $(B)/lctx.o
	@echo 'CC  $@'
	$(Q)$(C99) -isystem $(GGML)/include $(LDFLAGS) $(GGML_OP) $(B)/shared.a $(B)/lctx.o -o $@ \
	    $(LIBS) -ldl $(BENCH_LIBS)

hosts: $(if $(GGML),$(B)/ggml_try)
	$(if $(GGML),$(B)/ggml_try,@echo 'SKIPPED hosts: no ggml is named, by GGML=PREFIX')

$(B)/baseline.o: bench/baseline.c bench/baseline.h $(B)/flags
	@echo 'CC  $@'
	$(Q)$(C99) -O3 -march=native -ffast-math -c $< -o $@

$(B)/bench: $(BENCH_C) $(wildcard bench/*.h) $(B)/baseline.o $(B)/lctx.o
	@echo 'CC  $@'
	$(Q)$(C99) $(BENCH_GGML) -pthread $(LDFLAGS) $(filter %.c %.o,$^) -o $@ $(LIBS) -ldl \
	    $(BENCH_LIBS)

COMPARE   = bench/compare.c bench/compare_table.c

$(B)/compare: $(COMPARE) bench/compare.h $(SHARED:%=examples/shared/%.h) $(B)/shared.a $(B)/lctx.o
	@echo 'CC  $@'
	$(Q)$(C99) $(LDFLAGS) $(COMPARE) $(B)/shared.a $(B)/lctx.o -o $@ $(LIBS)

MODELS    = bench/models.c bench/models_file.c bench/peaks.c bench/machine.c

$(B)/models: $(MODELS) $(wildcard bench/*.h) $(B)/shared.a $(B)/lctx.o
	@echo 'CC  $@'
	$(Q)$(C99) -pthread $(LDFLAGS) $(MODELS) $(B)/shared.a $(B)/lctx.o -o $@ $(LIBS)

-include $(wildcard $(B)/*.d $(B)/mpi/*.d)

.PHONY: all help examples run test test-full test-peers mpi test-mpi plots-mpi hosts fuzz bench bench-quick \
        bench-threads plots compare lib wasm web test-web bindings test-bindings bench-bindings install \
        uninstall clean FORCE
