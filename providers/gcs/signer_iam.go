package gcs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
)

const (
	iamCalls  = 16               // at once: each is answered within some 50 ms, and a project has a quota of them
	iamTime   = 20 * time.Second // of one call
	iamAnswer = 64 << 10         // bytes of the longest answer that is read

	// maxSignedByIAM: Google changes the key that it keeps, and may forget the
	// old one 12 hours later (gcloud storage sign-url, --duration).
	maxSignedByIAM = 12 * time.Hour
)

// iamSignatory has Google sign: one call of signBlob a signature, for every
// signature is of another text. The token that authorises it is kept with the
// credentials.
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
type iamSigner struct {
	name     string
	account  *account // whose credentials ask
	endpoint string
	calls    chan struct{}
	time     time.Duration
}

func newIAMSigner(name string, by *account) *iamSigner {
	return &iamSigner{name: name, account: by, endpoint: "https://iamcredentials." + cmp.Or(by.universe, googleUniverse), calls: make(chan struct{}, iamCalls), time: iamTime}
}

func (s *iamSigner) email() string { return s.name }

func (s *iamSigner) maxTerm() time.Duration { return maxSignedByIAM }

func (s *iamSigner) sign(ctx context.Context, text []byte) ([]byte, error) {
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, s.time)
	defer cancel()
	signature, err := s.signBlob(limited, text)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, &storage.Error{Code: storage.Unavailable, Err: errors.New("signBlob was not answered in " + s.time.String())}
	}
	return signature, err
}

func (s *iamSigner) signBlob(ctx context.Context, text []byte) ([]byte, error) {
	body, err := json.Marshal(map[string][]byte{"payload": text})
	if err != nil {
		return nil, &storage.Error{Code: storage.Internal, Err: err}
	}
	address := s.endpoint + "/v1/projects/-/serviceAccounts/" + url.PathEscape(s.name) + ":signBlob"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, &storage.Error{Code: storage.Internal, Err: err}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.account.http.Do(request)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { _ = response.Body.Close() }()
	response.Body = io.NopCloser(io.LimitReader(response.Body, iamAnswer))
	if err := googleapi.CheckResponse(response); err != nil {
		return nil, s.signBlobError(err)
	}
	var signed struct {
		SignedBlob string `json:"signedBlob"`
	}
	text, err = io.ReadAll(response.Body)
	if err != nil {
		return nil, translate(err)
	}
	err = json.Unmarshal(text, &signed)
	signature, bad := base64.StdEncoding.DecodeString(signed.SignedBlob)
	if err != nil || bad != nil || len(signature) == 0 {
		return nil, &storage.Error{Code: storage.Internal, Err: errors.New("signBlob answered without a signature")}
	}
	return signature, nil
}

// refused is why IAM does not sign. Its 404 is of the account, not of a bucket.
func (s *iamSigner) signBlobError(err error) error {
	e := translate(err)
	switch e.Status {
	case http.StatusForbidden:
		if e.Code == storage.PermissionDenied {
			e.Hint = "the credentials need roles/iam.serviceAccountTokenCreator on " + s.name + ", also where they are its own"
		}
	case http.StatusNotFound:
		e.Code, e.Hint = storage.Unauthenticated, "there is no service account "+s.name
	}
	return e
}
