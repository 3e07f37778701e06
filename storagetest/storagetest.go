// Package storagetest is the conformance suite: it proves that a bucket behaves the same with every
// provider. The test of a driver passes a function that opens an empty bucket:
//
//	func TestConformance(t *testing.T) {
//		storagetest.RunDriver(t, func(t *testing.T) driver.Driver { return mystore.New(…) })
//	}
//
// The suite is a table of named cases. Each case proves one behavior of one rule in
// docs/maintainers/contract.md. If it fails, it prints the rule and an explanation. A case names
// the features that it needs. If the bucket does not declare them, the case proves that using them
// is Unsupported and makes no request. If a run of [RunDriver] fails, its last lines list the cases
// that call the driver directly. Mend those first.
package storagetest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// Open opens a new, empty bucket for one case, and registers its clean-up with t. It must pass opts
// to the constructor, because the suite uses options to inject faults and to limit memory. Parallel
// cases call it concurrently.
type Open func(t *testing.T, opts ...storage.OpenOption) storage.Bucket

// An Option configures a run for the bucket under test. Options are [Skip], [SkipRules],
// [WithName], [WithVersionedOpen], [WithLockingOpen] and [WithOpener].
type Option func(*options)

type options struct {
	name         string
	skipped      map[string]string // reason, by name of a skipped case
	skippedRules map[string]string // reason for skipping the cases of a rule, by rule
	versioned    Open
	locking      Open
	newBucket    Opener
}

// skips reports whether a case is skipped by its name or its rule, and returns the reason.
func (o *options) skips(name, rule string) (reason string, skipped bool) {
	reason, skipped = o.skipped[name]
	if !skipped {
		reason, skipped = o.skippedRules[rule]
	}
	return reason, skipped
}

// An Opener makes a bucket from a driver, as [engine.New] does.
type Opener func(t *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket

// Skip skips the case with this name. The reason says which bug the server has, or what the
// provider lacks. The support table shows the reason. If no case has the name, the test fails.
func Skip(name, reason string) Option {
	return func(o *options) {
		o.skipped[name] = reason
	}
}

// WithVersionedOpen sets the function that opens a bucket that keeps versions. It is for a provider
// that must know this when it creates the bucket. The default is [Open] with
// [storage.WithVersioning].
func WithVersionedOpen(open Open) Option {
	return func(o *options) {
		o.versioned = open
	}
}

// WithOpener sets the function with which [RunDriver] creates a bucket from a driver. The default
// is [engine.New]. Some stores need a separate server for signed URLs. For such a store, use a
// function that opens the bucket with the address of that server.
func WithOpener(open Opener) Option {
	return func(o *options) {
		o.newBucket = open
	}
}

// WithLockingOpen sets the function that opens an empty bucket that can lock objects. The default
// is [Open] with [storage.WithObjectLock], which is enough for local and memory buckets.
func WithLockingOpen(open Open) Option {
	return func(o *options) {
		o.locking = open
	}
}

// WithName sets the heading of this run in the support table, such as "s3 (MinIO)". The default is
// the provider.
func WithName(name string) Option {
	return func(o *options) {
		o.name = name
	}
}

// readOptions applies opts to the default options.
func readOptions(opts []Option) *options {
	o := &options{
		skipped:      map[string]string{},
		skippedRules: map[string]string{},
		newBucket: func(_ *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
			return engine.New(d, opts...)
		},
	}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// SkipRules skips all cases of the given rules, and fails the test if a rule has no cases. Use it
// for a second run of a driver with a setting that does not affect these cases.
func SkipRules(reason string, rules ...string) Option {
	return func(o *options) {
		for _, rule := range rules {
			o.skippedRules[rule] = reason
		}
	}
}

// Run runs all cases for a [storage.Bucket] and for the functions of package storage. The cases run
// in parallel. Run returns when all are done.
func Run(t *testing.T, open Open, opts ...Option) {
	t.Helper()
	run(t, "bucket", bucketCases(), open, readOptions(opts))
}

// RunDriver runs the cases of [Run] on engine.New(open(t)), and the cases for the
// driver itself. Each call of open must return a driver with an empty bucket.
func RunDriver(t *testing.T, open func(t *testing.T) driver.Driver, opts ...Option) {
	t.Helper()
	cases := bucketCases()
	for _, c := range driverCases {
		cases = append(cases, Case{
			Name:        c.Name,
			Rule:        c.Rule,
			Explanation: c.Explanation,
			Needs:       c.Needs,
			direct:      true,
			run: func(t *T) {
				c.run(t, open(t.T))
			},
		})
	}
	o := readOptions(opts)
	run(t, "driver", cases, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return o.newBucket(t, open(t), opts...)
	}, o)
}

// Cases returns the cases that [Run] runs.
func Cases() []Case { return bucketCases() }

// bucketCases returns the cases of Run. Their order is that of the contract.
func bucketCases() []Case {
	return slices.Concat(
		keyCases,
		roundTripCases(),
		orderCases,
		anyOrderCases,
		treeCases,
		prefixedCases,
		writeCases,
		bodyCases,
		memoryCases,
		partCases,
		resumedUploadCases,
		resumedViewCases,
		uploadJournalCases,
		openUploadCases,
		completeUploadCases,
		completeBesideCases,
		signedPartCases,
		conditionCases,
		reconcileCases,
		metadataCases,
		contentTypeCases,
		checksumCases,
		numberCases,
		leftOutCases,
		readCases,
		slowReadCases,
		rangeCases,
		resumeCases,
		removeCases,
		listCases,
		pageCases,
		copyCases,
		moveCases,
		appendCases(),
		versionCases,
		softDeleteCases,
		tagCases,
		lockCases,
		restoreCases,
		updateCases,
		readerAtCases,
		readRangesCases,
		signingCases,
		signedKeyCases(),
		signedLinkCases,
		vendCases,
		publicCases,
		errorCases,
		contextCases,
		retryCases,
		hookCases,
		refCases,
		userTypeCases,
		userCoreCases,
		openCases,
		fsCases,
		refusalCases,
		leadingSlashCases,
		nthCallCases(),
	)
}

// run runs the cases, in one group of subtests for each rule. kind is "bucket" or "driver".
func run(t *testing.T, kind string, cases []Case, open Open, o *options) {
	t.Helper()
	requireKnown(t, append(slices.Clone(cases), leakCase), o)

	desc := describe(t, open)
	r := &runner{
		open:    open,
		options: o,
		desc:    desc,
		report:  newReport(kind, desc, o),
	}

	// The leak case, which runs last, compares with the goroutines of this moment.
	baseline := goroutines()

	parallel, sequential := selectCases(cases, o, r.report)
	t.Run("cases", func(t *testing.T) {
		for _, group := range byRule(parallel) {
			t.Run(group[0].Rule, func(t *testing.T) {
				t.Parallel()
				r.runParallel(t, group)
			})
		}
	})

	// The other cases run one after the other, after the parallel ones.
	for _, c := range sequential {
		t.Run(c.Rule+"/"+c.Name, func(t *testing.T) {
			r.run(t, c)
		})
	}

	// All cases have ended, so their goroutines must have ended, too.
	if _, skipped := o.skips(leakCase.Name, leakCase.Rule); !skipped {
		t.Run(leakCase.Rule+"/"+leakCase.Name, func(t *testing.T) {
			requireNoGoroutines(t, baseline)
		})
	}

	r.report.advise(t)
	r.report.write(t)
}

// A runner runs cases on the buckets of one driver, and reports their results.
type runner struct {
	open    Open
	options *options
	desc    driver.Description
	report  *report
}

func (r *runner) run(t *testing.T, c Case) {
	runCase(newT(t, r.open, r.options, r.desc), c, r.report)
}

// runParallel runs each case as a parallel subtest.
func (r *runner) runParallel(t *testing.T, cases []Case) {
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			r.run(t, c)
		})
	}
}

// selectCases returns the cases that may run in parallel and those that must run one after the other. It
// leaves out the skipped cases, and records them in the report.
func selectCases(cases []Case, o *options, report *report) (parallel, sequential []Case) {
	for _, c := range cases {
		reason, skipped := o.skips(c.Name, c.Rule)
		switch {
		case skipped:
			report.skip(c, reason)
		case c.alone:
			sequential = append(sequential, c)
		default:
			parallel = append(parallel, c)
		}
	}
	return parallel, sequential
}

// requireKnown requires that the names of cases are unique, and that Skip and SkipRules name
// existing cases and rules.
func requireKnown(t *testing.T, cases []Case, o *options) {
	t.Helper()
	names := map[string]bool{}
	rules := map[string]bool{}
	for _, c := range cases {
		require.False(t, names[c.Name], "two cases are named %q", c.Name)
		names[c.Name] = true
		rules[c.Rule] = true
	}
	for name := range o.skipped {
		require.True(t, names[name], "Skip names no case: %q", name)
	}
	for rule := range o.skippedRules {
		require.True(t, rules[rule], "SkipRules names no rule of a case: %q", rule)
	}
}

// byRule groups cases by rule. The groups are in the order of their first cases, which is that of the
// contract: K1, K2, …, W1, ….
func byRule(cases []Case) [][]Case {
	var rules []string
	groups := map[string][]Case{}
	for _, c := range cases {
		if groups[c.Rule] == nil {
			rules = append(rules, c.Rule)
		}
		groups[c.Rule] = append(groups[c.Rule], c)
	}
	ordered := make([][]Case, 0, len(rules))
	for _, rule := range rules {
		ordered = append(ordered, groups[rule])
	}
	return ordered
}

// signing lists the features for signed URLs. Some stores need a separate server for signed URLs. A
// bucket of such a store has these features only if it is opened with the address of that server.
const signing = storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent | storage.SignedForms | storage.SignedHead |
	storage.SignedTags | storage.SignedLocks | storage.SignedParts | storage.SignedPartChecksums |
	storage.SignedRemovals | storage.StableURLs

// describe returns the driver's description, with the features that a bucket of the driver has.
func describe(t *testing.T, open Open) driver.Description {
	t.Helper()

	// A layer gets the driver that open makes.
	var desc driver.Description
	readDescription := func(next driver.Driver) driver.Driver {
		desc = next.Describe()
		return &describeOnce{Driver: next, desc: desc}
	}
	b := open(t, driver.WithLayer(readDescription))
	require.NotEmpty(t, desc.Provider, "Open must pass its options to the constructor")

	// A bucket has more features or fewer than its driver. It lists in byte order if the driver lists in
	// folder order, because the engine sorts the pages.
	if desc.FolderOrder {
		desc.Features |= storage.OrderedListing
	}
	// The bucket cannot sign if it was opened without the address of the server for signed URLs.
	if desc.NeedsSigningBase && !storage.Supports(b, storage.SignedURLs) {
		desc.Features &^= signing
	}
	require.NoError(t, storage.Close(b))
	return desc
}

// A describeOnce is a driver whose Describe returns desc, so that the Describe of the driver below
// is called only once.
type describeOnce struct {
	driver.Driver
	desc driver.Description
}

func (d *describeOnce) Describe() driver.Description { return d.desc }

// eachFeature yields each possible feature, which is one bit of Features.
func eachFeature(yield func(storage.Features) bool) {
	for feature := storage.Features(1); feature != 0; feature <<= 1 {
		if !yield(feature) {
			return
		}
	}
}

// namesOf returns the names of the features that the support table lists.
func namesOf(features storage.Features) []string {
	listed := features &^ driver.LateMetadata
	var names []string
	for feature := range eachFeature {
		if listed&feature != 0 {
			names = append(names, feature.String())
		}
	}
	return names
}
