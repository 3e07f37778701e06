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
	"os"
	"slices"
	"sync/atomic"

	"cloud.google.com/go/auth"
	detect "cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/oauth2adapt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/address"
	"github.com/omnibucket/storage/providers/internal/named"
)

// scopes are the scopes of a token: for objects, for buckets and their policies, and for the IAM
// service, which signs.
var scopes = []string{
	"https://www.googleapis.com/auth/devstorage.full_control",
	"https://www.googleapis.com/auth/cloud-platform",
}

// credentials holds the credentials of the Config. If the Config has none, it looks up the
// application default credentials when they are first needed.
type credentials struct {
	find     func() (*auth.Credentials, error) // returns new credentials, without a token
	cached   atomic.Pointer[auth.Credentials]  // nil before the first call of get, and after renew
	accepted atomic.Pointer[auth.Credentials]  // credentials with a token that Google has accepted
	universe string                            // universe of the endpoint; "" for a server that is not Google's
	checked  atomic.Bool
}

// newCredentials returns the credentials of a Config, without a request, and fails if credentials in
// the Config are invalid.
func newCredentials(c Config) (*credentials, error) {
	if c.TokenSource != nil {
		tokens := oauth2adapt.TokenProviderFromTokenSource(c.TokenSource)
		return foundCredentials(func() (*auth.Credentials, error) {
			return auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: tokens}), nil
		})
	}
	if c.CredentialsJSON != nil {
		file := slices.Clone(c.CredentialsJSON)
		return foundCredentials(func() (*auth.Credentials, error) { return parseCredentials(file) })
	}
	return &credentials{find: defaultCredentials}, nil
}

// foundCredentials returns the credentials that find returns, and fails if find does.
func foundCredentials(find func() (*auth.Credentials, error)) (*credentials, error) {
	found, err := find()
	if err != nil {
		return nil, err
	}
	result := &credentials{find: find}
	result.cached.Store(found)
	return result, nil
}

// withNamedCredentials returns c with the content of the credentials file for the name in
// Config.Credentials, or c itself if that name is empty. The path of the file is in the environment
// variable NAME_GOOGLE_APPLICATION_CREDENTIALS.
func withNamedCredentials(c Config) (Config, error) {
	if c.Credentials == "" {
		return c, nil
	}

	const pathVariable = "GOOGLE_APPLICATION_CREDENTIALS"
	name := named.Credentials(c.Credentials)
	variable := name.Variable(pathVariable)
	path := name.Get(pathVariable)
	if path == "" {
		return c, name.Missing(variable + " to the path of a key file or credential configuration")
	}

	// Refuse to send the credentials in clear.
	if u, ok := address.Endpoint(c.Endpoint); ok && address.InClear(u) {
		return c, argument.Invalid("endpoint", "must be an https URL: credentials=NAME are not sent in clear", "")
	}

	file, err := os.ReadFile(path)
	if err != nil {
		return c, &storage.Error{
			Code: storage.Unauthenticated,
			Err:  err,
			Hint: "set " + variable + " to a file that can be read",
		}
	}
	// Report an invalid file now, because a later error could not name the variable.
	if _, err := parseCredentials(file); err != nil {
		return c, argument.Invalid("the file of "+variable, "must be a valid key file or credential configuration", "")
	}
	c.CredentialsJSON = file
	return c, nil
}

// parseCredentials parses the content of a key file, or of a credential configuration such as that of workload identity
// federation.
func parseCredentials(content []byte) (*auth.Credentials, error) {
	var file struct{ Type detect.CredType }
	if err := json.Unmarshal(content, &file); err != nil || file.Type == "" {
		// Do not return the parser's error, which quotes the credentials.
		return nil, argument.Invalid(
			"Config.CredentialsJSON", "must be the content of a key file or of a credential configuration", "",
		)
	}
	creds, err := detect.NewCredentialsFromJSON(file.Type, content, detectOptions())
	if err != nil {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("Config.CredentialsJSON is not valid for its type"),
			Hint: "check the fields that type " + string(file.Type) + " requires",
		}
	}
	return creds, nil
}

// defaultCredentials looks up the application default credentials of this machine.
func defaultCredentials() (*auth.Credentials, error) {
	creds, err := detect.DetectDefault(detectOptions())
	if err != nil {
		return nil, &storage.Error{
			Code: storage.Unauthenticated,
			Err:  err,
			Hint: "set credentials, or application default ones with " +
				"GOOGLE_APPLICATION_CREDENTIALS or gcloud auth application-default login",
		}
	}
	return creds, nil
}

func detectOptions() *detect.DetectOptions {
	// An asynchronous refresh would leave a goroutine running after the request.
	return &detect.DetectOptions{Scopes: scopes, DisableAsyncRefresh: true}
}

// get returns the credentials. The first call looks up the application default credentials. If
// several first calls run at the same time, all return the result of one of them.
func (c *credentials) get() (*auth.Credentials, error) {
	if creds := c.cached.Load(); creds != nil {
		return creds, nil
	}
	creds, err := c.find()
	if err != nil {
		return nil, err
	}
	if !c.cached.CompareAndSwap(nil, creds) {
		return c.get() // another call was first: return its credentials
	}
	return creds, nil
}

// renew reports whether the next call of get returns other credentials, with a new token. It is called after Google
// has refused a token with 401. If Google accepted creds before, their token is probably too old, and renew drops
// creds. If Google has never accepted creds, a new token would be refused, too, and get keeps them.
func (c *credentials) renew(creds *auth.Credentials) bool {
	wasAccepted := c.accepted.Load() == creds
	if wasAccepted {
		c.cached.CompareAndSwap(creds, nil)
	}
	return c.cached.Load() != creds
}

// token returns an access token of the credentials, and their quota project. It may send requests
// to obtain them, before the caller's request is sent. These requests do not count as requests of
// the caller. So if token fails, the count shows that the caller's request had no effect.
func (c *credentials) token(ctx context.Context, creds *auth.Credentials) (*auth.Token, string, error) {
	// Requests with the context of another counter do not count for ctx.
	uncounted, _ := transport.CountRequests(ctx)

	if err := c.checkUniverse(uncounted, creds); err != nil {
		return nil, "", err
	}
	token, err := creds.Token(uncounted)
	if err != nil {
		return nil, "", tokenError(ctx, err)
	}
	quota, _ := creds.QuotaProjectID(uncounted) // it is optional
	return token, quota, nil
}

// tokenError returns the error for a failed token request. If Google refused the credentials, the
// error is permanent. Any other error is retryable.
func tokenError(ctx context.Context, err error) *storage.Error {
	if ctx.Err() != nil {
		code := argument.ContextCode(ctx.Err())
		return &storage.Error{Code: code, Retryable: code == storage.Unavailable, Err: err}
	}
	authErr, ok := errors.AsType[*auth.Error](err)
	if !ok || authErr.Temporary() {
		return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
	}

	storageErr := &storage.Error{
		Code: storage.Unauthenticated,
		Hint: "Google refused the credentials: check that they are not revoked, and check this machine's clock",
		Err:  err,
	}
	if authErr.Response != nil {
		storageErr.Status = authErr.Response.StatusCode
	}
	return storageErr
}

// fingerprint returns a hash that identifies a secret without revealing it.
func fingerprint(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

type authorizer struct {
	base        http.RoundTripper
	credentials *credentials
}

// RoundTrip sends the request with a token. If there is no token yet, it requests one first. Google
// refuses a token with 401 if the token expires while the request waits, or if this machine's clock
// is wrong. The error is then retryable, and the engine repeats the request with a new token.
// googleapis/google-cloud-go#8764, googleapis/google-cloud-go#9262
func (t *authorizer) RoundTrip(r *http.Request) (*http.Response, error) {
	creds, err := t.credentials.get()
	if err != nil {
		return nil, withoutBody(r, err)
	}
	req, err := t.authorized(r, creds)
	if err != nil {
		return nil, withoutBody(r, err)
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}

	// The server has accepted the token.
	if resp.StatusCode < http.StatusMultipleChoices {
		t.credentials.accepted.Store(creds)
		return resp, nil
	}
	if resp.StatusCode == http.StatusUnauthorized && t.credentials.renew(creds) {
		storageErr := translate(errorFromResponse(resp))
		// If Unknown, a gateway may have sent the 401. A new token would not help.
		storageErr.Retryable = !storageErr.Unknown
		return nil, storageErr
	}
	return resp, nil
}

// withoutBody closes the body of a request that is not sent, and returns err. A RoundTripper must
// close the body even then.
func withoutBody(r *http.Request, err error) error {
	if r.Body != nil {
		_ = r.Body.Close() // err is why the request was not sent
	}
	return err
}

// authorized returns the request with a token of the credentials.
func (t *authorizer) authorized(r *http.Request, creds *auth.Credentials) (*http.Request, error) {
	token, quota, err := t.credentials.token(r.Context(), creds)
	if err != nil {
		return nil, err
	}

	// A RoundTripper must not change the request of the caller.
	req := *r
	req.Header = maps.Clone(r.Header)
	req.Header.Set("Authorization", cmp.Or(token.Type, "Bearer")+" "+token.Value)
	if quota != "" && req.Header.Get(userProjectHeader) == "" {
		req.Header.Set(userProjectHeader, quota)
	}
	return &req, nil
}
