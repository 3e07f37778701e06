package gcs_test

import (
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/providers/internal/testing/documented"
	"github.com/omnibucket/storage/storagetest"
)

// Reasons to leave out a case. Each 5xx of Google may have had an effect.
const (
	maybeDone = "after a response that proves nothing, a refusal of the repeated request is OutcomeUnknown, not the refusal"
	counts    = "the case has a fault of its own at the second request"
	leftOver  = "the parts of a completed upload are removed by one attempt, and those that stay are listed"

	shortNames = "the folder of a key has at most 512 bytes, and so has the rest"
	keptParts  = "the bucket would keep the parts of an open upload"
)

// undisturbed has further cases that no transient answer of Google may disturb.
var undisturbed = map[string]string{
	"IfRevision guards the destination of a copy":                maybeDone,
	"IfRevision guards the destination of a move":                maybeDone,
	"a copy onto itself may have a condition":                    maybeDone,
	"a source that is replaced while it is copied stays":         maybeDone,
	"IfRevision replaces only the revision that was read":        maybeDone,
	"concurrent updates are all counted":                         maybeDone,
	"exactly one concurrent creator wins":                        maybeDone,
	"a body that is damaged in transit is not stored":            maybeDone,
	"a legal hold keeps an object":                               maybeDone,
	"a retention in the mode Compliance can only be extended":    maybeDone,
	"an open upload replaces one revision":                       maybeDone,
	"a listed upload keeps its condition if that is given again": maybeDone,

	"RemoveMatching removes what matches":                       counts,
	"an upload that is canceled while it begins leaves nothing": counts,

	"a listed upload is continued without its token": leftOver,
	"uploads in progress are listed":                 leftOver,
}

// The rule server, with the transient answers that Google documents. fake-gcs-server appends the
// bytes that a session already has, and ignores most conditions: it cannot judge a repeated request.
func TestFurtherConformanceWithGooglesTransientAnswers(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	t.Run("plain", func(t *testing.T) {
		answering := requireConformanceWithAnswers(t, nil, 2, undisturbed)
		storagetest.RunService(t, func(t *testing.T) storage.Service {
			front := httptest.NewServer(answering.For(t))
			t.Cleanup(front.Close)
			account, err := gcs.NewService(t.Context(), gcs.Config{Endpoint: front.URL, Project: "project"},
				storage.WithRetry(storage.RetryPolicy{Attempts: 40, MaxDelay: time.Millisecond}))
			require.NoError(t, err)
			return account
		}, storagetest.WithName("gcs"))
		// The suite makes few of these requests. TestCopyTakesSeveralCalls is about the further calls of a rewrite.
		answering.RequireAllGiven(t, "GET bucket", "GET media", "GET storageLayout", "POST rewriteTo again")
	})
	t.Run("peculiar", func(t *testing.T) { // a read takes up to three requests
		leftovers := maps.Clone(undisturbed)
		maps.Copy(leftovers, tooLong)
		requireConformanceWithAnswers(t, peculiar, 1, leftovers)
	})
}

// tooLong has the cases whose keys a bucket with a hierarchical namespace refuses.
var tooLong = map[string]string{
	"a key with 1,024 bytes round-trips":                  shortNames,
	"a key with 1,024 bytes in many segments round-trips": shortNames,
	"a file system with the longest key":                  shortNames,
	"folders with long names are listed":                  shortNames,
}

// requireConformanceWithAnswers runs the suite on buckets of a kind. One request gets a number of answers.
func requireConformanceWithAnswers(t *testing.T, kind ruleKind, perRequest int, leftovers map[string]string, extra ...storagetest.Option) *documented.Server {
	t.Helper()
	server := startRuleServer(t)
	server.kind = kind
	answering := documented.New(server, documented.GoogleKind, documented.Google)
	answering.PerRequest = perRequest
	front := httptest.NewServer(answering)
	t.Cleanup(front.Close)
	row := setting{
		config: func(*testing.T, string) gcs.Config { return gcs.Config{Endpoint: front.URL} },
		opt:    storagetest.WithName("gcs"),
	}
	requireConformanceOn(t, server, answering.Add, row,
		append(append(documented.Skips(leftovers), documented.SkipCore(), storagetest.WithOpener(openPatient)), extra...)...)
	return answering
}

// The suite passes on a bucket with a retention policy, which takes no open uploads, with transient errors.
func TestFurtherConformanceToARetentionPolicy(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	leftovers := maps.Clone(undisturbed)
	for _, name := range []string{
		"a lost response of an open upload is reconciled",
		"an open upload has the checksum of its parts",
		"an open upload replaces one revision",
		"an open upload checks its condition when it is completed",
		"an upload that is canceled while it begins leaves nothing",
	} {
		leftovers[name] = keptParts
	}
	requireConformanceWithAnswers(t, retaining, 1, leftovers,
		storagetest.SkipRules(keptParts, "U1", "U2", "U3", "U4", "U5"))
}

// patiently has parts of the names of cases whose operations are up to ten requests, or two for
// each attempt. Each request may get two answers, so that five attempts are too few.
var patiently = []string{"/U", "open_upload", "a_failed_overwrite"}

// openPatient opens a bucket. For cases of many requests, it permits 20 attempts.
func openPatient(t *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
	if slices.ContainsFunc(patiently, func(part string) bool { return strings.Contains(t.Name(), part) }) {
		opts = append(opts, storage.WithRetry(storage.RetryPolicy{Attempts: 20, MaxDelay: time.Millisecond}))
	}
	return engine.New(d, opts...)
}

// If Google ends an upload session or a rewrite, the driver begins a new one.
func TestSessionEndedBeginsAgain(t *testing.T) {
	server := startRuleServer(t)
	answering := documented.New(server, documented.GoogleKind, documented.GoogleLost)
	front := httptest.NewServer(answering)
	t.Cleanup(front.Close)

	for _, order := range []string{"one order", "another order", "a third order", "a fourth order"} {
		t.Run(order, func(t *testing.T) {
			name := server.bucket(ruleBucket{})
			answering.Add(t, name)
			bucket := openAt(t, front.URL, name)
			text := strings.Repeat("x", 3<<20)
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader(text), storage.WithPartSize(1<<20))
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), bucket, "b", bucket, "a")
			require.NoError(t, err)

			data, _, err := storage.ReadAll(t.Context(), bucket, "b")
			require.NoError(t, err)
			require.True(t, text == string(data))
		})
	}
	answering.RequireAllGiven(t)
}
