package gcs

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// A vendedStore responds as Google does to requests whose token is valid. A rewrite takes four
// requests.
type vendedStore struct {
	vendor   *wiretest.Vendor
	work     time.Duration // of each request of a rewrite
	rewrites int
}

// ServeHTTP responds to a request.
func (s *vendedStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	answer := s.answer(r)
	for name, value := range answer.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set(requestIDHeader, "R1")
	if answer.Status != 0 {
		w.WriteHeader(answer.Status)
	}
	_, _ = io.WriteString(w, answer.Body)
}

// answer returns the response to a request.
func (s *vendedStore) answer(r *http.Request) reply {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !s.vendor.Admits(token) {
		return jsonError(http.StatusUnauthorized, "authError", "Invalid Credentials")
	}
	isRewrite := strings.Contains(r.URL.Path, "/rewriteTo/")
	if !isRewrite {
		return storedReply
	}

	const rewriteCalls = 4 // the last one makes the copy
	time.Sleep(s.work)
	s.rewrites++
	if s.rewrites < rewriteCalls {
		return rewriteMore("more")
	}
	return rewriteDone
}

// openVendedBucket opens a bucket of a vendedStore with credentials of the vendor.
func openVendedBucket(t *testing.T, vendor *wiretest.Vendor, work time.Duration) storage.Bucket {
	t.Helper()
	client := wiretest.OnPipes(t, &http.Server{Handler: &vendedStore{vendor: vendor, work: work}})
	d, err := NewDriver(t.Context(), Config{
		Bucket:     "photos",
		Endpoint:   "http://store.invalid",
		HTTPClient: client,
		CredentialsFor: func(context.Context, string) (PrefixCredentials, error) {
			secret, expires := vendor.Vend()
			return PrefixCredentials{AccessToken: secret, Expires: expires}, nil
		},
	})
	require.NoError(t, err)
	return engine.New(d)
}

// If vended credentials expire during a rewrite, the rewrite continues with new ones.
func TestCredentialsReplacedWithinRewrite(t *testing.T) {
	wiretest.CredentialsAreReplacedWithin(t, openVendedBucket, map[string]func(context.Context, storage.Bucket) error{
		"copy": func(ctx context.Context, bucket storage.Bucket) error {
			_, err := storage.Copy(ctx, bucket, "to", bucket, "from")
			return err
		},
	})
}

// Refused credentials are replaced once.
func TestCredentialsRefusedReplacedOnce(t *testing.T) {
	wiretest.RefusedCredentialsAreReplacedOnce(t, openVendedBucket)
}
