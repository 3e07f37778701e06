package gcs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"sync/atomic"

	"cloud.google.com/go/auth"
	detect "cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/oauth2adapt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/transport"
)

// scopes are the scopes of a token: objects, buckets and their policies, and the
// IAM service, which signs.
var scopes = []string{"https://www.googleapis.com/auth/devstorage.full_control", "https://www.googleapis.com/auth/cloud-platform"}

// credentials are the given ones, or the application default ones, which are
// looked up when first needed.
type credentials struct {
	found    atomic.Pointer[auth.Credentials]
	universe string // of the endpoint; "" for a server that is not Google's
	checked  atomic.Bool
}

func newCredentials(c Config) (*credentials, error) {
	own := &credentials{}
	switch {
	case c.TokenSource != nil:
		own.found.Store(auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: oauth2adapt.TokenProviderFromTokenSource(c.TokenSource)}))
	case c.CredentialsJSON != nil:
		var file struct{ Type detect.CredType }
		if err := json.Unmarshal(c.CredentialsJSON, &file); err != nil || file.Type == "" {
			return nil, argument.Invalid("Config.CredentialsJSON", "must be the content of a key file or of a credential configuration", "") // the parser's error would quote it
		}
		found, err := detect.NewCredentialsFromJSON(file.Type, c.CredentialsJSON, detectOptions())
		if err != nil {
			return nil, &storage.Error{Code: storage.InvalidArgument, Err: errors.New("Config.CredentialsJSON is not valid for its type"), Hint: "check the fields that type " + string(file.Type) + " requires"}
		}
		own.found.Store(found)
	}
	return own, nil
}

func detectOptions() *detect.DetectOptions {
	// An asynchronous refresh would be a goroutine that outlives the request.
	return &detect.DetectOptions{Scopes: scopes, DisableAsyncRefresh: true}
}

// get returns the credentials. The first call looks up application default ones.
// If several calls do so concurrently, one of them wins.
func (c *credentials) get() (*auth.Credentials, error) {
	if found := c.found.Load(); found != nil {
		return found, nil
	}
	found, err := detect.DetectDefault(detectOptions())
	if err != nil {
		return nil, &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: "set credentials, or application default ones with GOOGLE_APPLICATION_CREDENTIALS or gcloud auth application-default login"}
	}
	c.found.CompareAndSwap(nil, found)
	return c.found.Load(), nil
}

// token returns an access token and the quota project. Its requests do not count
// as the caller's, because losing their responses leaves no outcome unknown.
func (c *credentials) token(ctx context.Context) (*auth.Token, string, error) {
	found, err := c.get()
	if err != nil {
		return nil, "", err
	}
	uncounted, _ := transport.CountRequests(ctx)
	if err := c.checkUniverse(uncounted, found); err != nil {
		return nil, "", err
	}
	token, err := found.Token(uncounted)
	if err != nil {
		return nil, "", tokenError(ctx, err)
	}
	quota, _ := found.QuotaProjectID(uncounted) // it is optional
	return token, quota, nil
}

// tokenError returns the error for a failed token request. A refusal is
// permanent; any other failure may pass.
func tokenError(ctx context.Context, err error) *storage.Error {
	e := &storage.Error{Code: storage.Unavailable, Err: err}
	var response *auth.Error
	switch {
	case ctx.Err() != nil:
		e.Code = storage.Canceled
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			e.Code = storage.DeadlineExceeded
		}
	case errors.As(err, &response) && !response.Temporary():
		e.Code, e.Hint = storage.Unauthenticated, "Google refused the credentials: check that they are not revoked, and check this machine's clock"
		if response.Response != nil {
			e.Status = response.Response.StatusCode
		}
	}
	e.Retryable = e.Code == storage.Unavailable
	return e
}

// fingerprint returns a hash that identifies a secret without revealing it.
func fingerprint(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// An authorizer is a RoundTripper that adds the credentials to each request.
type authorizer struct {
	base        http.RoundTripper // nil means http.DefaultTransport
	credentials *credentials
}

// RoundTrip sends the request. If there is no token yet, it requests one first.
func (t *authorizer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, quota, err := t.credentials.token(r.Context())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	out := *r
	out.Header = maps.Clone(r.Header)
	kind := token.Type
	kind = cmp.Or(kind, "Bearer")
	out.Header.Set("Authorization", kind+" "+token.Value)
	if quota != "" && out.Header.Get(userProjectHeader) == "" {
		out.Header.Set(userProjectHeader, quota)
	}
	return t.next().RoundTrip(&out)
}

func (t *authorizer) next() http.RoundTripper {
	if t.base == nil {
		return http.DefaultTransport
	}
	return t.base
}

// CloseIdleConnections calls that of the base.
func (t *authorizer) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
