package gcs_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/signingkey"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/storagetest"
)

// These are reasons to leave out a case because fake-gcs-server differs from Google Cloud Storage.
// The rule server runs all cases, and other tests check the requests.
const (
	noConditions = "the server checks generation conditions only on uploads, not on reads, removals, copies and compositions"
	noSignatures = "the server verifies neither signatures nor what they cover; the test vectors of Google's SDK do"
	appends      = "the server appends the bytes of a chunk that it already has; Google ignores them"
	keepsOld     = "if the server composes onto an existing object, it keeps that object's attributes and ignores the condition"

	noContexts = "the server drops object contexts in silence, which are the tags"
	noLocks    = "the server keeps a retention and enforces none, and drops holds in silence"

	noMissingPart = "the server responds with 500 if a component is missing; Google responds with 404"
)

// fakeServerSkips has the cases that fake-gcs-server fails with every Config, each with the reason.
var fakeServerSkips = map[string]string{
	"IfRevision guards Remove":                                     noConditions,
	"a conditional removal that another client overtook":           noConditions,
	"a ReaderAt is pinned to one revision":                         noConditions,
	"conditional reads":                                            noConditions,
	"IfAbsent guards the destination of a copy":                    noConditions,
	"IfAbsent of a copy is fs.ErrExist":                            noConditions,
	"IfRevision guards the destination of a copy":                  noConditions,
	"IfAbsent guards the destination of a move":                    noConditions,
	"IfRevision guards the destination of a move":                  noConditions,
	"a copy onto itself may have a condition":                      noConditions,
	"a source that is replaced while it is copied stays":           noConditions,
	"conditions guard Compose":                                     noConditions,
	"an object grows by Compose":                                   noConditions,
	"conditions guard Append":                                      noConditions,
	"each of several writers appends its bytes once":               noConditions,
	"an object that another writer replaces meanwhile grows":       noConditions,
	"an append whose response was lost adds its bytes once":        noConditions,
	"an append whose response was lost never adds its bytes twice": noConditions,
	"a fault at every call of Append, retried":                     noConditions,
	"an open upload replaces one revision":                         noConditions,
	"an open upload checks its condition when it is completed":     noConditions,
	"a listed upload keeps its condition if that is given again":   noConditions,
	"completions beside writes and removals":                       noConditions,

	"tags come back as they were given":                       noContexts,
	"a write replaces all tags":                               noContexts,
	"tags change without a write":                             noContexts,
	"tags of versions":                                        noContexts,
	"a copy keeps the tags":                                   noContexts,
	"a moved object keeps its tags":                           noContexts,
	"an object that grows keeps its tags":                     noContexts,
	"an object that grows keeps its tags, streamed":           noContexts,
	"a copy whose Attrs are not needed keeps tags":            noContexts,
	"a joined object has the tags of the options":             noContexts,
	"tags through a narrowed reference":                       noContexts,
	"a Core that embeds passes on tags":                       noContexts,
	"what is under retention stays":                           noLocks,
	"a legal hold keeps an object":                            noLocks,
	"a retention in the mode Governance can be bypassed":      noLocks,
	"a retention can be ended":                                noLocks,
	"a retention in the mode Compliance can only be extended": noLocks,
	"a copy does not take the locks of its source":            noLocks,
	"a bucket without object lock refuses locks":              noLocks,

	"a composition that replaces a source and whose response was lost succeeds": keepsOld,

	"a copy leaves out attributes that its destination cannot keep": "if a copy's resource omits a header, the server keeps that of the source",
}

// sessionSkips has the cases that fake-gcs-server fails without parallel composite uploads. Parts
// are then chunks of an upload session. Some cases fail because the server checks no signatures.
var sessionSkips = map[string]string{
	"a form uploads within its limits":                                              noSignatures,
	"a signed content type is enforced":                                             noSignatures,
	"a signed create never overwrites":                                              noSignatures,
	"a signed size is enforced":                                                     noSignatures,
	"a signed URL allows only its own request":                                      noSignatures,
	"a signed removal allows only DELETE":                                           noSignatures,
	"a signed removal binds its version":                                            noSignatures,
	"a signed upload locks its object":                                              "the server ignores the headers of a retention",
	"an expired signed URL is refused":                                              noSignatures,
	"a signed HEAD returns only the attributes":                                     noSignatures,
	"a signed part stores one part":                                                 noSignatures,
	"a signed part allows only its own request":                                     noSignatures,
	"a signed part binds what was signed":                                           noSignatures,
	"a signed part expires":                                                         noSignatures,
	"a fault at every call of an upload in parts, retried":                          appends,
	"a fault at every call of an upload in parts that creates, retried":             appends,
	"a fault at every call of an upload in parts that replaces a revision, retried": appends,
	"a fault at every call of an upload of a stream in parts, retried":              appends,
	"only the failed part is sent again":                                            appends,
	"a torn resume file is not trusted":                                             appends,
	"a driver's parts are invisible until they are completed":                       appends,
	"parts are sequential if the provider requires it":                              appends,
	"a body that is damaged in transit is not stored":                               "the server does not compare the checksum that comes with the last chunk",
}

// compositeSkips has the cases that fake-gcs-server fails with parallel composite uploads.
var compositeSkips = map[string]string{
	"a failed overwrite leaves the old object":                             keepsOld,
	"a conditional write that a gateway refused after its effect succeeds": keepsOld,
	"IfAbsent creates and never overwrites":                                keepsOld,
	"IfRevision replaces only the revision that was read":                  keepsOld,
	"exactly one concurrent creator wins":                                  keepsOld,
	"exactly one concurrent updater wins":                                  keepsOld,
	"the content type is detected":                                         keepsOld,
	"an update that another client overtook is abandoned":                  keepsOld,
	"parts that the store has dropped are sent again":                      noMissingPart,
}

// serviceSkips has the cases about managing buckets that fake-gcs-server fails.
var serviceSkips = map[string]string{
	"a lifecycle rule that only ends uploads": "the server accepts a lifecycle but does not keep it; lifecycle_test.go tests the request to Google",
	"lifecycle rules are set and cleared":     "the server accepts a lifecycle but does not keep it",
	"an update changes only what it names":    "the server accepts CORS rules but does not keep them",
	"a bucket that locks objects keeps them":  "the server stores a retention and does not heed it; the rule server does",
}

// merged corrects the pages that fake-gcs-server returns with a delimiter. This server pages only
// the objects, and adds every later common prefix to each page. Google merges each prefix once into
// the pages, and counts it as an entry. The server's page token is the name of the next object, at
// which the next page begins.
type merged struct{ driver.Driver }

// List returns a page as Google does. The page of fake-gcs-server has all later prefixes, too, and may have more
// entries than the limit.
func (m merged) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := m.Driver.List(ctx, r)
	if err != nil {
		return page, err
	}

	if page.Token != "" {
		isOfLaterPage := func(e storage.ListEntry) bool { return e.IsPrefix && e.Key > page.Token }
		page.Entries = slices.DeleteFunc(page.Entries, isOfLaterPage)
	}
	if len(page.Entries) > r.Limit {
		page.Token = page.Entries[r.Limit].Key
		page.Entries = page.Entries[:r.Limit]
	}
	return page, nil
}

// skipNonUploadRules leaves out the rules that do not depend on how the driver uploads.
var skipNonUploadRules = storagetest.SkipRules("no way to upload changes this", "K3", "K4", "K5", "L1", "L2", "L3",
	"L4", "R6", "R7", "R8", "V-FS")

// A variant is a Config with which the conformance suite runs.
type variant struct {
	config      func(t *testing.T, endpoint string) gcs.Config
	skips       map[string]string // cases that fake-gcs-server fails with this Config, each with the reason
	opt         storagetest.Option
	declareMove bool // declare ServerMove, as the driver does at Google's own address
}

// composite turns on parallel composite uploads.
var composite = variant{
	config: func(_ *testing.T, endpoint string) gcs.Config {
		return gcs.Config{Endpoint: endpoint, ParallelComposite: true}
	},
	skips: compositeSkips,
	opt:   skipNonUploadRules,
}

// The driver passes the conformance suite on fake-gcs-server.
func TestConformance(t *testing.T) {
	needServer(t).conform(t, variant{
		config: func(_ *testing.T, endpoint string) gcs.Config {
			return gcs.Config{Endpoint: endpoint, SigningKey: signingkey.File()}
		},
		skips: sessionSkips,
		opt:   storagetest.WithName("gcs (fake-gcs-server)"),
	})
}

// The driver passes the suite on fake-gcs-server with parallel composite uploads.
func TestFurtherConformance(t *testing.T) {
	testserver.Further(t)
	server := needServer(t)
	t.Run("parallel composite", func(t *testing.T) {
		t.Setenv("OMNIBUCKET_SUPPORT", "") // the table of supported features has no column for this run
		skipRules := storagetest.SkipRules(
			"the rule server runs them with parallel composite uploads, and TestConformance without",
			"E3", "T1", "T2", "W2", "W13")
		server.conform(t, composite, skipRules)
	})
}

// conform runs the conformance suite on fake-gcs-server, without the cases that this server fails.
func (s *testServer) conform(t *testing.T, v variant, opts ...storagetest.Option) {
	t.Helper()
	openDriver := func(t *testing.T) driver.Driver {
		c := v.config(t, s.endpoint)
		c.Bucket = s.bucket(t, false)
		d, err := gcs.NewDriver(t.Context(), c)
		require.NoError(t, err)
		return merged{d}
	}
	openVersioned := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		c := v.config(t, s.endpoint)
		c.Bucket = s.bucket(t, true)
		return s.open(t, c, append(opts, storage.WithVersioning(true))...)
	}

	opts = append(opts, v.opt, storagetest.WithVersionedOpen(openVersioned))
	for _, skips := range []map[string]string{fakeServerSkips, v.skips} {
		for name, reason := range skips {
			opts = append(opts, storagetest.Skip(name, reason))
		}
	}
	storagetest.RunDriver(t, openDriver, opts...)
}

// skipFaultTests leaves out the cases in which each call of the driver fails in turn. They take a fifth of the suite's
// time. Without servers, only the tests of memstore and providers/local run them.
var skipFaultTests = storagetest.SkipRules(`"make test-all" runs it`,
	testserver.Sample([]string{"T1", "T2"}, nil)...)

// The driver passes the conformance suite on the rule server, which follows Google's documentation more closely than
// emulators do, and checks signatures.
func TestConformanceToGooglesRules(t *testing.T) {
	server := startSignedServer(t)
	requireConformance(t, server.rules, variant{
		config: func(*testing.T, string) gcs.Config { return server.config("") },
		opt:    storagetest.WithName("gcs"),
	}, skipFaultTests)
}

// The driver passes the suite with parallel composite uploads on our server that follows Google's documented rules.
func TestFurtherConformanceToGooglesRules(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table of supported features has no column for this run
	requireConformance(t, startRuleServer(t), composite)
}

// The suite passes with an HTTP client that wraps bodies, as clients that log or trace do.
func TestFurtherConformanceOverWrappedBodies(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table of supported features has no column for this run
	server := startSignedServer(t)
	config := server.config("") // the suite makes the buckets
	config.HTTPClient = &http.Client{Transport: wiretest.WrapBodies(testserver.Client().Transport)}

	requireConformance(t, server.rules, variant{
		config: func(*testing.T, string) gcs.Config { return config },
		opt:    storagetest.WithName("gcs"),
	})
}

// asGoogle declares those features that the driver itself declares only if its requests go to
// Google.
type asGoogle struct{ driver.Driver }

// Describe adds ServerMove and SoftDelete to the features.
func (d asGoogle) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features |= storage.ServerMove | storage.SoftDelete
	return desc
}

// requireConformance runs the conformance suite on a rule server, as if the server's address were
// Google's own.
func requireConformance(t *testing.T, s *ruleServer, v variant, opts ...storagetest.Option) {
	t.Helper()
	v.declareMove = true
	nothingToPrepare := func(*testing.T, string) {}
	requireConformanceOn(t, s, nothingToPrepare, v, opts...)
}

// requireConformanceOn runs the conformance suite on a rule server. It calls prepare with the name of each new bucket
// before the driver opens it.
func requireConformanceOn(
	t *testing.T, s *ruleServer, prepare func(t *testing.T, bucket string), v variant, opts ...storagetest.Option,
) {
	t.Helper()
	open := func(t *testing.T, bucket ruleBucket) driver.Driver {
		c := v.config(t, s.URL)
		c.Bucket = s.bucket(bucket)
		prepare(t, c.Bucket)
		d, err := gcs.NewDriver(t.Context(), c)
		require.NoError(t, err)
		if v.declareMove {
			return asGoogle{d}
		}
		return d
	}
	openPlain := func(t *testing.T) driver.Driver {
		return open(t, ruleBucket{})
	}
	openVersioned := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		d := open(t, ruleBucket{versioned: true})
		return engine.New(d, append(opts, storage.WithVersioning(true))...)
	}
	openLocking := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return engine.New(open(t, ruleBucket{versioned: true, locking: true}), opts...)
	}

	opts = append(opts,
		v.opt,
		storagetest.WithVersionedOpen(openVersioned),
		storagetest.WithLockingOpen(openLocking))
	storagetest.RunDriver(t, openPlain, opts...)
}

// The service passes the conformance suite of services on fake-gcs-server.
func TestServiceConformance(t *testing.T) {
	server := needServer(t)
	opts := []storagetest.Option{storagetest.WithName("gcs (fake-gcs-server)")}
	for name, reason := range serviceSkips {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	storagetest.RunService(t, func(t *testing.T) storage.Service {
		account, err := gcs.NewService(t.Context(), gcs.Config{Endpoint: server.endpoint, Project: "project"})
		require.NoError(t, err)
		return account
	}, opts...)
}
