package googlekms

import (
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

// finder returns a function that returns the given credentials. If they are nil, the function looks
// up the application default credentials once.
func finder(creds *auth.Credentials) func() (*auth.Credentials, error) {
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

// RoundTrip implements [http.RoundTripper].
func (a *authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	var token *auth.Token
	creds, err := a.find()
	if err == nil {
		token, err = creds.Token(r.Context())
	}
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		if ctxErr := r.Context().Err(); ctxErr != nil {
			return nil, ctxErr
		}
		authErr, ok := errors.AsType[*auth.Error](err)
		return nil, kms.NoCredentials(
			err, ok && authErr.Temporary(),
			"set GOOGLE_APPLICATION_CREDENTIALS, or log in with gcloud auth application-default login",
		)
	}
	req := r.Clone(r.Context())
	req.Header.Set("Authorization", "Bearer "+token.Value)
	return a.base.RoundTrip(req)
}
