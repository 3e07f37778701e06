package gcs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
)

const (
	iamCalls       = 16               // calls at the same time; each takes about 50 ms, and a project has a quota
	iamTimeout     = 20 * time.Second // time limit of one call
	maxIAMResponse = 64 << 10         // bytes

	// maxSignedByIAM is the time for which Google keeps an old key valid after it has created a new
	// one (gcloud storage sign-url, --duration).
	maxSignedByIAM = 12 * time.Hour
)

// An iamSigner calls signBlob of Google's IAM for each signature. The token for these calls is
// cached.
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
type iamSigner struct {
	name     string
	account  *account // the account whose credentials authorize the call
	endpoint string
	calls    chan struct{}
	timeout  time.Duration
}

// newIAMSigner returns a signer for the service account with this name. It requests each signature
// from Google's IAM with the credentials of a, in at most iamCalls requests at the same time.
func newIAMSigner(name string, a *account) *iamSigner {
	return &iamSigner{
		name:     name,
		account:  a,
		endpoint: "https://iamcredentials." + cmp.Or(a.universe, googleUniverse),
		calls:    make(chan struct{}, iamCalls),
		timeout:  iamTimeout,
	}
}

func (s *iamSigner) email() string { return s.name }

func (s *iamSigner) maxTerm() time.Duration { return maxSignedByIAM }

// sign returns the signature of text, which it requests from IAM. If iamCalls requests are running, it
// waits until one of them ends. If the response takes longer than s.timeout, it fails with Unavailable.
func (s *iamSigner) sign(ctx context.Context, text []byte) ([]byte, error) {
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	callCtx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	signature, err := s.signBlob(callCtx, text)
	if err != nil {
		// The caller's context has not ended, so only the time limit of the call can have.
		isTimeout := callCtx.Err() != nil && ctx.Err() == nil
		if isTimeout {
			return nil, &storage.Error{
				Code: storage.Unavailable,
				Err:  errors.New("signBlob returned no response within " + s.timeout.String()),
			}
		}
		return nil, err
	}
	return signature, nil
}

// signBlob makes one call of signBlob, which returns the signature of text.
func (s *iamSigner) signBlob(ctx context.Context, text []byte) ([]byte, error) {
	body, err := json.Marshal(map[string][]byte{"payload": text})
	if err != nil {
		return nil, &storage.Error{Code: storage.Internal, Err: err}
	}

	address := s.endpoint + "/v1/projects/-/serviceAccounts/" + url.PathEscape(s.name) + ":signBlob"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, &storage.Error{Code: storage.Internal, Err: err}
	}
	req.Header.Set("Content-Type", "application/json")

	resp, err := s.account.http.Do(req)
	if err != nil {
		return nil, translate(err)
	}
	defer resp.Body.Close()

	resp.Body = io.NopCloser(io.LimitReader(resp.Body, maxIAMResponse))
	if err := googleapi.CheckResponse(resp); err != nil {
		return nil, s.signBlobError(err)
	}
	document, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, translate(err)
	}
	return parseSignature(document)
}

// parseSignature returns the signature in document, the JSON response of signBlob.
func parseSignature(document []byte) ([]byte, error) {
	errNoSignature := &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("the response of signBlob has no signature"),
	}
	var result struct {
		SignedBlob []byte `json:"signedBlob"` // in base64
	}
	if err := json.Unmarshal(document, &result); err != nil {
		return nil, errNoSignature
	}
	if len(result.SignedBlob) == 0 {
		return nil, errNoSignature
	}
	return result.SignedBlob, nil
}

// deniedHint returns the hint for a call that was denied. The status is the same for a missing
// role, for a machine whose tokens have too few scopes, and for an API that is not enabled.
// fog/fog-google#629,
// https://cloud.google.com/apis/docs/troubleshooting
func (s *iamSigner) deniedHint(err error) string {
	text := err.Error()
	if strings.Contains(text, "SERVICE_DISABLED") || strings.Contains(text, "has not been used in project") {
		return "enable the API iamcredentials.googleapis.com in the project of the credentials, and wait some minutes"
	}
	if strings.Contains(text, "ACCESS_TOKEN_SCOPE_INSUFFICIENT") ||
		strings.Contains(text, "insufficient authentication scopes") {
		return "the access token lacks the scope https://www.googleapis.com/auth/cloud-platform: " +
			"give it to the machine, which must be stopped for that, or set Config.SigningKey"
	}
	return "the credentials need roles/iam.serviceAccountTokenCreator on " + s.name + ", even if they are its own credentials"
}

// signBlobError returns the error for a refused call, in which a 404 means that the service account
// is missing, and not a bucket.
func (s *iamSigner) signBlobError(err error) error {
	storageErr := translate(err)
	storageErr.Unknown = false // signing changes nothing in the store
	// Google reports an account ID of invalid form with the status 400.
	hasInvalidID := !strings.Contains(s.name, "@")
	switch {
	case storageErr.Status == http.StatusForbidden && storageErr.Code == storage.PermissionDenied:
		storageErr.Hint = s.deniedHint(err)
	case storageErr.Status == http.StatusBadRequest && hasInvalidID:
		storageErr.Code = storage.Unsupported
		storageErr.Hint = noAccountHint
	case storageErr.Status == http.StatusNotFound:
		storageErr.Code = storage.Unauthenticated
		storageErr.Hint = "there is no service account " + s.name
	}
	return storageErr
}
