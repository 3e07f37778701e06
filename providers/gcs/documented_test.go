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

// These are reasons to leave out a case. Some follow from the rule that a request which Google answers with 5xx may
// have had an effect.
const (
	maybeDone = "after a response that proves nothing, a refusal of the repeated request is OutcomeUnknown, not the refusal"
	counts    = "the case has a fault of its own at the second request"
	leftOver  = "the parts of a completed upload are removed by one attempt, and those that stay are listed"

	shortNames = "the folder of a key has at most 512 bytes, and so has the rest"
	keptParts  = "the bucket would keep the parts of an open upload"
)

// transientSkips has the cases of the suite that fail because of a transient answer of Google, each
// with the reason.
var transientSkips = map[string]string{
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

// The driver passes the conformance suite although the server answers each request with transient errors at first, as
// Google documents them. The rule server is this package's model of Google. It heeds conditions, which matter for
// repeated requests, whereas fake-gcs-server ignores most of them.
func TestFurtherConformanceWithGooglesTransientAnswers(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table of supported features has no column for this run
	t.Run("default buckets", func(t *testing.T) {
		const errorsPerRequest = 2
		errorServer := requireConformanceWithErrors(t, nil, errorsPerRequest, transientSkips)

		// The suite for a Service, which manages buckets, passes, too.
		openService := func(t *testing.T) storage.Service {
			front := httptest.NewServer(errorServer.For(t))
			t.Cleanup(front.Close)
			account, err := gcs.NewService(t.Context(), gcs.Config{Endpoint: front.URL, Project: "project"},
				storage.WithRetry(storage.RetryPolicy{Attempts: 40, MaxDelay: time.Millisecond}))
			require.NoError(t, err)
			return account
		}
		storagetest.RunService(t, openService, storagetest.WithName("gcs"))

		// The server has sent each documented error, except that these rare requests may not get
		// them all. TestCopyTakesSeveralCalls is about the further calls of a rewrite.
		errorServer.RequireAllGiven(t, "GET bucket", "GET media", "GET storageLayout", "POST rewriteTo again")
	})
	t.Run("public buckets with folders and holds", func(t *testing.T) {
		// A read in such a bucket takes up to three requests. With two errors for each request, the
		// read would need too many attempts.
		const errorsPerRequest = 1
		skips := maps.Clone(transientSkips)
		maps.Copy(skips, longKeySkips)
		requireConformanceWithErrors(t, peculiar, errorsPerRequest, skips)
	})
}

// longKeySkips has the cases whose keys a bucket with a hierarchical namespace refuses.
var longKeySkips = map[string]string{
	"a key with 1,024 bytes round-trips":                  shortNames,
	"a key with 1,024 bytes in many segments round-trips": shortNames,
	"a file system with the longest key":                  shortNames,
	"folders with long names are listed":                  shortNames,
}

// requireConformanceWithErrors runs the conformance suite, without the cases in skips, on buckets
// of this kind. It returns a server that passes requests to the rule server, but first answers each
// request with up to perRequest transient errors.
func requireConformanceWithErrors(
	t *testing.T, kind ruleKind, perRequest int, skips map[string]string, extra ...storagetest.Option,
) *documented.Server {
	t.Helper()
	server := startRuleServer(t)
	server.kind = kind
	errorServer := documented.New(server, documented.GoogleKind, documented.Google)
	errorServer.PerRequest = perRequest
	front := httptest.NewServer(errorServer)
	t.Cleanup(front.Close)

	v := variant{
		config: func(*testing.T, string) gcs.Config { return gcs.Config{Endpoint: front.URL} },
		opt:    storagetest.WithName("gcs"),
	}
	opts := documented.Skips(skips)
	opts = append(opts, documented.SkipCore(), storagetest.WithOpener(openWithRetries))
	opts = append(opts, extra...)
	requireConformanceOn(t, server, errorServer.Add, v, opts...)
	return errorServer
}

// openUploadSkips has cases of the suite with open uploads, whose parts a bucket with a retention policy would keep.
var openUploadSkips = map[string]string{
	"a lost response of an open upload is reconciled":           keptParts,
	"an open upload has the checksum of its parts":              keptParts,
	"an open upload replaces one revision":                      keptParts,
	"an open upload checks its condition when it is completed":  keptParts,
	"an upload that is canceled while it begins leaves nothing": keptParts,
}

// The driver passes the suite on a bucket with a retention policy although requests first get a transient error. The
// cases of open uploads are left out, because such a bucket would keep their parts.
func TestFurtherConformanceToARetentionPolicy(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table of supported features has no column for this run

	// Leave out single cases, and all cases of the suite's rules for open uploads.
	skips := maps.Clone(transientSkips)
	maps.Copy(skips, openUploadSkips)
	skipOpenUploads := storagetest.SkipRules(keptParts, "U1", "U2", "U3", "U4", "U5")

	const errorsPerRequest = 1
	requireConformanceWithErrors(t, retaining, errorsPerRequest, skips, skipOpenUploads)
}

// manyRequestCases has substrings of the names of cases with many requests. An operation of such a
// case makes up to ten requests, or two in each attempt. Each request may get two transient errors,
// so five attempts would be too few.
var manyRequestCases = []string{"/U", "open_upload", "a_failed_overwrite"}

// openWithRetries opens a bucket for a case of the suite whose requests get transient errors. For a case of many
// requests, it permits 20 attempts.
func openWithRetries(t *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
	isInName := func(part string) bool { return strings.Contains(t.Name(), part) }
	if slices.ContainsFunc(manyRequestCases, isInName) {
		opts = append(opts, storage.WithRetry(storage.RetryPolicy{Attempts: 20, MaxDelay: time.Millisecond}))
	}
	return engine.New(d, opts...)
}

// If Google ends an upload session or a rewrite, the driver begins a new one.
func TestSessionEndedBeginsAgain(t *testing.T) {
	// The errors of GoogleLost end a session or a rewrite.
	server := startRuleServer(t)
	errorServer := documented.New(server, documented.GoogleKind, documented.GoogleLost)
	front := httptest.NewServer(errorServer)
	t.Cleanup(front.Close)

	const partSize = 1 << 20
	text := strings.Repeat("x", 3*partSize)

	// The name of the test determines the order of the errors. It takes several orders to send each
	// error.
	for _, order := range []string{"one order", "another order", "a third order", "a fourth order"} {
		t.Run(order, func(t *testing.T) {
			name := server.bucket(ruleBucket{})
			errorServer.Add(t, name)
			bucket := openAt(t, front.URL, name)

			_, err := bucket.Upload(t.Context(), "a", strings.NewReader(text), storage.WithPartSize(partSize))
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), bucket, "b", bucket, "a")
			require.NoError(t, err)

			data, _, err := storage.ReadAll(t.Context(), bucket, "b")
			require.NoError(t, err)
			require.True(t, text == string(data))
		})
	}
	errorServer.RequireAllGiven(t)
}
