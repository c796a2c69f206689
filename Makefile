# Hopscope. `make` builds, `make run` shows it at work, `make check` runs all tests.
# `make help` lists the rest. O=DIR builds elsewhere, V=1 shows the commands.

O ?= build
V ?= 0
Q = $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n')

VERSION := 0.1.0
REVISION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Iuser -I$(O) -DHS_VERSION='"$(VERSION)"'
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 $(WARNINGS)
LDFLAGS += -Wl,--as-needed -Wl,-z,now
LIBS := -lbpf -lelf -lz -lnghttp2 -lmicrohttpd -ljansson -lev -lconfuse -lcap-ng -lncursesw -ltinfo -lm -lpthread -ldl

# Packages of Debian 12 (bookworm), by what needs them.
DEB_BUILD := gcc make git libc6-dev clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev libmicrohttpd-dev \
	libjansson-dev uthash-dev libev-dev libconfuse-dev libcap-ng-dev libncurses-dev libcurl4-gnutls-dev \
	libnghttp2-dev pkg-config
DEB_RUN := libcurl3-gnutls python3-minimal python3 nginx-light redis-server postgresql curl iproute2 procps
DEB_CHECK := libcmocka-dev nginx-light redis-server redis-tools postgresql postgresql-client wrk nftables \
	prometheus qemu-system-x86 busybox-static xz-utils python3-pytest nodejs jq tmux apache2-utils python3-yaml man-db mandoc \
	libcap2-bin graphviz iperf3 zsh fish python3-prometheus-client nghttp2-server nghttp2-client apache2-bin python3-grpcio \
	mariadb-server mariadb-client python3-psycopg2 python3-pymysql python3-mysqldb libdbd-mysql-perl \
	python3-redis openssl liburing-dev dnsmasq-base bind9-dnsutils

SRC := $(sort $(wildcard user/*.c user/*/*.c))
OBJ := $(SRC:%.c=$(O)/%.o)

.PHONY: all deps deps-run deps-check run check unit unit-build bpf-check bpf-build fuzz fuzz-build e2e vm-check bench install uninstall clean help
.DELETE_ON_ERROR:

all: $(O)/hopscope

deps:
	$(Q)tests/harness/deps $(DEB_BUILD)

deps-run: deps
	$(Q)tests/harness/deps $(DEB_RUN)

deps-check: deps
	$(Q)tests/harness/deps $(DEB_RUN) $(DEB_CHECK)

# Dependencies first, then everything else in a make that sees them.
run: deps-run
	$(Q)$(MAKE) --no-print-directory all
	$(Q)HOPSCOPE=$(O)/hopscope tests/demo/run

check: deps-check
	$(Q)$(MAKE) --no-print-directory -j2 all unit-build bpf-build fuzz-build
	$(Q)O=$(O) tests/harness/check

help:
	@echo 'make            build $(O)/hopscope'
	@echo 'make deps       install what building needs, from Debian (root)'
	@echo 'make run        build, start a demo and the agent, show the live graph'
	@echo 'make check      all tests: unit, BPF, end to end, other kernels'
	@echo 'make unit e2e vm-check    some of them'
	@echo 'make bench      what it costs (tests/bench)'
	@echo 'make install DESTDIR=…'
	@echo 'make clean'

$(O)/hopscope.bpf.o: bpf/hopscope.bpf.c
	$(say) BPF $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wextra \
		-Wno-unused-parameter -Wno-address-of-packed-member -Ibpf -Iinclude \
		-idirafter /usr/include/$(MULTIARCH) -MMD -MP -c $< -o $@

$(O)/hopscope.skel.h: $(O)/hopscope.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name hs_bpf > $@

$(O)/user/probe/probe.o $(O)/user/probe/reading.o: $(O)/hopscope.skel.h
# What the binary was built from: only the file that says so is built again for each revision.
$(O)/user/export/prometheus_self.o: CPPFLAGS += -DHS_REVISION='"$(REVISION)"'

$(O)/%.o: %.c
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(O)/hopscope: $(OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@

-include $(OBJ:.o=.d) $(O)/hopscope.bpf.d

# ---- unit tests: everything but main.c again, under the sanitizers; each test has its own main() ----
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1 -g
UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT := $(UNIT_SRC:tests/unit/%.c=$(O)/unit/%)
UNIT_LIB_OBJ := $(patsubst %.c,$(O)/san/%.o,$(filter-out user/main.c,$(SRC)))

# What a test includes is known only after its first build: the generated header comes before all.
$(UNIT_SRC:%.c=$(O)/san/%.o): | $(O)/hopscope.skel.h
$(O)/san/user/probe/probe.o $(O)/san/user/probe/reading.o: $(O)/hopscope.skel.h
$(O)/san/%.o: %.c
	$(say) CC+SAN $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(SANITIZE) -MMD -MP -c $< -o $@

$(O)/san/libhopscope.a: $(UNIT_LIB_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

# A room's fakes and helpers (anything in its folder that is no test) come before the archive.
.SECONDEXPANSION:
room = $(patsubst %.c,$(O)/san/%.o,$(filter-out $(dir $(1))test_%.c,$(wildcard $(dir $(1))*.c)))
$(UNIT): $(O)/unit/%: $(O)/san/tests/unit/%.o $$(call room,tests/unit/%.c) $(O)/san/libhopscope.a
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(filter %.o,$^) $(O)/san/libhopscope.a $(LIBS) -lcmocka -o $@

unit-build: $(UNIT)

unit: $(UNIT)
	$(Q)tests/harness/unit $(UNIT)

# ---- one test per BPF program, as root on this kernel; what runs is what ships, so no sanitizers ----
BPF_TEST_SRC := $(sort $(wildcard tests/bpf/test_*.c))
BPF_TEST := $(BPF_TEST_SRC:tests/bpf/%.c=$(O)/bpf-tests/%)
BPF_TEST_COMMON := $(patsubst %.c,$(O)/%.o,$(filter-out tests/bpf/test_%.c,$(wildcard tests/bpf/*.c)))

$(O)/libhopscope.a: $(filter-out $(O)/user/main.o,$(OBJ))
	$(Q)rm -f $@ && ar rcs $@ $^

$(BPF_TEST): $(O)/bpf-tests/%: $(O)/tests/bpf/%.o $(BPF_TEST_COMMON) $(O)/libhopscope.a
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LIBS) -lcmocka -o $@

$(BPF_TEST_SRC:%.c=$(O)/%.o) $(BPF_TEST_COMMON): | $(O)/hopscope.skel.h

bpf-build: $(BPF_TEST)

bpf-check: bpf-build
	$(Q)O=$(O) tests/harness/bpf

e2e: all
	$(Q)HOPSCOPE=$(O)/hopscope tests/harness/e2e

vm-check: all bpf-build
	$(Q)mkdir -p $(O)/results; export O=$(O) RESULTS_DIR=$(CURDIR)/$(O)/results; \
		for kernel in 6.1 6.12; do tests/harness/vm $$kernel & pids="$$pids $$!"; done; \
		for pid in $$pids; do wait $$pid || failed=1; done; [ -z "$$failed" ]

bench: all
	$(Q)HOPSCOPE=$(O)/hopscope tests/bench/run

-include $(patsubst %.c,$(O)/%.d,$(wildcard tests/bpf/*.c))

# ---- fuzz targets over their corpora, with the same archive ----
FUZZ := $(patsubst tests/fuzz/corpus/%,$(O)/fuzz/%,$(sort $(wildcard tests/fuzz/corpus/*)))
FUZZ_COMMON := $(O)/san/tests/fuzz/replay.o $(O)/san/tests/fuzz/file.o

$(FUZZ): $(O)/fuzz/%: $(O)/san/tests/fuzz/%.o $(FUZZ_COMMON) $(O)/san/libhopscope.a
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $^ $(LIBS) -o $@

fuzz-build: $(FUZZ)

fuzz: fuzz-build
	$(Q)O=$(O) tests/harness/fuzz

-include $(UNIT_LIB_OBJ:.o=.d) $(patsubst %.c,$(O)/san/%.d,$(wildcard tests/unit/*/*.c tests/fuzz/*.c))

# ---- the alerting rules again, as the Prometheus operator wants them; tests/harness/alerts compares ----
k8s/alerts/prometheusrule.yaml: k8s/alerts/hopscope.rules.yaml FORCE
	$(say) GEN $@
	$(Q){ sed '/^spec:/q' $@ && sed -n '/^groups:/,$$p' $< | sed 's/^./  &/'; } > $@.tmp
	$(Q)mv $@.tmp $@

FORCE:

# ---- installing ----
PREFIX ?= /usr
BIN := $(PREFIX)/bin/hopscope
UNIT_FILE := $(PREFIX)/lib/systemd/system/hopscope.service
MAN := $(foreach page,1/hopscope.1 5/hopscope.conf.5 8/hopscope-agent.8,$(PREFIX)/share/man/man$(page))
BASH_COMPLETION := $(PREFIX)/share/bash-completion/completions/hopscope
# Debian's zsh looks elsewhere for what packages bring.
ZSH_COMPLETION := $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)/_hopscope
FISH_COMPLETION := $(PREFIX)/share/fish/vendor_completions.d/hopscope.fish
RULES := $(PREFIX)/share/hopscope/hopscope.rules.yaml
DOC := $(PREFIX)/share/doc/hopscope
DOC_FILES := README.md LICENSE $(sort $(wildcard docs/*.md k8s/*.yaml k8s/*/*.yaml)) k8s/Containerfile

install: all
	$(Q)install -D -m 755 $(O)/hopscope $(DESTDIR)$(BIN)
	$(Q)umask 022; install -d $(sort $(dir $(addprefix $(DESTDIR),$(UNIT_FILE) $(MAN) $(BASH_COMPLETION) $(ZSH_COMPLETION) \
		$(FISH_COMPLETION) $(RULES) $(addprefix $(DOC)/,$(DOC_FILES)))))
	$(Q)umask 022; sed 's|/usr/bin/hopscope|$(BIN)|' k8s/hopscope.service > $(DESTDIR)$(UNIT_FILE)
	$(Q)$(foreach page,$(MAN),install -m 644 docs/$(notdir $(page)) $(DESTDIR)$(page) && ) true
	$(Q)umask 022; $(O)/hopscope completion bash > $(DESTDIR)$(BASH_COMPLETION)
	$(Q)umask 022; $(O)/hopscope completion zsh > $(DESTDIR)$(ZSH_COMPLETION)
	$(Q)umask 022; $(O)/hopscope completion fish > $(DESTDIR)$(FISH_COMPLETION)
	$(Q)install -m 644 k8s/alerts/hopscope.rules.yaml $(DESTDIR)$(RULES)
	$(Q)$(foreach file,$(DOC_FILES),install -m 644 $(file) $(DESTDIR)$(DOC)/$(file) && ) true

uninstall:
	$(Q)rm -f $(addprefix $(DESTDIR),$(BIN) $(UNIT_FILE) $(MAN) $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION) $(RULES))
	$(Q)rm -rf $(DESTDIR)$(DOC)

clean:
	rm -rf $(O)
