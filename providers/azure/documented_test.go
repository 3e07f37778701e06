package azure_test

import (
	"context"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/azurite"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/internal/testing/documented"
	"github.com/omnibucket/storage/storagetest"
)

// undisturbed has further cases of the suite whose requests get no transient answers. Each of these
// cases has a fault that comes after reads that only Azure's driver makes.
var undisturbed = map[string]string{
	"an upload that is canceled while it begins leaves nothing":                       countsReads,
	"a stream that fails after a copy by the server may have taken effect is unknown": countsReads,
}

// refusedCopies returns functions by the names of cases. Each function reports whether a request of
// its case must not get the transient answer a. A copy may have taken effect although its answer
// was an error. If the service then cannot read the source, the copy is not streamed, because its
// condition could fail due to its own effect. If always is true, the service reads no source.
func refusedCopies(always bool) map[string]func(method string, a *documented.Answer) bool {
	omits := func(method string, a *documented.Answer) bool {
		if always {
			return method == http.MethodPut && !a.NoEffect
		}
		return a.Name == "CannotVerifyCopySource (409)"
	}
	return map[string]func(method string, a *documented.Answer) bool{
		"a copy whose response was lost is reconciled":                         omits,
		"a conditional write that a gateway refused after its effect succeeds": omits,
		"IfAbsent guards the destination of a copy":                            omits,
		// The service copies the object, and the engine then removes the source.
		"IfAbsent guards the destination of a move":             omits,
		"a fault at every call of a copy that creates, retried": omits,
	}
}

// countsReads is the reason why some cases of the suite get no transient answers.
const countsReads = "the case counts reads, too"

// startEmulator returns Azurite as a handler, so that a test can wrap it in an account with behaviors. path is the
// path of the emulator's account.
func startEmulator(t *testing.T) (emulator *azuriteServer, handler http.Handler, path string, closeIdle func()) {
	t.Helper()
	emulator = needAzurite(t)
	u, err := url.Parse(emulator.endpoint)
	require.NoError(t, err)
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = u.Scheme
			r.Out.URL.Host = u.Host
			r.Out.Host = r.In.Host // the host in the URL of a copy's source
			// With this header, a recorder would take the status 100 for the final response.
			r.Out.Header.Del("Expect")
		},
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // clients that cancel
	}
	return emulator, proxy, u.Path, transport.CloseIdleConnections
}

// The conformance suite passes on Azurite if requests first get the transient answers that Azure
// documents. The driver must repeat these requests. The account keeps versions and archived blobs,
// and limits the terms of signatures.
func TestFurtherConformanceWithAzuresTransientAnswers(t *testing.T) {
	testserver.Further(t)
	// The table of supported features has no column for this account.
	t.Setenv("OMNIBUCKET_SUPPORT", "")

	// A request first reaches the server of transient answers, then the account with its features, and then Azurite.
	emulator, handler, path, closeIdle := startEmulator(t)
	account := documented.Before(
		handler,
		documented.AzureSASPolicy(longestTerm),
		documented.AzureArchive(),
		documented.AzureVersions(emulator.accountSAS(t)),
	)
	answering := documented.New(account, documented.AzureKind, documented.Azure)
	server := httptest.NewServer(answering)
	t.Cleanup(server.Close)

	// Azurite itself has no versions, but this account has, so the cases about versions are not
	// skipped.
	skips := maps.Clone(azurite.Skipped)
	maps.DeleteFunc(skips, func(_, reason string) bool { return reason == azurite.NoVersions })
	maps.Copy(skips, undisturbed)

	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		// Idle connections would be goroutines that the suite reports.
		t.Cleanup(closeIdle)
		container := emulator.container(t)
		answering.Add(t, container)
		return newDriverAt(t, azure.Config{Bucket: container, Endpoint: server.URL + path})
	}, patientOptions(skips)...)

	// The suite for accounts passes, too.
	storagetest.RunService(t, func(t *testing.T) storage.Service {
		t.Cleanup(closeIdle)
		server := httptest.NewServer(answering.For(t))
		t.Cleanup(server.Close)
		service, err := azure.NewService(t.Context(), azure.Config{Endpoint: server.URL + path}, patient)
		require.NoError(t, err)
		return service
	}, storagetest.WithName("azure (Azurite)"))

	// The suite makes too few requests of these three kinds to get each of their transient answers.
	answering.RequireAllGiven(t, "PUT tags", "GET blocklist", "DELETE tags")
}

// longestTerm is the policy's limit for the term of a signature. The signatures of the suite do not
// exceed it.
const longestTerm = 24 * time.Hour

// newDriverAt opens a driver with the given Config.
func newDriverAt(t *testing.T, c azure.Config) driver.Driver {
	t.Helper()
	d, err := azure.NewDriver(t.Context(), c)
	require.NoError(t, err)
	return d
}

// patient permits 40 attempts, for operations of many requests. Each request may get two transient
// answers before it succeeds.
var patient = storage.WithRetry(storage.RetryPolicy{Attempts: 40, MaxDelay: time.Millisecond})

// patiently has substrings of the names of cases that use open uploads or appends.
var patiently = []string{"/U", "open_upload", "ppend", "grow", "/W16"}

// patientOptions returns the options of a run of the suite whose requests get transient answers. skips
// has the cases to leave out, each with the reason.
func patientOptions(skips map[string]string) []storagetest.Option {
	return append(documented.Skips(skips),
		documented.SkipCore(),
		storagetest.WithName("azure (Azurite)"),
		storagetest.WithOpener(openPatient),
	)
}

// openPatient opens a bucket. For cases of many requests, it permits 40 attempts.
func openPatient(t *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
	if slices.ContainsFunc(patiently, func(part string) bool { return strings.Contains(t.Name(), part) }) {
		opts = append(opts, patient)
	}
	return engine.New(d, opts...)
}

// An accountKind is an account with behaviors. The suite leaves out some cases for it.
type accountKind struct {
	config  azure.Config
	private bool // the service reads no source of a copy
	tokens  bool // the driver has a token, which takes TLS
	play    func(t *testing.T, s *azuriteServer) []documented.Behavior
	skip    map[string]string
	also    []string // rules of unchanged whose requests this kind does change
	nightly bool     // only "make accounts" has it: another kind has its behaviors, too
}

// unchanged has rules of the suite that no kind of account can change: reads, listings, and faults that the suite
// injects above the driver. They take three quarters of the time. "make accounts" runs them too.
var unchanged = []string{"D2", "E3", "K3", "K4", "K5", "L1", "L3", "R2", "R6", "R7", "T1", "T2", "V-FS", "W2"}

const (
	exactTags = "the case compares all tags, and the scanner adds its own"
	noTags    = "the credential may neither read nor write tags: TestCopyScannedObject and TestTagErrors"
)

// accountKinds has the kinds of accounts, by name.
var accountKinds = map[string]accountKind{
	"Defender for Storage": {
		nightly: true,
		play: func(t *testing.T, s *azuriteServer) []documented.Behavior {
			return []documented.Behavior{documented.AzureDefender(s.newScanner(t))}
		},
		skip: map[string]string{
			"a write replaces all tags":                     exactTags,
			"tags come back as they were given":             exactTags,
			"tags change without a write":                   exactTags,
			"a copy keeps the tags":                         exactTags,
			"a moved object keeps its tags":                 exactTags,
			"an object that grows keeps its tags":           exactTags,
			"an object that grows keeps its tags, streamed": exactTags,
			"a joined object has the tags of the options":   exactTags,
			"tags through a narrowed reference":             exactTags,
			"a Core that embeds passes on tags":             exactTags,
			"a copy whose Attrs are not needed keeps tags":  exactTags,
		},
	},
	"Storage Blob Data Contributor, scanned blobs and private endpoints": {
		private: true,
		play: func(t *testing.T, s *azuriteServer) []documented.Behavior {
			return []documented.Behavior{
				documented.AzureContributor(), documented.AzurePrivate(), documented.AzureDefender(s.newScanner(t)),
			}
		},
		skip: map[string]string{
			"a write replaces all tags":                     noTags,
			"tags come back as they were given":             noTags,
			"tags change without a write":                   noTags,
			"a copy keeps the tags":                         noTags,
			"a moved object keeps its tags":                 noTags,
			"an object that grows keeps its tags":           noTags,
			"an object that grows keeps its tags, streamed": noTags,
			"a joined object has the tags of the options":   noTags,
			"tags through a narrowed reference":             noTags,
			"a Core that embeds passes on tags":             noTags,
			"a copy whose Attrs are not needed keeps tags":  noTags,
			"tags of a missing object":                      noTags,

			"a stream that fails after a copy by the server may have taken effect is unknown": "the service copies nothing",
		},
	},
	"tokens only": {
		tokens: true,
		play: func(t *testing.T, s *azuriteServer) []documented.Behavior {
			return []documented.Behavior{documented.AzureTokens(s.accountSAS(t), s.signWithKey(t), s.newSASExchanger(t))}
		},
		also: []string{"T1"},
	},
	"Azure Stack Hub": {
		// https://learn.microsoft.com/azure-stack/user/azure-stack-acs-differences
		config: azure.Config{APIVersion: "2019-07-07"},
		play: func(*testing.T, *azuriteServer) []documented.Behavior {
			return []documented.Behavior{documented.AzureOlder("2019-07-07")}
		},
		also: []string{"K3", "L3"}, // a listing encodes keys since 2021-02-12
	},
}

// The conformance suite passes on each kind of account, such as one that accepts only tokens. Some of the requests get
// transient failures, as on Azure. With OMNIBUCKET_ACCOUNTS, each case runs on all kinds.
func TestFurtherConformanceOfAzuresAccounts(t *testing.T) {
	testserver.Further(t)
	// The table of supported features has no column for these accounts.
	t.Setenv("OMNIBUCKET_SUPPORT", "")

	isComplete := os.Getenv("OMNIBUCKET_ACCOUNTS") != ""
	for name, kind := range accountKinds {
		if kind.nightly && !isComplete {
			continue
		}
		t.Run(name, func(t *testing.T) {
			// Leave out what Azurite cannot do, what transient failures disturb, and what differs in this account.
			skips := maps.Clone(azurite.Skipped)
			maps.Copy(skips, undisturbed)
			maps.Copy(skips, kind.skip)

			opts := patientOptions(skips)
			if !isComplete {
				const reason = "only make accounts runs it: this kind of account does not change its requests"
				opts = append(opts, storagetest.SkipRules(reason, kind.unchangedRules()...))
			}
			kind.requireConformance(t, opts...)
		})
	}
}

// unchangedRules returns the rules of the suite whose requests are the same on this kind of account as on any other.
func (k accountKind) unchangedRules() []string {
	return slices.DeleteFunc(slices.Clone(unchanged), func(rule string) bool { return slices.Contains(k.also, rule) })
}

// requireConformance runs the suite on an account of this kind.
func (k accountKind) requireConformance(t *testing.T, opts ...storagetest.Option) {
	t.Helper()
	// The account handles requests before they reach Azurite. The transient answers come before the account.
	emulator, handler, path, closeIdle := startEmulator(t)
	account := documented.Before(handler, k.play(t, emulator)...)
	answering := documented.New(account, documented.AzureKind, documented.Azure)
	answering.Omits = refusedCopies(k.private)
	open := k.opener(t, answering, path)

	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		// Idle connections would be goroutines that the suite reports.
		t.Cleanup(closeIdle)
		container := emulator.container(t)
		answering.Add(t, container)
		return open(t, container)
	}, opts...)
}

// opener serves an account of this kind, and returns a function that opens a container there.
func (k accountKind) opener(
	t *testing.T, account http.Handler, path string,
) func(t *testing.T, container string) driver.Driver {
	t.Helper()
	plain := httptest.NewServer(account)
	t.Cleanup(plain.Close)
	if !k.tokens {
		return func(t *testing.T, container string) driver.Driver {
			c := k.config
			c.Endpoint = plain.URL + path
			c.Bucket = container
			return newDriverAt(t, c)
		}
	}

	// The SDK sends a token only with TLS. Signed URLs lead to the server without TLS.
	secure := httptest.NewTLSServer(account)
	t.Cleanup(secure.Close)
	return func(t *testing.T, container string) driver.Driver {
		t.Cleanup(secure.Client().CloseIdleConnections)
		c := k.config
		c.Endpoint = secure.URL + path
		c.HTTPClient = secure.Client()
		c.Credential = fixedToken("token")
		c.Bucket = container
		return withoutTLS{newDriverAt(t, c), secure.URL, plain.URL}
	}
}

// withoutTLS signs URLs for clients that do not know the certificate of the test.
type withoutTLS struct {
	driver.Driver
	secure, plain string
}

// Sign signs a URL of the server without TLS.
func (d withoutTLS) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return d.withPlainURL(d.Driver.Sign(ctx, r))
}

// SignPart signs a URL of the server without TLS.
func (d withoutTLS) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	return d.withPlainURL(d.Driver.SignPart(ctx, r))
}

// withPlainURL replaces the address of the server with TLS in a signed URL.
func (d withoutTLS) withPlainURL(signedURL *storage.SignedURL, err error) (*storage.SignedURL, error) {
	if err == nil {
		signedURL.URL = strings.Replace(signedURL.URL, d.secure, d.plain, 1)
	}
	return signedURL, err
}
