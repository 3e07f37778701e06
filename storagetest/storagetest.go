// Package storagetest is the conformance suite: what every bucket must do,
// whichever provider is behind it. A driver's test hands it a way to open empty
// buckets:
//
//	func TestConformance(t *testing.T) {
//		storagetest.RunDriver(t, func(t *testing.T) storage.Driver { return mystore.New(…) })
//	}
//
// The suite is a table of named cases. Each proves one behaviour of one rule of
// the contract, prints both when it fails, and names the features it needs:
// where the bucket does not declare them, the case proves instead that asking
// for them is Unsupported and reaches no store.
package storagetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Open opens a fresh, empty bucket for one case, and has t clean it up. It must
// hand opts on to the constructor: the suite injects faults and bounds memory
// with them. It is called from parallel cases.
type Open func(t *testing.T, opts ...storage.OpenOption) storage.Bucket

// An Option says what is particular about the bucket under test.
type Option func(*options)

type options struct {
	name      string
	without   map[string]string
	versioned Open
	opening   Opener
}

// An Opener makes a bucket of a driver, as storage.New does.
type Opener func(t *testing.T, d storage.Driver, opts ...storage.OpenOption) storage.Bucket

// Without leaves a case out, because of a server that is known to be wrong, or
// a provider that cannot. Case is its name in the table; an unknown name fails
// the test, and the reason stands in the support table.
func Without(name, reason string) Option {
	return func(o *options) { o.without[name] = reason }
}

// Versioned opens buckets that keep versions, where the provider has to be told
// so when a bucket is created. The default is Open with storage.WithVersions.
func Versioned(open Open) Option { return func(o *options) { o.versioned = open } }

// Opening has RunDriver make its buckets otherwise than by storage.New: those of
// a store without an address of its own sign only where something answers for
// them.
func Opening(open Opener) Option { return func(o *options) { o.opening = open } }

// Named is the name of the column in the support table: "s3 (MinIO)". The
// default is the provider.
func Named(name string) Option { return func(o *options) { o.name = name } }

func readOptions(opts []Option) *options {
	o := &options{without: map[string]string{}, opening: func(_ *testing.T, d storage.Driver, opts ...storage.OpenOption) storage.Bucket {
		return storage.New(d, opts...)
	}}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// Run proves everything that can be said through a Bucket and the functions of
// package storage. It returns when all cases, which run in parallel, are done.
func Run(t *testing.T, open Open, opts ...Option) {
	t.Helper()
	run(t, "bucket", bucketCases(), open, readOptions(opts))
}

// RunDriver is Run on storage.New(open(t)), and proves what a driver owes to
// the core besides. open makes a driver with an empty bucket.
func RunDriver(t *testing.T, open func(t *testing.T) storage.Driver, opts ...Option) {
	t.Helper()
	cases := bucketCases()
	for _, c := range driverCases {
		cases = append(cases, Case{
			Name: c.Name, Rule: c.Rule, Explanation: c.Explanation, Needs: c.Needs,
			run: func(t *T) { c.run(t, open(t.T)) },
		})
	}
	o := readOptions(opts)
	run(t, "driver", cases, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return o.opening(t, open(t), opts...)
	}, o)
}

// Cases is the table that Run works through.
func Cases() []Case { return bucketCases() }

func bucketCases() []Case {
	return slices.Concat(
		keyCases, roundTripCases(), orderCases, treeCases, prefixedCases,
		writeCases, bodyCases, memoryCases, partCases, resumedUploadCases, uploadJournalCases, conditionCases, reconcileCases,
		metadataCases, contentTypeCases, checksumCases, numberCases, leftOutCases,
		readCases, rangeCases, resumeCases,
		removeCases, listCases, pageCases,
		copyCases, versionCases, updateCases, readerAtCases,
		signingCases, signedKeyCases(), publicCases,
		errorCases, contextCases, retryCases, hookCases, refCases, overrideCases, openCases, fsCases,
		refusalCases, nthCallCases(),
	)
}

// run works through cases: those of one rule in one group of subtests. kind is
// what is under test: a bucket or a driver.
func run(t *testing.T, kind string, cases []Case, open Open, o *options) {
	t.Helper()
	requireKnown(t, cases, o)
	desc := describe(t, open)
	report := newReport(kind, desc, o)
	baseline := goroutines()
	t.Run("cases", func(t *testing.T) {
		for _, group := range byRule(cases) {
			t.Run(group[0].Rule, func(t *testing.T) {
				t.Parallel()
				for _, c := range group {
					if reason, left := o.without[c.Name]; left {
						report.leave(c, reason)
						continue
					}
					t.Run(c.Name, func(t *testing.T) {
						t.Parallel()
						runCase(newT(t, open, o, desc), c, report)
					})
				}
			})
		}
	})
	if _, left := o.without[leakCase.Name]; !left {
		t.Run(leakCase.Rule+"/"+leakCase.Name, func(t *testing.T) { requireNoGoroutines(t, baseline) })
	}
	report.write(t)
}

func requireKnown(t *testing.T, cases []Case, o *options) {
	t.Helper()
	known := map[string]bool{leakCase.Name: true}
	for _, c := range cases {
		require.False(t, known[c.Name], "two cases are named %q", c.Name)
		known[c.Name] = true
	}
	for name := range o.without {
		require.True(t, known[name], "Without names no case: %q", name)
	}
}

// byRule groups cases, rules in the order of the contract: K1, K2, …, W1, ….
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

// signing are the features that a store which has no address of its own has
// only where the bucket was opened with one.
const signing = storage.SignURLs | storage.SignContentType | storage.SignSize | storage.SignIfAbsent | storage.SignForms | storage.SignHead

// describe learns what the driver behind the bucket declares, and is in force.
func describe(t *testing.T, open Open) storage.Description {
	t.Helper()
	var desc storage.Description
	b := open(t, storage.WithLayer(func(next storage.Driver) storage.Driver {
		desc = next.Describe()
		return &described{Driver: next, desc: desc}
	}))
	if desc.FolderOrder { // the core makes it so
		desc.Features |= storage.OrderedList
	}
	require.NotEmpty(t, desc.Provider, "Open must hand its options on to the constructor")
	if desc.SigningBase && !storage.Supports(b, storage.SignURLs) {
		desc.Features &^= storage.SignURLs | storage.SignContentType | storage.SignSize | storage.SignIfAbsent | storage.SignForms | storage.SignHead
	}
	if desc.SigningBase && !storage.Supports(b, storage.SignURLs) {
		desc.Features &^= signing
	}
	require.NoError(t, storage.Close(b))
	return desc
}

// described spares the driver a second Describe: it is called once.
type described struct {
	storage.Driver
	desc storage.Description
}

func (d *described) Describe() storage.Description { return d.desc }

// featureNames are the features in the order of their bits.
var featureNames = []struct {
	feature storage.Features
	name    string
}{
	{storage.StreamPut, "StreamPut"},
	{storage.UploadParts, "UploadParts"},
	{storage.EqualParts, "EqualParts"},
	{storage.ConditionalCreate, "ConditionalCreate"},
	{storage.ConditionalUpdate, "ConditionalUpdate"},
	{storage.ConditionalRemove, "ConditionalRemove"},
	{storage.UniqueRevisions, "UniqueRevisions"},
	{storage.ServerCopy, "ServerCopy"},
	{storage.ServerCompose, "ServerCompose"},
	{storage.KeepVersions, "KeepVersions"},
	{storage.SignURLs, "SignURLs"},
	{storage.SignContentType, "SignContentType"},
	{storage.SignSize, "SignSize"},
	{storage.SignIfAbsent, "SignIfAbsent"},
	{storage.SignForms, "SignForms"},
	{storage.ObjectACL, "ObjectACL"},
	{storage.StorageClasses, "StorageClasses"},
	{storage.OrderedList, "OrderedList"},
	{storage.SequentialParts, "SequentialParts"},
	{storage.SignHead, "SignHead"},
	{storage.Metadata, "Metadata"},
	{storage.ContentProperties, "ContentProperties"},
	{storage.StoredChecksums, "StoredChecksums"},
	{storage.KeysBesideFolders, "KeysBesideFolders"},
	{storage.LongSegments, "LongSegments"},
}

func namesOf(f storage.Features) []string {
	var names []string
	for _, n := range featureNames {
		if f&n.feature != 0 {
			names = append(names, n.name)
		}
	}
	return names
}

func featureText(f storage.Features) string { return strings.Join(namesOf(f), ", ") }
