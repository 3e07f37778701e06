package s3_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/folderorder"
	"github.com/omnibucket/storage/internal/testing/minio"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest"
)

// These are the reasons why a case does not run on a server that differs from S3. All cases run on
// the S3 server of this repository.
const (
	noKeyBelowAKey = "the server keeps objects as files: it cannot hold a beside a/b"
	goneEarly      = "while a completion is being made, the server may say that the upload is gone, " +
		"and not have its object yet"
	refusedEarly = "if an upload is gone, the server refuses a part that is still being sent and " +
		"closes the connection, so some of its responses are lost"
)

// tree is the name of our server if it lists like a directory tree.
const tree = "tree"

// skippedCases has the cases that do not run, by server.
var skippedCases = map[string]map[string]string{
	"minio": minio.Skipped,
	"versitygw": {
		"a key and keys below it coexist":                 noKeyBelowAKey,
		"an object beside its folder":                     noKeyBelowAKey,
		"removing one object leaves its neighbours":       noKeyBelowAKey,
		"keys are in byte order":                          noKeyBelowAKey,
		"common prefixes are listed among the keys":       noKeyBelowAKey,
		"prefix, delimiter and start are taken literally": noKeyBelowAKey,
		"parts that the store has dropped are sent again": refusedEarly,
		"completions at once make one object":             goneEarly,
		"completions beside writes and removals":          goneEarly,
		"a create over a removed key":                     "the server treats a delete marker as an object (412); Amazon creates the object",
		"removing a version is permanent":                 "the server responds with 400 InvalidArgument for a version that is gone, as for an invalid one; Amazon with 204",
		"a bucket without object lock refuses locks":      "the server refuses the lock of a Put with 400 after it has stored the object; Amazon and MinIO store nothing",
		"a retention can be ended":                        "the server refuses an empty retention with 400 InvalidArgument, also with a bypass; Amazon and MinIO end it",
		"every write is kept as a version":                "in pages of one entry the server's listing of versions never ends: after a page that ends with a key's newest version, the next one begins with it",
	},
}

// The conformance suite passes on MinIO.
func TestConformance(t *testing.T) {
	t.Run("minio", func(t *testing.T) {
		requireConformanceOf(t, "minio")
	})
}

// The conformance suite passes on versitygw as well. This run leaves out the checks for goroutines,
// which test the driver and run with other servers.
func TestFurtherConformance(t *testing.T) {
	testserver.Further(t)
	t.Run("versitygw", func(t *testing.T) {
		requireConformanceOf(t, "versitygw")
	})
}

// requireConformanceOf runs the suite on a server that "make test-all" has started.
func requireConformanceOf(t *testing.T, server string) {
	t.Helper()
	unchanged := func(d driver.Driver) driver.Driver { return d }
	requireConformance(t, needServer(t, server), unchanged, storagetest.WithName("s3 ("+server+")"))
}

// faultsOfCalls leaves out the cases in which each call of the driver fails in turn. They take a
// fifth of the suite's time. If no servers were started, only the tests of memstore and
// providers/local run them.
var faultsOfCalls = storagetest.SkipRules(`"make test-all" runs it`,
	testserver.Sample([]string{"T1", "T2"}, nil)...)

// The conformance suite passes on our server, which accepts every key and follows Amazon's documents. Here, the
// server accepts parts below 5 MiB, which saves four fifths of the time. The tests with other servers test the limit
// of 5 MiB.
func TestConformanceToAmazonsRules(t *testing.T) {
	server := startOwnServer(t, s3server.Config{Strict: true, Limits: s3server.Limits{MinPartSize: leastPart}})
	requireConformance(t, server, withSmallParts, storagetest.WithName("s3"), faultsOfCalls)
}

// The conformance suite passes on s3server, our own server, over each kind of store: a directory, another S3 server,
// and memory. Package s3server runs its own tests on all of them.
func TestFurtherConformanceOfAServerOverAnotherStore(t *testing.T) {
	testserver.Nightly(t, "make layers") // runs this long test only at night
	leaveOutOfSupportTable(t)
	for name, newService := range map[string]func(t *testing.T) driver.ServiceDriver{
		"directory": newDirectoryService,
		"gateway":   newGatewayService,
		"memory": func(*testing.T) driver.ServiceDriver {
			return memstore.NewServiceDriver(memstore.ServiceConfig{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			service := newService(t)
			t.Cleanup(func() { _ = service.Close() }) // after the server
			server := startOwnServer(t, s3server.Config{
				Service: service,
				Limits:  s3server.Limits{MinPartSize: leastPart},
			})
			engineRules := storagetest.SkipRules("the engine, which no store of the server changes",
				"R6", "R8", "T1", "T2")
			requireConformance(t, server, withSmallParts, engineRules)
		})
	}
}

// newDirectoryService returns an account in a directory.
func newDirectoryService(t *testing.T) driver.ServiceDriver {
	d, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	return d
}

// newGatewayService returns an account on another S3 server.
func newGatewayService(t *testing.T) driver.ServiceDriver {
	server, err := s3server.Start(s3server.Config{Limits: s3server.Limits{MinPartSize: leastPart}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	profile, _ := s3.NamedProfile("aws")
	d, err := s3.NewServiceDriver(t.Context(), s3.Config{
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	return d
}

// The conformance suite passes on a server that lists the keys in the order of a directory tree.
func TestFurtherConformanceOfAServerThatListsLikeATree(t *testing.T) {
	testserver.Further(t)
	leaveOutOfSupportTable(t)
	server := startOwnServer(t, folderorder.With(s3server.Config{
		Strict: true,
		Limits: s3server.Limits{MinPartSize: leastPart},
	}))
	server.name = tree

	// These rules of docs/maintainers/contract.md are about reads, signed URLs, failures and
	// writes.
	rulesWithoutListings := storagetest.SkipRules("no listing changes this",
		"R1", "R2", "R3", "R5", "R6", "R7", "R8",
		"S3",
		"T1",
		"W1", "W2", "W3", "W5", "W7", "W9", "W13")
	requireConformance(t, server, withSmallParts, rulesWithoutListings)
}

// leaveOutOfSupportTable keeps the results of a test out of the table of supported features, which has no column for
// them.
func leaveOutOfSupportTable(t *testing.T) {
	t.Helper()
	t.Setenv("OMNIBUCKET_SUPPORT", "")
}

// The suite passes with an HTTP client that wraps bodies, as clients that log or trace do. The
// driver then sends all requests with the SDK.
func TestFurtherConformanceOverWrappedBodies(t *testing.T) {
	testserver.Further(t)
	leaveOutOfSupportTable(t)
	server := startOwnServer(t, s3server.Config{Strict: true, Limits: s3server.Limits{MinPartSize: leastPart}})
	server.client = &http.Client{Transport: wiretest.WrapBodies(testserver.Client().Transport)}
	requireConformance(t, server, withSmallParts)
}

// requireConformance runs the suite on buckets of a server. layer wraps the driver of each bucket.
func requireConformance(
	t *testing.T, s *testServer, layer func(driver.Driver) driver.Driver, opts ...storagetest.Option,
) {
	t.Helper()
	opts = append(opts,
		storagetest.WithVersionedOpen(func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
			return engine.New(layer(s.driver(t, s.bucket(t, true))), opts...)
		}),
		storagetest.WithLockingOpen(func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
			return engine.New(layer(s.driver(t, s.lockingBucket(t))), opts...)
		}))
	for name, reason := range skippedCases[s.name] {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		return layer(s.driver(t, s.bucket(t, false)))
	}, opts...)
}

// driver opens a driver of a bucket of the server.
func (s *testServer) driver(t *testing.T, bucket string) driver.Driver {
	t.Helper()
	d, err := s3.NewDriver(t.Context(), s.config(t, bucket))
	require.NoError(t, err)
	return d
}

// config returns the Config of a bucket of the server. If bucket is "", the Config is for the
// server's account.
func (s *testServer) config(t *testing.T, bucket string) s3.Config {
	t.Helper()
	name := s.name
	if name == tree {
		name = "aws"
	}
	profile, ok := s3.NamedProfile(name)
	require.True(t, ok, name)
	profile.OrderedListing = profile.OrderedListing && s.name != tree
	return s3.Config{
		Bucket:      bucket,
		Endpoint:    s.endpoint,
		Region:      "us-east-1",
		Profile:     &profile,
		AccessKeyID: s.key,
		SecretKey:   s.secret,
		HTTPClient:  s.client,
	}
}

// open opens a bucket of the server.
func (s *testServer) open(t *testing.T, bucket string, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b, err := s3.Open(t.Context(), s.config(t, bucket), opts...)
	require.NoError(t, err)
	return b
}
