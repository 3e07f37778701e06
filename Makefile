# Run "make quick" while you work, and "make test" after it. Before merging, run .ci/run, which has all tests, and also
# vets, lints and builds.

GO       ?= go
CC       ?= cc
FUZZTIME ?= 10s
ROUNDS   ?= 5
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
MISSPELL := github.com/golangci/misspell/cmd/misspell@v0.8.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
# Packages to test at the same time, in each of the two groups of tools/scripts/tests: some wait for
# timers and disks more than they compute.
TOGETHER ?= $(shell getconf _NPROCESSORS_ONLN)
# Cases of one package to run at the same time: many wait for a server or a timer.
PARALLEL ?= $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN))
# These take longest, and begin first.
LONGEST := ./providers/azure ./providers/s3 ./layers ./transfer ./providers/local ./examples/browserupload ./uploads ./providers/gcs ./s3server ./uploads/filesapi ./providers/s3/s3probe
# "make test-all" tests these packages with the race detector: the engine with its layers, and the driver and the jobs
# that run most of its goroutines. There the tests named TestFurther run without it, and so do those that need all SDKs.
# "make race" tests all.
RACED := ./providers/local ./transfer . ./engine/... ./storagetest/... ./layers/... ./serve ./memstore ./driver ./lease ./commit ./internal/... ./providers/internal/...
# The race detector leaves these out: one imports SDKs that no other package of RACED needs, and the others
# are tools that start no goroutines.
UNRACED := ./providers/internal/testing/permissions ./internal/testing/powercut ./internal/testing/corefiles ./internal/testing/driverfiles ./internal/testing/suiteresults ./internal/testing/supporttable
# make quick compares with this commit.
SINCE ?= HEAD
# Flags for "go test". .ci/run turns off its vet, after "make vet".
TESTFLAGS ?=
# Modules beside the root's whose tests need servers.
SERVED  := cmd/omnibucket tools adapters/gocloud adapters/objstore adapters/afero adapters/tus adapters/iceberg adapters/sqlite adapters/certmagic adapters/caddy adapters/distribution adapters/rclone adapters/temporal layers/encrypt plugins/velero
MODULES := $(SERVED) analyzers
# Modules in which "go vet" with our analyzers fails, because it cannot type-check a dependency. There "go vet" and our
# analyzers run one after the other.
VETTED_TWICE := adapters/iceberg
# Runs a command here with real servers: docs/maintainers/testing.md.
WITH_SERVERS := $(GO) run -C tools/testservers . --

FULL ?= false

# The objects of make move-million, and the directory for its stores; without one they are in memory.
OBJECTS ?= 1000000
DIR ?=

# The cases of make plots.
PLOTS := ^(s3-(upload-stream|download-in-order)|growth-list-memory-.*|s3-growth-.*)$$

# Orders of the answers that make accounts gives, and its tests. "make test-all" has the first order.
SEEDS ?= 1 2 3
STANDINS := TestFurtherConformance(With.*TransientAnswers|OfAzuresAccounts|ToARetentionPolicy)

# Suites of make gateways: docs/maintainers/s3api.md.
GATEWAY_SUITES ?= boto3,javascript,restic,kopia
GATEWAY_ONE_BUCKET ?= restic
# Suites of make s3api: docs/maintainers/s3api.md.
SUITES ?= s3-tests,minio-go,s5cmd,rclone,restic,kopia,kopia-locks,boto3,aws,javascript
# Suites and servers of make clients, and the directory of its results: docs/maintainers/s3api.md.
CLIENTS ?= aws,aws-debian,s3cmd,s3fs,restic-debian,rclone-debian,duplicity,boto3,javascript,restic,kopia,kopia-locks,distribution,litestream,objstore,opentofu,minio-go,rclone,s5cmd
CLIENT_SERVERS ?= ours,directory,gateway-minio,minio,versitygw
CLIENT_RESULTS ?= dist-clients

# How many seeds make random plays.
RANDOM_SEEDS ?= 100

.PHONY: bench-quick random interleavings move-million test quick test-all race site run vet lint fmt large imports prose bench plots fuzz support permissions powercut slurm wine s3api clients durability gateways statuses browsers man install-check api workflows release-check release-tags snapshot image tusd objstore adapters pictures spelling accounts layers vulnerabilities

test: export OMNIBUCKET_SUPPORT := log
test quick: export CGO_ENABLED := 0
test-all race: export GO := $(GO)
test-all race: export TOGETHER := $(TOGETHER)
test-all race: export PARALLEL := $(PARALLEL)
test-all race: export LONGEST := $(LONGEST)
test-all race: export RACED := $(RACED)
test-all race: export UNRACED := $(UNRACED)
test-all race: export MODULES := $(SERVED)
race: export RACE := all

test: ## every test of the library that needs nothing but Go, and a table of what ran and what test-all runs
	@command -v $(GO) >/dev/null || { echo "make test: Go is missing" >&2; exit 1; }
	@printer=$$(mktemp) && $(GO) build -o "$$printer" ./internal/testing/suiteresults && { \
		$(GO) test -json -vet=off -p $(TOGETHER) -parallel $(PARALLEL) -timeout 40m $(TESTFLAGS) $(LONGEST) ./... | "$$printer" -table; \
		code=$$?; rm -f "$$printer"; exit $$code; }

# More packages at once than processors get a larger share of a busy machine.
quick: TOGETHER = $(shell expr 3 \* $$(getconf _NPROCESSORS_ONLN))
quick: ## the tests that a change reaches, without those that need an SDK or take long: SINCE=HEAD
	@packages=$$($(GO) run -C tools ./checks/reached -since '$(SINCE)') && \
		if [ -z "$$packages" ]; then exit; fi && \
		printer=$$(mktemp) && $(GO) build -o "$$printer" ./internal/testing/suiteresults && { \
		$(GO) test -json -vet=off -short -p $(TOGETHER) -parallel $(PARALLEL) -timeout 40m $(TESTFLAGS) $$packages | "$$printer"; \
		code=$$?; rm -f "$$printer"; exit $$code; }

test-all: ## every test, with real servers, browser and databases; the engine with the race detector
race: ## every test with the race detector and real servers; each night, and before a release
test-all race:
	@command -v $(GO) >/dev/null || { echo "make $@: Go is missing" >&2; exit 1; }
	@command -v $(CC) >/dev/null || { echo "make $@: a C compiler is missing; the race detector needs one" >&2; exit 1; }
	@tools/scripts/programs
	$(WITH_SERVERS) tools/scripts/tests $(TESTFLAGS)

run: ## the quickstart: uploads an object, lists it, reads it, removes it
	$(GO) run ./examples/quickstart

vet: ## go vet, also of the local driver on other systems, and our analyzers
	@for os in darwin windows; do \
		echo "go vet ($$os)"; \
		GOOS=$$os CGO_ENABLED=0 $(GO) vet ./providers/local/... || exit 1; \
	done
	cd analyzers && $(GO) test ./...
	@dir=$$(mktemp -d) && trap "rm -r $$dir" EXIT && $(GO) build -C analyzers -o $$dir/vetmodule ./vetmodule || exit 1; \
	echo "go vet and our analyzers"; \
	$(GO) vet -tags omnibucket_sdks -vettool=$$dir/vetmodule ./... || exit 1; \
	for module in $(MODULES); do \
		echo "go vet and our analyzers ($$module)"; \
		case " $(VETTED_TWICE) " in \
			*" $$module "*) (cd $$module && $(GO) vet ./... && $$dir/vetmodule -idioms -listerror -lockheld -structure ./...);; \
			*) (cd $$module && $(GO) vet -vettool=$$dir/vetmodule ./...);; \
		esac || exit 1; \
	done

fmt: ## fails if gofmt would change a file
	@files=$$(find . -name node_modules -prune -o -name '*.go' -print0 | xargs -0 gofmt -l); [ -z "$$files" ] || { echo "gofmt would change:"; echo "$$files"; exit 1; } >&2

large: ## fails if the repository has a file of more than 512 KiB, such as a program that go build has left
	@files=$$(git ls-files -z | xargs -0 sh -c 'find "$$@" -maxdepth 0 -size +512k' sh); [ -z "$$files" ] || { echo "larger than 512 KiB:"; echo "$$files"; exit 1; } >&2

imports: ## fails if a package imports one that it may not
	$(GO) run -C tools ./checks/importrules

prose: ## fails if a comment, a document or a text breaks docs/maintainers/writing.md
	$(GO) run -C tools ./checks/proselint

api: ## writes the listings of the exported API and the links to them, which make lint compares
	$(GO) run -C tools ./checks/apilist -w

workflows: ## checks the workflows of GitHub
	$(GO) run $(ACTIONLINT) -shellcheck= -pyflakes=

spelling: ## fails if a comment in Go has a common mistake; "make site" checks the pages by a dictionary
	@find . -name node_modules -prune -o -name '*.go' -print0 | xargs -0 $(GO) run $(MISSPELL) -error -locale US -source go

lint: fmt large imports prose spelling workflows
	$(GO) run -C tools ./checks/apilist
	$(GO) run $(STATICCHECK) -tags omnibucket_sdks ./...
	@for module in $(MODULES); do \
		echo "staticcheck ($$module)"; \
		(cd $$module && $(GO) run $(STATICCHECK) ./...) || exit 1; \
	done

random: ## random calls on each store and on memory, whose results must be equal: RANDOM_SEEDS=100
	OMNIBUCKET_TEST_REQUIRED=1 OMNIBUCKET_RANDOM_SEEDS=$(RANDOM_SEEDS) $(WITH_SERVERS) go test -vet=off -count 1 -timeout 1h -run RandomCalls ./layers ./providers/local ./providers/s3 ./providers/gcs ./providers/azure

vulnerabilities: ## fails if a published module calls code with a known vulnerability; needs vuln.go.dev
	@for module in . $(filter-out tools,$(MODULES)); do \
		echo "govulncheck ($$module)"; \
		(cd $$module && $(GO) run $(GOVULNCHECK) ./...) || exit 1; \
	done

site: ## checks the spelling of the documentation, and builds its site into tools/site/.vitepress/dist
	@command -v npm >/dev/null || { echo "make site: npm, which comes with Node.js, is missing" >&2; exit 1; }
	@cd tools/site && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error; } || { echo "make site: npm cannot install the packages of tools/site/package-lock.json: it needs npm's registry, or a cache that has them" >&2; exit 1; }
	cd tools/site && npm run --silent spelling && npm run --silent build

pictures: ## draws the pictures of the documentation again, in Chromium
	@tools/scripts/programs nodejs npm chromium
	OMNIBUCKET_DRAW=1 $(GO) run -C tools/testservers . -only chromium -- \
		$(GO) test -tags omnibucket_sdks -count 1 -run '^TestPictures?$$' ./examples/quickstart ./examples/browserupload ./examples/uploadservice ./examples/fileserver ./serve/console

bench-quick: ## ten cases in a minute, beside an earlier commit: BASE=main
	cd tools/benchmarks && $(GO) run ./quick $(if $(BASE),-base $(BASE))

bench: ## compares us with others and checks our goals; ROUNDS=9 for steadier figures
	cd tools/benchmarks && $(GO) run . -rounds $(ROUNDS)

plots: ## measures again what docs/performance.md shows, and draws its plots; on a quiet machine
	cd tools/benchmarks && $(GO) run . -run '$(PLOTS)' -rounds $(ROUNDS) -record ../docs/pictures/benchmarks

fuzz: ## every fuzz target for FUZZTIME
	GO="$(GO)" tools/scripts/fuzz $(FUZZTIME)

permissions: ## writes docs/permissions.md from the table of providers/internal/testing/permissions
	$(GO) run ./providers/internal/testing/permissions/page >docs/permissions.md.new
	mv docs/permissions.md.new docs/permissions.md

move-million: ## moves OBJECTS (a million) through layers/overlay beside 20 writers, in memory or in directories below DIR
	OMNIBUCKET_MOVE_OBJECTS=$(OBJECTS) OMNIBUCKET_MOVE_DIR=$(DIR) $(GO) test -count 1 -timeout 2h -v -run '^TestManyObjectsMove$$' ./layers/overlay

powercut: ## simulates power failures; as root on Linux, with mkfs.ext4 and mkfs.xfs
	@tools/scripts/programs e2fsprogs xfsprogs
	OMNIBUCKET_POWERCUT=1 $(GO) test -count 1 -timeout 5m ./internal/testing/powercut

slurm: ## shards of "omnibucket sync" in an array of a real Slurm, killed again and again; as root on Linux, six minutes
	@tools/scripts/slurm

man: ## writes the manual pages and completions of cmd/omnibucket into dist-man
	$(GO) test -C cmd/omnibucket -tags man -run TestManualPages .
	GO="$(GO)" tools/scripts/manual

install-check: ## what a newcomer does, from a module proxy in a directory: "go install cmd/omnibucket@version", and programs of the pages
	GO="$(GO)" tools/scripts/installcheck
	OMNIBUCKET_PAGES=1 $(GO) test -C tools -count 1 -run '^TestProgramsOfThePagesRun$$' ./release

release-check: ## a dry run of the release: VERSION=v0.1.0 names it, FULL=true builds every program
	$(GO) run -C tools/release . -go '$(GO)' -version '$(VERSION)' -full='$(FULL)'

release-tags: ## makes the tags of VERSION for all modules in this clone, and prints how to push them
	$(GO) run -C tools/release . -go '$(GO)' -version '$(VERSION)' -tag

snapshot: ## makes all that a release uploads, twice, and looks at it; on Linux, half an hour
	GO="$(GO)" tools/scripts/snapshot

image: ## builds both images with docker or buildah, and runs what they have; as root on Linux
	GO="$(GO)" tools/scripts/images

support: ## writes docs/support.md from the results of the suite
	GO="$(GO)" tools/scripts/support

s3api: ## the suites of S3's clients judge our S3 server and its peers; needs $OMNIBUCKET_S3TESTS
	@tools/scripts/programs curl nodejs npm python3 awscli
	$(GO) run -C tools/testservers . -only gcs,azurite -- $(GO) test -run TestAServerOfS3 ./providers/gcs ./providers/azure
	OMNIBUCKET_NIGHTLY=1 OMNIBUCKET_TEST_REQUIRED=1 $(GO) test -run TestFurtherConformanceOfAServerOverAnotherStore ./providers/s3
	$(GO) run -C tools/testservers . -only minio,minio-tls,versitygw -- $(GO) run -C tools/judges . -suites $(SUITES) -servers ours,minio,versitygw,gofakes3

clients: ## released clients, of last year and newest, judge our S3 server over http and TLS beside MinIO and versitygw; draws the table of docs/maintainers/s3api.md
	@tools/scripts/programs curl nodejs npm python3 awscli s3cmd s3fs rclone restic duplicity python3-boto3
	$(GO) run -C tools/testservers . -only minio,minio-tls,versitygw -- $(GO) run -C tools/judges . -suites $(CLIENTS) -servers $(CLIENT_SERVERS) \
		-schemes http,https -out $(abspath $(CLIENT_RESULTS)) -page $(abspath docs/maintainers/s3api.md)

durability: ## 50 kills of the S3 server over a directory: under eight writers, of two servers at once, with 64 descriptors; a full disk as root on Linux; pairs of killed processes
	OMNIBUCKET_TEST_KILLED=30s $(GO) test -count 1 -timeout 30m -run '^TestPairsOfKilledProcesses$$' ./internal/testing/killed
	OMNIBUCKET_KILLS=50 $(GO) test -count 1 -timeout 60m -run '^(TestDirectoryKilledLosesNothing|TestFullDiskHidesPath|TestFullDiskCreateBucket|TestDirectoryRemovesRecordsOfKilledUploads)$$' ./s3server

gateways: ## the suites of S3's clients judge the gateway with diskcache and encrypt, mirror and overlay, beside the same without layers
	@tools/scripts/programs curl nodejs npm python3 awscli
	$(GO) run -C tools/testservers . -only minio,azurite -- $(GO) run -C tools/judges . -suites $(GATEWAY_SUITES) -servers gateway-minio,layers-minio,gateway-azurite,layers-azurite
	$(GO) run -C tools/testservers . -only minio,azurite -- $(GO) run -C tools/judges . -suites $(GATEWAY_ONE_BUCKET) -servers gateway-minio,mirror-minio,gateway-azurite,overlay-azurite

statuses: ## each status of a gateway in the place of responses, and each recorded response broken; make test-all has the usual ones, and none of Azurite's
	OMNIBUCKET_STATUSES=1 OMNIBUCKET_TEST_REQUIRED=1 $(GO) run -C tools/testservers . -only azurite -- $(GO) test -count 1 -timeout 60m -run 'TestHostileStatuses|TestBrokenRecordedResponses' ./providers/s3 ./providers/gcs ./providers/azure

accounts: ## the whole suite on stand-ins of the clouds and each kind of account, in the orders of SEEDS; TESTFLAGS=-race
	@for seed in $(SEEDS); do \
		OMNIBUCKET_DOCUMENTED_SEED=$$seed OMNIBUCKET_ACCOUNTS=all OMNIBUCKET_TEST_REQUIRED=1 $(GO) run -C tools/testservers . -only azurite -- \
			$(GO) test $(TESTFLAGS) -count 1 -timeout 60m -run '$(STANDINS)' ./providers/s3 ./providers/gcs ./providers/azure || exit 1; \
	done

layers: ## the whole suite over the layers of two stores and the encryption, on MinIO and Azurite, and over s3server on each store
	OMNIBUCKET_NIGHTLY=1 OMNIBUCKET_TEST_REQUIRED=1 $(GO) run -C tools/testservers . -only minio,azurite,versitygw -- sh -ec ' \
		$(GO) test $(TESTFLAGS) -tags omnibucket_sdks -count 1 -timeout 60m -run "^TestFurtherConformance" ./layers/overlay ./layers/mirror; \
		$(GO) test $(TESTFLAGS) -count 1 -timeout 60m -run "^TestFurther(ConformanceOfAServerOverAnotherStore|StoresPassTheTestsOfThisPackage)" ./providers/s3 ./s3server; \
		cd layers/encrypt; $(GO) test $(TESTFLAGS) -count 1 -timeout 60m -run "^(TestConformanceOverAzurite|TestConformanceWithKeysOfServices|TestS3ServerOverEncryptedStores)$$" .'

removals: ## each job that removes × each pair of ends × each listing, each reason at each end, and killed calls with restored snapshots, in memory and in directories
	OMNIBUCKET_REMOVALS=all $(GO) test -count 1 -timeout 60m -run '^Test((Killed)?JobsNeverRemoveTheLastCopy|ReasonsNeverRemoveMore)$$' ./layers

interleavings: ## each scene of storagetest/interleave on all kinds of stores, with larger budgets and at random; an hour
	OMNIBUCKET_INTERLEAVINGS=all $(GO) test -vet=off -count 1 -p $(TOGETHER) -timeout 90m -run '^TestExplored' . ./commit ./layers/... ./lease ./s3server ./transfer ./uploads
	OMNIBUCKET_INTERLEAVINGS=all $(GO) test -C layers/encrypt -vet=off -count 1 -timeout 30m -run '^TestExplored' .

browsers: ## tus-js-client, Uppy and upload.js in Chromium over every store, and a file of 10 GiB
	@tools/scripts/programs nodejs npm chromium
	OMNIBUCKET_BROWSERS=all OMNIBUCKET_BROWSER_LARGE_MIB=10240 $(GO) run -C tools/testservers . -only minio,gcs,azurite,chromium,uploadclients -- \
		$(GO) test -tags omnibucket_sdks -count 1 -timeout 60m -run 'TestBrowserClients|TestFlowInABrowser/local_with_large_files' ./uploads ./examples/browserupload

tusd: ## tusd's end-to-end tests judge package uploads on every store, and adapters/tus
	OMNIBUCKET_TUSD_E2E=1 $(GO) run -C tools/testservers . -only minio,gcs,azurite -- \
		$(GO) test -C adapters/tus -count 1 -timeout 30m -v -run TestTusdsEndToEndTests .

adapters: ## restic's and kopia's suites over ports in tools/examples, the registry's with its large files, adapters/rclone on OpenSSH, Apache and ProFTPD
	@tools/scripts/programs openssh-server apache2-bin proftpd-core
	OMNIBUCKET_PORTS=1 OMNIBUCKET_LARGE_FILES=1 OMNIBUCKET_REAL_SERVERS=1 OMNIBUCKET_TEST_REQUIRED=1 $(GO) run -C tools/testservers . -only minio -- sh -ec ' \
		$(GO) test -C tools -count 1 -timeout 60m -v ./examples/ports; \
		$(GO) test -C adapters/distribution -count 1 -timeout 60m -v -run TestRegistrysSuite .; \
		$(GO) test -C adapters/rclone -count 1 -timeout 60m -v -run "TestRealServers|TestServerOfRclone" .'

objstore: ## the conditional uploads of adapters/objstore, with objstore's main branch or OBJSTORE=version
	GO="$(GO)" $(GO) run -C tools/testservers . -only minio -- tools/scripts/objstore $(OBJSTORE)

wine: ## runs the local driver's tests on Windows code, with Wine
	GO="$(GO)" tools/scripts/wine
