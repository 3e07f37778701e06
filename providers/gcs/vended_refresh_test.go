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

// openVendedBucket opens a bucket of a server that takes work for each request of a rewrite, of which there are four, and
// refuses tokens that do not hold.
func openVendedBucket(t *testing.T, vendor *wiretest.Vendor, work time.Duration) storage.Bucket {
	calls := 0
	client := wiretest.OnPipes(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a := stored
		if !vendor.Admits(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
			a = failing(http.StatusUnauthorized, "authError", "Invalid Credentials")
		} else if strings.Contains(r.URL.Path, "/rewriteTo/") {
			time.Sleep(work)
			calls++
			if calls < 4 {
				a = further("more")
			} else {
				a = rewritten
			}
		}
		for name, value := range a.Header {
			w.Header().Set(name, value)
		}
		w.Header().Set(requestIDHeader, "R1")
		if a.Status != 0 {
			w.WriteHeader(a.Status)
		}
		_, _ = io.WriteString(w, a.Body)
	})})
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

// If vended credentials expire during a rewrite, it continues with new ones.
func TestCredentialsReplacedWithinRewrite(t *testing.T) {
	wiretest.CredentialsAreReplacedWithin(t, openVendedBucket, map[string]func(context.Context, storage.Bucket) error{
		"copy": func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.Copy(ctx, b, "to", b, "from")
			return err
		},
	})
}

// Refused credentials are replaced once.
func TestCredentialsRefusedReplacedOnce(t *testing.T) {
	wiretest.RefusedCredentialsAreReplacedOnce(t, openVendedBucket)
}
