package gcs

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// authorizedUser returns a credential whose token takes one request.
func authorizedUser(t *testing.T, quota string) []byte {
	t.Helper()
	file, err := json.Marshal(map[string]string{"type": "authorized_user", "client_id": "id", "client_secret": "S3CR3T", "refresh_token": "S3CR3T", "quota_project_id": quota})
	require.NoError(t, err)
	return file
}

func head(t *testing.T, d *objectDriver) error {
	t.Helper()
	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	return err
}

// Every request sends the token of TokenSource in its header Authorization.
func TestTokenOfRequests(t *testing.T) {
	isolateEnv(t, nil)
	server := newStandIn(t, stored)
	d := server.on(t, func(c *Config) {
		c.TokenSource = oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "T"})
	})
	require.NoError(t, head(t, d))
	_, err := d.Put(t.Context(), wiretest.Put("a", "x"))
	require.NoError(t, err)
	for _, s := range server.server.Requests() {
		require.Equal(t, "Bearer T", s.Header.Get("Authorization"))
	}
}

// Anonymous requests have no token.
func TestTokenNotSentAnonymously(t *testing.T) {
	isolateEnv(t, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere"})
	server := newStandIn(t, stored)
	require.NoError(t, head(t, server.on(t)))
	require.Empty(t, server.server.Last(t).Header.Get("Authorization"))
}

// failingTokens is a token source that always fails.
type failingTokens struct{ err error }

func (s failingTokens) Token() (*oauth2.Token, error) { return nil, s.err }

func TestTokenErrors(t *testing.T) {
	server := newStandIn(t, stored)
	boom := errors.New("boom")
	d := server.on(t, func(c *Config) {
		c.TokenSource = failingTokens{boom}
	})
	_, err := d.Put(t.Context(), wiretest.Put("a", "x"))

	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.True(t, e.Retryable)
	require.False(t, e.Unknown, "nothing was sent")
	require.ErrorIs(t, err, boom)
	require.Empty(t, server.server.Calls())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Put(ctx, wiretest.Put("a", "x"))
	require.Equal(t, storage.Canceled, storage.CodeOf(err))
}

// The driver looks for default credentials at its first request, not in Open.
func TestDefaultCredentialsOfFirstRequest(t *testing.T) {
	isolateEnv(t, nil)
	noUniverse := reply{Status: http.StatusNotFound} // as on machines older than universes
	metadata := newStandIn(t, noUniverse, reply{Header: map[string]string{"Content-Type": "application/json"}, Body: `{"access_token":"M","expires_in":3600,"token_type":"Bearer"}`})
	t.Setenv("GCE_METADATA_HOST", metadata.server.Listener.Addr().String())
	base := &recordingTransport{}

	d, err := NewDriver(t.Context(), Config{Bucket: "photos", HTTPClient: &http.Client{Transport: base}})
	require.NoError(t, err)
	require.Empty(t, metadata.server.Calls(), "opening makes no request")
	require.ErrorIs(t, head(t, d.(*objectDriver)), errRecorded)
	require.Equal(t, "Bearer M", base.header.Get("Authorization"))

	calls := len(metadata.server.Calls())
	require.NotZero(t, calls)
	require.ErrorIs(t, head(t, d.(*objectDriver)), errRecorded)
	require.Len(t, metadata.server.Calls(), calls, "a token is kept")
}

func TestCredentialsOfAFileAreFoundWithoutTheMetadataService(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, os.WriteFile(file, authorizedUser(t, "payer"), 0o600))
	isolateEnv(t, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file})
	d, err := NewDriver(t.Context(), Config{Bucket: "photos"})
	require.NoError(t, err)

	c := d.(*objectDriver).account.credentials
	require.Nil(t, c.cached.Load(), "opening looks for nothing")
	creds, err := c.get()
	require.NoError(t, err)
	quota, err := creds.QuotaProjectID(t.Context())
	require.NoError(t, err)
	require.Equal(t, "payer", quota)

	second, err := c.get()
	require.NoError(t, err)
	require.Same(t, creds, second, "they are found once")
	require.NoError(t, d.Close())
}

// If there are no default credentials, Open succeeds, and the first request fails with Unauthenticated.
func TestDefaultCredentialsMissing(t *testing.T) {
	isolateEnv(t, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": filepath.Join(t.TempDir(), "none")})
	d, err := NewDriver(t.Context(), Config{Bucket: "photos"})
	require.NoError(t, err, "opening looks for nothing")

	err = head(t, d.(*objectDriver))
	require.ErrorIs(t, err, storage.Unauthenticated)
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.Hint)
}

// The authorizer adds the token to a copy of the request. If there is no quota project, it sends no
// X-Goog-User-Project.
func TestTokenWithoutQuotaProject(t *testing.T) {
	server := newStandIn(t, stored)
	base := &recordingTransport{}
	c := &credentials{}
	a := &authorizer{base: base, credentials: c}
	creds, err := newCredentials(Config{TokenSource: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "T", Expiry: time.Now().Add(time.Hour)})})
	require.NoError(t, err)
	c.cached.Store(creds.cached.Load())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.server.URL, nil)
	require.NoError(t, err)

	_, err = a.RoundTrip(request)
	require.ErrorIs(t, err, errRecorded)
	require.Equal(t, "Bearer T", base.header.Get("Authorization"))
	require.Empty(t, base.header.Get("X-Goog-User-Project"))
	require.Empty(t, request.Header.Get("Authorization"), "the request is the caller's")
}

// A countedSource returns a new token for each request.
type countedSource struct{ made atomic.Int32 }

func (s *countedSource) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: fmt.Sprintf("T%d", s.made.Add(1))}, nil
}

// If Google refuses a token before its expiry, the driver gets another one and repeats the request.
// googleapis/google-cloud-go#8764, googleapis/google-cloud-go#9262.
func TestTokenRefusedRenewed(t *testing.T) {
	refusal := reply{
		Status: http.StatusUnauthorized,
		Header: map[string]string{"Content-Type": "application/xml; charset=UTF-8"},
		Body:   `<?xml version='1.0' encoding='UTF-8'?><Error><Code>AuthenticationRequired</Code><Message>Authentication required.</Message></Error>`,
	}
	upload := func(t *testing.T, b storage.Bucket) error {
		t.Helper()
		_, err := b.Upload(t.Context(), "a", strings.NewReader("hello world"))
		return err
	}
	attrs := func(t *testing.T, b storage.Bucket) error {
		t.Helper()
		_, err := b.Attrs(t.Context(), "a")
		return err
	}
	tests := map[string]struct {
		replies  []reply
		do       func(t *testing.T, b storage.Bucket) error
		code     storage.Code // "" for success
		requests int          // of the second operation
	}{
		"of a write":                    {replies: []reply{stored, refusal, stored}, do: upload, requests: 2},
		"of a read":                     {replies: []reply{stored, refusal, stored}, do: attrs, requests: 2},
		"and the new one refused too":   {replies: []reply{stored, refusal}, do: attrs, code: storage.Unauthenticated, requests: 2},
		"but not one that never worked": {replies: []reply{refusal}, do: attrs, code: storage.Unauthenticated, requests: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			source := &countedSource{}
			b := engine.New(server.on(t, func(c *Config) {
				c.TokenSource = source
			}), storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
			if tt.requests == 2 {
				require.NoError(t, upload(t, b))
			}
			requests := len(server.server.Requests())
			err := tt.do(t, b)
			var e *storage.Error
			if tt.code == "" {
				require.NoError(t, err)
			} else {
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.code, e.Code)
				require.False(t, e.Unknown)
				require.Equal(t, http.StatusUnauthorized, e.Status)
			}

			require.Len(t, server.server.Requests(), requests+tt.requests)
			tokens := map[string]bool{}
			for _, r := range server.server.Requests() {
				tokens[r.Header.Get("Authorization")] = true
			}
			require.Len(t, tokens, requests+tt.requests, "each request has a token of its own here")
		})
	}
}

// The token of credentials from a file is kept until it expires or is refused.
func TestTokenRefusedNotKept(t *testing.T) {
	n := 0
	tokens := wiretest.NewServer(t)
	tokens.Answer = func(wiretest.Request) reply {
		n++
		return reply{Header: map[string]string{"Content-Type": "application/json"}, Body: fmt.Sprintf(`{"access_token":"T%d","expires_in":3600,"token_type":"Bearer"}`, n)}
	}
	account, err := json.Marshal(map[string]string{
		"type":           "service_account",
		"client_email":   "a@b",
		"private_key":    testKeyPEM(),
		"private_key_id": "1",
		"token_uri":      tokens.URL,
		"project_id":     "p",
	})
	require.NoError(t, err)
	server := newStandIn(t, stored, stored, failing(http.StatusUnauthorized, "authError", "Invalid Credentials"), stored)
	b := engine.New(server.on(t, func(c *Config) {
		c.CredentialsJSON = account
	}))
	for range 3 {
		_, err := b.Attrs(t.Context(), "a")
		require.NoError(t, err)
	}

	var seen []string
	for _, r := range server.server.Requests() {
		seen = append(seen, r.Header.Get("Authorization"))
	}

	require.Equal(t, []string{"Bearer T1", "Bearer T1", "Bearer T1", "Bearer T2"}, seen)
}

var errRecorded = errors.New("recorded")

type recordingTransport struct{ header http.Header }

func (r *recordingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	r.header = request.Header
	return nil, errRecorded
}

func TestCredentialsByName(t *testing.T) {
	files := t.TempDir()
	for name, content := range map[string][]byte{"old": authorizedUser(t, "old-payer"), "new": authorizedUser(t, "new-payer"), "none": []byte("S3CR3T")} {
		require.NoError(t, os.WriteFile(filepath.Join(files, name), content, 0o600))
	}
	tests := []struct {
		name, credentials, file string
		quota                   string
		fails                   storage.Code
		hint                    string
	}{
		{name: "one account", credentials: "old-store", file: "old", quota: "old-payer"},
		{name: "another one", credentials: "old-store", file: "new", quota: "new-payer"},
		{name: "nothing has the name", credentials: "other", fails: storage.Unauthenticated, hint: "set OTHER_GOOGLE_APPLICATION_CREDENTIALS to the path of a key file or credential configuration"},
		{name: "there is no such file", credentials: "old-store", file: "missing", fails: storage.Unauthenticated},
		{name: "a file of something else", credentials: "old-store", file: "none", fails: storage.InvalidArgument},
		{name: "a name that is none", credentials: "a b", fails: storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			isolateEnv(t, nil)
			if tt.file != "" {
				t.Setenv("OLD_STORE_GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(files, tt.file))
			}
			d, err := NewDriver(t.Context(), Config{Bucket: "photos", Credentials: tt.credentials})
			if tt.fails != "" {
				require.ErrorIs(t, err, tt.fails)
				require.NotContains(t, err.Error(), "S3CR3T")
				if tt.hint != "" {
					require.Equal(t, tt.hint, err.(*storage.Error).Hint)
				}
				return
			}
			require.NoError(t, err)
			creds, err := d.(*objectDriver).account.credentials.get()
			require.NoError(t, err)

			quota, err := creds.QuotaProjectID(t.Context())
			require.NoError(t, err)
			require.Equal(t, tt.quota, quota)
			require.NoError(t, d.Close())
		})
	}
}

// Two identities of Google in one program: each of their requests has its own token.
func TestOpenTwoIdentities(t *testing.T) {
	isolateEnv(t, nil)
	server := newStandIn(t, stored)
	for _, name := range []string{"old", "new"} {
		tokens := newStandIn(t, reply{Header: map[string]string{"Content-Type": "application/json"}, Body: `{"access_token":"token-of-` + name + `","expires_in":3600,"token_type":"Bearer"}`})
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(t, err)
		encoded, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		content, err := json.Marshal(map[string]string{
			"type":           "service_account",
			"client_email":   name + "@example.iam.gserviceaccount.com",
			"private_key_id": "id",
			"token_uri":      tokens.server.URL,
			"private_key":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})),
		})
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		t.Setenv(strings.ToUpper(name)+"_GOOGLE_APPLICATION_CREDENTIALS", file)
	}
	for _, name := range []string{"old", "new", "old"} {
		b, err := storage.Open(t.Context(), "gs://photos?credentials="+name+"&endpoint="+server.server.URL)
		require.NoError(t, err)
		_, err = b.Attrs(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "Bearer token-of-"+name, server.server.Last(t).Header.Get("Authorization"))
		require.NoError(t, storage.Close(b))
	}
}

// Credentials named in an address are sent only over TLS or to this machine, because an address may name any
// server.
func TestCredentialsByNameNeedTLS(t *testing.T) {
	t.Setenv("WORK_GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")
	for endpoint, code := range map[string]storage.Code{
		"http://storage.example.com": storage.InvalidArgument,
		"http://127.0.0.1:4443":      storage.Unauthenticated, // the file is missing
		"https://example.com":        storage.Unauthenticated,
	} {
		_, err := withNamedCredentials(Config{Bucket: "photos", Endpoint: endpoint, Credentials: "work"})
		require.Equal(t, code, storage.CodeOf(err), endpoint)
	}
}
