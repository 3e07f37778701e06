package gcs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/internal/sigv4"
)

// secretToken is a token that must appear in no error.
const secretToken = "ya29.secret-token"

// openIAMSigningDriver opens a bucket whose signatures come from the IAM service. A test server with the given
// handler stands in for that service.
func openIAMSigningDriver(t *testing.T, answer http.HandlerFunc) (*objectDriver, *iamSigner) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	d, err := NewDriver(t.Context(), Config{
		Bucket:         "photos",
		SigningAccount: testAccount,
		TokenSource:    oauth2.StaticTokenSource(&oauth2.Token{AccessToken: secretToken}),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	signs, err := d.(*objectDriver).account.signerFinder.get(t.Context())
	require.NoError(t, err)

	iam := signs.(*iamSigner)
	require.Equal(t, "https://iamcredentials.googleapis.com", iam.endpoint)
	iam.endpoint = server.URL
	return d.(*objectDriver), iam
}

// signBlob responds as Google does, with the test's key.
func signBlob(t *testing.T, w http.ResponseWriter, r *http.Request) {
	var request struct{ Payload []byte }
	if !assertDecodes(t, r.Body, &request) {
		return
	}
	signature, err := (&keySigner{key: testKey()}).sign(r.Context(), request.Payload)
	if err != nil {
		t.Error(err)
	}
	_ = json.NewEncoder(w).Encode(map[string]string{
		"keyId":      "k",
		"signedBlob": base64.StdEncoding.EncodeToString(signature),
	})
}

// assertDecodes decodes JSON, and reports whether it could. It may be called from a handler.
func assertDecodes(t *testing.T, src io.Reader, dst any) bool {
	if err := json.NewDecoder(src).Decode(dst); err != nil {
		t.Error(err)
		return false
	}
	return true
}

// The IAM service signs URLs and forms exactly as the account's own key does. Each of them takes
// one request.
func TestSignByIAM(t *testing.T) {
	var requests []*http.Request
	d, _ := openIAMSigningDriver(t, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r)
		signBlob(t, w, r)
	})
	withOwnKey := newSigningDriver(t, Config{})

	// Both drivers sign the same URL.
	r := wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.Key = "a b"
		r.MinSize = 5
		r.MaxSize = 5
	})
	signedURL, err := d.urls.sign(t.Context(), r, signedAt)
	require.NoError(t, err)
	wantURL, err := withOwnKey.urls.sign(t.Context(), r, signedAt)
	require.NoError(t, err)
	require.Equal(t, wantURL, signedURL)

	require.Len(t, requests, 1)
	require.Equal(t, "POST /v1/projects/-/serviceAccounts/"+testAccount+":signBlob",
		requests[0].Method+" "+requests[0].URL.Path)
	require.Equal(t, "Bearer "+secretToken, requests[0].Header.Get("Authorization"))
	require.Equal(t, "application/json", requests[0].Header.Get("Content-Type"))

	// The driver with its own key signs the same form.
	form, err := d.urls.signForm(t.Context(), signedForm(nil), signedAt)
	require.NoError(t, err)
	wantForm, err := withOwnKey.urls.signForm(t.Context(), signedForm(nil), signedAt)
	require.NoError(t, err)
	require.Equal(t, wantForm, form)
	require.Len(t, requests, 2)
}

// A URL that IAM has signed expires after 12 hours, when Google's key does, even if a longer term
// was requested.
func TestSignByIAMExpires(t *testing.T) {
	d, _ := openIAMSigningDriver(t, func(w http.ResponseWriter, r *http.Request) {
		signBlob(t, w, r)
	})
	r := signedDownload(func(r *driver.SignRequest) {
		r.TTL = sigv4.MaxTerm
	})

	signedURL, err := d.urls.sign(t.Context(), r, signedAt)
	require.NoError(t, err)
	require.Equal(t, signedAt.Truncate(time.Second).Add(12*time.Hour), signedURL.ExpiresAt)
	require.Contains(t, signedURL.URL, "X-Goog-Expires=43200&")
}

// Each error of the IAM service while signing maps to a Code, is retryable or not, and may have a hint that says what
// to do. fog/fog-google#629, https://cloud.google.com/apis/docs/troubleshooting.
func TestSignByIAMErrors(t *testing.T) {
	refuse := func(status int, message string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"error":{"code":0,"message":"`+message+`","status":"`+message+`"}}`)
		}
	}
	respond := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, body)
		}
	}
	tests := []struct {
		name          string
		answer        http.HandlerFunc // of the IAM service
		want          storage.Code
		wantHint      string // part of the hint
		wantRetryable bool
	}{
		{
			name:     "no permission to sign",
			answer:   refuse(403, "PERMISSION_DENIED"),
			want:     storage.PermissionDenied,
			wantHint: "roles/iam.serviceAccountTokenCreator on " + testAccount,
		},
		{
			name: "API disabled",
			answer: refuse(403,
				"IAM Service Account Credentials API has not been used in project 7 before or it is disabled."),
			want:     storage.PermissionDenied,
			wantHint: "enable the API",
		},
		{
			name:     "token without the scope",
			answer:   refuse(403, "Request had insufficient authentication scopes."),
			want:     storage.PermissionDenied,
			wantHint: "cloud-platform",
		},
		{
			name:     "account missing",
			answer:   refuse(404, "NOT_FOUND"),
			want:     storage.Unauthenticated,
			wantHint: "there is no service account " + testAccount,
		},
		{name: "token refused", answer: refuse(401, "UNAUTHENTICATED"), want: storage.Unauthenticated},
		{
			name:          "too many requests",
			answer:        refuse(429, "RESOURCE_EXHAUSTED"),
			want:          storage.RateLimited,
			wantRetryable: true,
		},
		{name: "service unavailable", answer: refuse(503, "UNAVAILABLE"), want: storage.Unavailable, wantRetryable: true},
		{name: "signature missing", answer: respond(`{}`), want: storage.Internal},
		{name: "signature not in base64", answer: respond(`{"signedBlob":"%%"}`), want: storage.Internal},
		{name: "a page instead of JSON", answer: respond(`<html>`), want: storage.Internal},
		{
			name: "a response that is too long",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"signedBlob":"`+strings.Repeat("A", 1<<20)+`"}`)
			},
			want: storage.Internal,
		},
		{
			name: "a response that is cut off",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = io.WriteString(w, `{"signedBlob":`)
				panic(http.ErrAbortHandler)
			},
			want:          storage.Unavailable,
			wantRetryable: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := openIAMSigningDriver(t, tt.answer)
			_, err := d.Sign(t.Context(), signedDownload(nil))

			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, tt.want, storageErr.Code, "%v", err)
			require.Equal(t, tt.wantRetryable, storageErr.Retryable)
			require.False(t, storageErr.Unknown)
			require.Contains(t, storageErr.Hint, tt.wantHint)
			require.NotContains(t, err.Error(), secretToken)
		})
	}
}

// At most iamCalls calls of the IAM service run at the same time. A further call waits, and its context can end the
// wait.
func TestSignByIAMLimitsConcurrentCalls(t *testing.T) {
	var iam *iamSigner
	var running []int // the calls that were running at each request, including its own
	d, iam := openIAMSigningDriver(t, func(w http.ResponseWriter, r *http.Request) {
		running = append(running, len(iam.calls))
		signBlob(t, w, r)
	})

	// The channel has one element for each running call. Fill it, as if iamCalls calls were running.
	for range iamCalls {
		iam.calls <- struct{}{}
	}

	// A further call waits until its context is canceled, and sends no request.
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Sign(canceled, signedDownload(nil))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, running)

	// When one of the running calls has ended, the next call sends its request.
	<-iam.calls
	_, err = d.Sign(t.Context(), signedDownload(nil))
	require.NoError(t, err)
	require.Equal(t, []int{iamCalls}, running)
}

// A call of the IAM service counts as running until it ends, whether it succeeds or fails.
func TestSignByIAMCountsRunningCalls(t *testing.T) {
	tests := []struct {
		name    string
		refused bool
	}{
		{name: "success", refused: false},
		{name: "refusal", refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The channel iam.calls has one element for each running call.
			var iam *iamSigner
			runningAtRequest := 0
			d, iam := openIAMSigningDriver(t, func(w http.ResponseWriter, r *http.Request) {
				runningAtRequest = len(iam.calls)
				if tt.refused {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				signBlob(t, w, r)
			})

			_, err := d.Sign(t.Context(), signedDownload(nil))
			require.Equal(t, tt.refused, err != nil, "%v", err)
			require.Equal(t, 1, runningAtRequest)
			require.Empty(t, iam.calls, "no call is running any more")
		})
	}
}

// A request for a signature ends with its own time limit or with the deadline of the caller, whichever comes first.
func TestSignByIAMTimesOut(t *testing.T) {
	// The IAM service does not respond before the test ends.
	testEnds := make(chan struct{})
	d, iam := openIAMSigningDriver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-testEnds
	})
	defer close(testEnds)
	require.Equal(t, iamTimeout, iam.timeout)

	// The request's own limit comes first. The error names no deadline, because the caller has set
	// none.
	iam.timeout = time.Millisecond
	_, err := d.Sign(t.Context(), signedDownload(nil))
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)

	// The caller's deadline comes first.
	iam.timeout = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = d.Sign(ctx, signedDownload(nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
