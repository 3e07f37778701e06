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
type iamSignatory struct {
	name     string
	by       *account // whose credentials ask
	endpoint string
	calls    chan struct{}
	time     time.Duration
}

func newIAMSignatory(name string, by *account) *iamSignatory {
	return &iamSignatory{name: name, by: by, endpoint: "https://iamcredentials." + cmp.Or(by.universe, googleUniverse), calls: make(chan struct{}, iamCalls), time: iamTime}
}

func (s *iamSignatory) email() string { return s.name }

func (s *iamSignatory) longest() time.Duration { return maxSignedByIAM }

func (s *iamSignatory) sign(ctx context.Context, text []byte) ([]byte, error) {
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

func (s *iamSignatory) signBlob(ctx context.Context, text []byte) ([]byte, error) {
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
	answer, err := s.by.http.Do(request)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { _ = answer.Body.Close() }()
	answer.Body = io.NopCloser(io.LimitReader(answer.Body, iamAnswer))
	if err := googleapi.CheckResponse(answer); err != nil {
		return nil, s.refused(err)
	}
	var signed struct {
		SignedBlob string `json:"signedBlob"`
	}
	text, err = io.ReadAll(answer.Body)
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
func (s *iamSignatory) refused(err error) error {
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
