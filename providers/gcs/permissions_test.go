package gcs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage/permissions"
	"github.com/omnibucket/storage/providers/gcs"
	rows "github.com/omnibucket/storage/providers/internal/testing/permissions"
)

// Each operation succeeds on Google with the permissions that docs/permissions.md lists for it.
func TestPermissions(t *testing.T) {
	rows.Check(t, permissions.Google, openRecordedAccount)
}

// openRecordedAccount opens an account on a new rule server that records its requests.
func openRecordedAccount(t *testing.T, kind rows.Kind) rows.Account {
	rules := startRuleServer(t)
	bucket := rules.bucket(ruleBucket{
		versioned: kind == rows.Versions || kind == rows.Locks,
		locking:   kind == rows.Locks,
	})
	recorder := &rows.Recorder{}
	server := httptest.NewServer(recorder.Wrap(withBuckets(rules)))
	t.Cleanup(server.Close)

	service, err := gcs.NewService(t.Context(), gcs.Config{
		Project:        "p",
		TokenSource:    oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token"}),
		SigningAccount: "signer@p.iam.gserviceaccount.com",
		HTTPClient:     &http.Client{Transport: insteadOfGoogle{server.URL}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	return rows.Account{
		Recorder: recorder,
		Service:  service,
		Bucket:   bucket,
		Key:      gcs.WithKMSKey("projects/p/locations/l/keyRings/r/cryptoKeys/k"),
	}
}

// insteadOfGoogle sends requests for Google to the server at its address. Their header Host still
// names Google.
type insteadOfGoogle struct{ address string }

// RoundTrip sends r to the server.
func (g insteadOfGoogle) RoundTrip(r *http.Request) (*http.Response, error) {
	target, err := url.Parse(g.address)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Host = r.URL.Host
	r.URL.Scheme = target.Scheme
	r.URL.Host = target.Host
	return http.DefaultTransport.RoundTrip(r)
}

// withBuckets adds the methods of buckets and the method signBlob of the IAM service to the rule
// server. Every bucket that a test creates is "another-bucket".
func withBuckets(rules http.Handler) http.Handler {
	const bucket = `{"kind":"storage#bucket","name":"another-bucket","location":"US",` +
		`"metageneration":"1","etag":"CAE=","versioning":{"enabled":false}}`
	policy := `{"kind":"storage#policy","version":3,"etag":"CAE=","bindings":[]}`

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// path is one of /storage/v1/b, /storage/v1/b/BUCKET, /storage/v1/b/BUCKET/iam and /storage/v1/b/BUCKET/o/...
		path := strings.Split(strings.TrimPrefix(r.URL.Path, "/storage/v1/b"), "/")
		isOfList := len(path) == 1
		isOfBucket := len(path) == 2
		isOfPolicy := len(path) == 3
		isOfObjects := len(path) > 2 && path[2] == "o"

		switch {
		case strings.HasSuffix(r.URL.Path, ":signBlob"):
			_, _ = io.WriteString(w, `{"keyId":"k","signedBlob":"c2lnbmF0dXJl"}`)
		case !strings.HasPrefix(r.URL.Path, "/storage/v1/b") || isOfObjects:
			rules.ServeHTTP(w, r)
		case isOfPolicy && r.Method == http.MethodPut:
			body, _ := io.ReadAll(r.Body)
			policy = `{"kind":"storage#policy",` + strings.TrimPrefix(string(body), "{")
			_, _ = io.WriteString(w, policy)
		case isOfPolicy:
			_, _ = io.WriteString(w, policy)
		case isOfBucket && r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case isOfList && r.Method == http.MethodGet:
			_, _ = io.WriteString(w, `{"kind":"storage#buckets","items":[`+bucket+`]}`)
		case isOfBucket && r.Method == http.MethodGet && path[1] != "another-bucket":
			rules.ServeHTTP(w, r)
		default:
			_, _ = io.WriteString(w, bucket)
		}
	})
}
