package googlekms

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"

	"github.com/omnibucket/storage/layers/encrypt/internal/kms"
)

// authorized is a transport that adds an access token to each request.
type authorized struct {
	find func() (*auth.Credentials, error)
	base http.RoundTripper
}

// credentialsFinder returns a function that returns creds or, if they are nil, looks up the application
// default credentials once.
func credentialsFinder(creds *auth.Credentials) func() (*auth.Credentials, error) {
	return sync.OnceValues(func() (*auth.Credentials, error) {
		if creds != nil {
			return creds, nil
		}
		// An asynchronous refresh would be a goroutine that outlives the request.
		return credentials.DetectDefault(
			&credentials.DetectOptions{
				Scopes:              []string{"https://www.googleapis.com/auth/cloudkms"},
				DisableAsyncRefresh: true,
			},
		)
	})
}

// RoundTrip sends a copy of r with an access token. It implements [http.RoundTripper].
func (a *authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := a.token(r.Context())
	if err != nil {
		// A RoundTripper must close the body also if it fails.
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	req := r.Clone(r.Context())
	req.Header.Set("Authorization", "Bearer "+token.Value)
	return a.base.RoundTrip(req)
}

// token returns an access token. If there is none, the error says how to set credentials.
func (a *authorized) token(ctx context.Context) (*auth.Token, error) {
	creds, err := a.find()
	if err != nil {
		return nil, errNoToken(ctx, err)
	}
	token, err := creds.Token(ctx)
	if err != nil {
		return nil, errNoToken(ctx, err)
	}
	return token, nil
}

// errNoToken returns the error for a request without an access token, which could not be had because of
// err. If ctx has ended, it returns the error of ctx.
func errNoToken(ctx context.Context, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		return ctxErr
	}

	authErr, ok := errors.AsType[*auth.Error](err)
	isTemporary := ok && authErr.Temporary()
	return kms.NoCredentials(err, isTemporary,
		"set GOOGLE_APPLICATION_CREDENTIALS, or log in with gcloud auth application-default login")
}
