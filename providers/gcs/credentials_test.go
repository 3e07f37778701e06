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

// authorizedUser returns a credential that gets its token by one request.
func authorizedUser(t *testing.T, quotaProject string) []byte {
	t.Helper()
	file, err := json.Marshal(map[string]string{
		"type":             "authorized_user",
		"client_id":        "id",
		"client_secret":    "S3CR3T",
		"refresh_token":    "S3CR3T",
		"quota_project_id": quotaProject,
	})
	require.NoError(t, err)
	return file
}

// requestAttrs makes a request for the attributes of "a".
func requestAttrs(t *testing.T, d *objectDriver) error {
	t.Helper()
	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	return err
}

// Every request sends the token of TokenSource in its header Authorization.
func TestTokenOfRequests(t *testing.T) {
	isolateEnv(t, nil)
	server := newCannedServer(t, storedReply)
	d := server.openDriver(t, func(c *Config) {
		c.TokenSource = oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "T"})
	})
	require.NoError(t, requestAttrs(t, d))
	_, err := d.Put(t.Context(), wiretest.Put("a", "x"))
	require.NoError(t, err)

	for _, r := range server.Requests() {
		require.Equal(t, "Bearer T", r.Header.Get("Authorization"))
	}
}

// Anonymous requests have no token.
func TestTokenNotSentAnonymously(t *testing.T) {
	isolateEnv(t, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere"})
	server := newCannedServer(t, storedReply)
	require.NoError(t, requestAttrs(t, server.openDriver(t)))
	require.Empty(t, server.Last(t).Header.Get("Authorization"))
}

// failingTokens is a token source that always fails.
type failingTokens struct{ err error }

// Token fails with the source's error.
func (s failingTokens) Token() (*oauth2.Token, error) { return nil, s.err }

// If the token source fails, the call fails with a retryable error, and sends nothing.
func TestTokenErrors(t *testing.T) {
	server := newCannedServer(t, storedReply)
	boom := errors.New("boom")
	d := server.openDriver(t, func(c *Config) {
		c.TokenSource = failingTokens{boom}
	})
	_, err := d.Put(t.Context(), wiretest.Put("a", "x"))

	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.Unavailable, storageErr.Code)
	require.True(t, storageErr.Retryable)
	require.False(t, storageErr.Unknown, "nothing was sent")
	require.ErrorIs(t, err, boom)
	require.Empty(t, server.Calls())
}

// If the token source fails after the context was canceled, the call fails with Canceled.
func TestTokenErrorsCanceled(t *testing.T) {
	d := newCannedServer(t, storedReply).openDriver(t, func(c *Config) {
		c.TokenSource = failingTokens{errors.New("boom")}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := d.Put(ctx, wiretest.Put("a", "x"))
	require.Equal(t, storage.Canceled, storage.CodeOf(err))
}

// The driver looks for default credentials at its first request, not in Open.
func TestDefaultCredentialsOfFirstRequest(t *testing.T) {
	isolateEnv(t, nil)
	noUniverse := reply{Status: http.StatusNotFound} // as on machines older than universes
	metadata := newCannedServer(t, noUniverse, tokenReply("M"))
	t.Setenv("GCE_METADATA_HOST", metadata.Listener.Addr().String())
	base := &recordingTransport{} // fails with errRecorded after it has recorded the request

	d, err := NewDriver(t.Context(), Config{Bucket: "photos", HTTPClient: &http.Client{Transport: base}})
	require.NoError(t, err)
	require.Empty(t, metadata.Calls(), "opening makes no request")

	// The first request gets a token of the metadata service.
	require.ErrorIs(t, requestAttrs(t, d.(*objectDriver)), errRecorded)
	require.Equal(t, "Bearer M", base.header.Get("Authorization"))

	// The second request uses the same token.
	calls := len(metadata.Calls())
	require.NotZero(t, calls)
	require.ErrorIs(t, requestAttrs(t, d.(*objectDriver)), errRecorded)
	require.Len(t, metadata.Calls(), calls)
}

// Default credentials in a file are read once, at the first use, and without a request to the metadata service.
func TestCredentialsOfAFileAreFoundWithoutTheMetadataService(t *testing.T) {
	// A request to the metadata service would fail the test.
	file := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, os.WriteFile(file, authorizedUser(t, "payer"), 0o600))
	isolateEnv(t, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file})
	d, err := NewDriver(t.Context(), Config{Bucket: "photos"})
	require.NoError(t, err)

	// NewDriver has not looked for the credentials.
	credentials := d.(*objectDriver).account.credentials
	require.Nil(t, credentials.cached.Load(), "opening looks for nothing")

	creds, err := credentials.get()
	require.NoError(t, err)
	quota, err := creds.QuotaProjectID(t.Context())
	require.NoError(t, err)
	require.Equal(t, "payer", quota)

	second, err := credentials.get()
	require.NoError(t, err)
	require.Same(t, creds, second, "they are found once")
	require.NoError(t, d.Close())
}

// If there are no default credentials, Open succeeds, and the first request fails with Unauthenticated.
func TestDefaultCredentialsMissing(t *testing.T) {
	isolateEnv(t, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": filepath.Join(t.TempDir(), "none")})
	d, err := NewDriver(t.Context(), Config{Bucket: "photos"})
	require.NoError(t, err, "opening looks for nothing")

	err = requestAttrs(t, d.(*objectDriver))

	require.ErrorIs(t, err, storage.Unauthenticated)
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.NotEmpty(t, storageErr.Hint)
}

// The authorizer adds the token to a copy of the request. If there is no quota project, it sends no
// X-Goog-User-Project.
func TestTokenWithoutQuotaProject(t *testing.T) {
	creds, err := newCredentials(Config{TokenSource: oauth2.StaticTokenSource(&oauth2.Token{
		AccessToken: "T",
		Expiry:      time.Now().Add(time.Hour),
	})})
	require.NoError(t, err)

	// The transport base records the header of the request, and fails with errRecorded.
	base := &recordingTransport{}
	a := &authorizer{base: base, credentials: creds}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://storage.googleapis.com", nil)
	require.NoError(t, err)

	_, err = a.RoundTrip(req)
	require.ErrorIs(t, err, errRecorded)

	require.Equal(t, "Bearer T", base.header.Get("Authorization"))
	require.Empty(t, base.header.Get("X-Goog-User-Project"))
	require.Empty(t, req.Header.Get("Authorization"), "the request is the caller's")
}

// A countedSource returns a new token for each request.
type countedSource struct{ made atomic.Int32 }

// Token returns the tokens T1, T2, and so on.
func (s *countedSource) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: fmt.Sprintf("T%d", s.made.Add(1))}, nil
}

// If Google refuses a token that has worked, the driver gets a new token and repeats the request, once.
// googleapis/google-cloud-go#8764, googleapis/google-cloud-go#9262.
func TestTokenRefusedRenewed(t *testing.T) {
	refused := xmlError(http.StatusUnauthorized, "AuthenticationRequired", "Authentication required.")
	tests := []struct {
		name    string
		replies []reply // to the second request and those after it; the first one, a write, succeeds
		call    func(t *testing.T, bucket storage.Bucket) error
		want    storage.Code // "": success
	}{
		{
			name:    "token refused for a write",
			replies: []reply{refused, storedReply},
			call: func(t *testing.T, bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("hello world"))
				return err
			},
		},
		{
			name:    "token refused for a read",
			replies: []reply{refused, storedReply},
			call: func(t *testing.T, bucket storage.Bucket) error {
				_, err := bucket.Attrs(t.Context(), "a")
				return err
			},
		},
		{
			name:    "new token refused, too",
			replies: []reply{refused, refused},
			call: func(t *testing.T, bucket storage.Bucket) error {
				_, err := bucket.Attrs(t.Context(), "a")
				return err
			},
			want: storage.Unauthenticated,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, append([]reply{storedReply}, tt.replies...)...)
			bucket := openWithNewTokens(t, server)
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("hello world"))
			require.NoError(t, err)

			err = tt.call(t, bucket)
			if tt.want == "" {
				require.NoError(t, err)
			} else {
				requireTokenRefused(t, err)
			}

			// The call made two requests, the second one with a new token.
			tokens := map[string]bool{}
			for _, r := range server.Requests() {
				tokens[r.Header.Get("Authorization")] = true
			}
			require.Len(t, server.Requests(), 3)
			require.Len(t, tokens, 3, "the TokenSource of this test gives each request a new token")
		})
	}
}

// If Google refuses the first token, the call fails with Unauthenticated and does not try another token.
func TestFirstTokenRefused(t *testing.T) {
	server := newCannedServer(t,
		xmlError(http.StatusUnauthorized, "AuthenticationRequired", "Authentication required."))

	_, err := openWithNewTokens(t, server).Attrs(t.Context(), "a")
	requireTokenRefused(t, err)
	require.Len(t, server.Requests(), 1)
}

// openWithNewTokens opens the bucket "photos" at the server, with a new token for each request.
func openWithNewTokens(t *testing.T, s *cannedServer) storage.Bucket {
	t.Helper()
	d := s.openDriver(t, func(c *Config) { c.TokenSource = &countedSource{} })
	return engine.New(d, storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
}

// requireTokenRefused requires that err is Unauthenticated with the status 401, and that the
// outcome is known.
func requireTokenRefused(t *testing.T, err error) {
	t.Helper()
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.Unauthenticated, storageErr.Code)
	require.Equal(t, http.StatusUnauthorized, storageErr.Status)
	require.False(t, storageErr.Unknown)
}

// The driver keeps the token of credentials from a file until the service refuses it, and then gets another one.
func TestTokenRefusedNotKept(t *testing.T) {
	// The tokens are T1, T2 and so on.
	issued := 0
	tokens := wiretest.NewServer(t)
	tokens.Answer = func(wiretest.Request) reply {
		issued++
		return tokenReply(fmt.Sprintf("T%d", issued))
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

	// The third request is refused.
	refusal := jsonError(http.StatusUnauthorized, "authError", "Invalid Credentials")
	server := newCannedServer(t, storedReply, storedReply, refusal, storedReply)
	bucket := engine.New(server.openDriver(t, func(c *Config) {
		c.CredentialsJSON = account
	}))

	// The third call retries its request.
	for range 3 {
		_, err := bucket.Attrs(t.Context(), "a")
		require.NoError(t, err)
	}

	var got []string
	for _, r := range server.Requests() {
		got = append(got, r.Header.Get("Authorization"))
	}
	require.Equal(t, []string{"Bearer T1", "Bearer T1", "Bearer T1", "Bearer T2"}, got)
}

// tokenReply returns a token as Google's token endpoint does.
func tokenReply(token string) reply {
	return reply{
		Header: map[string]string{"Content-Type": "application/json"},
		Body:   `{"access_token":"` + token + `","expires_in":3600,"token_type":"Bearer"}`,
	}
}

// errRecorded is the error of a recordingTransport.
var errRecorded = errors.New("recorded")

// A recordingTransport keeps the header of the last request, and sends nothing.
type recordingTransport struct{ header http.Header }

// RoundTrip records the header and fails with errRecorded.
func (r *recordingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	r.header = request.Header
	return nil, errRecorded
}

// Config.Credentials names credentials. The environment variable that begins with that name has the path of their key
// file.
func TestCredentialsByName(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string][]byte{
		"old":     authorizedUser(t, "old-payer"),
		"new":     authorizedUser(t, "new-payer"),
		"invalid": []byte("S3CR3T"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o600))
	}
	tests := []struct {
		name        string
		credentials string       // Config.Credentials
		file        string       // in OLD_STORE_GOOGLE_APPLICATION_CREDENTIALS
		wantQuota   string       // the quota project in the file
		wantErr     storage.Code // "": success
		wantHint    string
	}{
		{name: "one account", credentials: "old-store", file: "old", wantQuota: "old-payer"},
		{name: "another account", credentials: "old-store", file: "new", wantQuota: "new-payer"},
		{
			name:        "variable missing",
			credentials: "other",
			wantErr:     storage.Unauthenticated,
			wantHint:    "set OTHER_GOOGLE_APPLICATION_CREDENTIALS to the path of a key file or credential configuration",
		},
		{name: "file missing", credentials: "old-store", file: "missing", wantErr: storage.Unauthenticated},
		{name: "file without credentials", credentials: "old-store", file: "invalid", wantErr: storage.InvalidArgument},
		{name: "invalid name", credentials: "a b", wantErr: storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			isolateEnv(t, nil)
			if tt.file != "" {
				t.Setenv("OLD_STORE_GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(folder, tt.file))
			}

			d, err := NewDriver(t.Context(), Config{Bucket: "photos", Credentials: tt.credentials})
			if tt.wantErr != "" {
				require.ErrorIs(t, err, tt.wantErr)
				require.NotContains(t, err.Error(), "S3CR3T")
				if tt.wantHint != "" {
					require.Equal(t, tt.wantHint, err.(*storage.Error).Hint)
				}
				return
			}
			require.NoError(t, err)

			creds, err := d.(*objectDriver).account.credentials.get()
			require.NoError(t, err)
			quota, err := creds.QuotaProjectID(t.Context())
			require.NoError(t, err)
			require.Equal(t, tt.wantQuota, quota)
			require.NoError(t, d.Close())
		})
	}
}

// writeServiceAccount writes the key file of a new service account, whose tokens come from tokenURL. It returns the
// file's path.
func writeServiceAccount(t *testing.T, name, tokenURL string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	content, err := json.Marshal(map[string]string{
		"type":           "service_account",
		"client_email":   name + "@example.iam.gserviceaccount.com",
		"private_key_id": "id",
		"token_uri":      tokenURL,
		"private_key":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})),
	})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}

// Buckets that are opened with different credentials each send the token of their own credentials.
func TestOpenTwoIdentities(t *testing.T) {
	isolateEnv(t, nil)
	server := newCannedServer(t, storedReply)
	// The credentials "old" and "new" have key files. Each has a token service, whose token
	// contains the name of the credentials.
	for _, name := range []string{"old", "new"} {
		tokenService := newCannedServer(t, tokenReply("token-of-"+name))
		t.Setenv(strings.ToUpper(name)+"_GOOGLE_APPLICATION_CREDENTIALS",
			writeServiceAccount(t, name, tokenService.URL))
	}

	for _, name := range []string{"old", "new", "old"} {
		bucket, err := storage.Open(t.Context(), "gs://photos?credentials="+name+"&endpoint="+server.URL)
		require.NoError(t, err)
		_, err = bucket.Attrs(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "Bearer token-of-"+name, server.Last(t).Header.Get("Authorization"))
		require.NoError(t, storage.Close(bucket))
	}
}

// Credentials named in an address are sent only over TLS or to this machine, because an address may name any
// server.
func TestCredentialsByNameNeedTLS(t *testing.T) {
	t.Setenv("WORK_GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")
	const fileIsMissing = storage.Unauthenticated // the endpoint was accepted

	tests := []struct {
		name     string
		endpoint string
		want     storage.Code
	}{
		{name: "without TLS", endpoint: "http://storage.example.com", want: storage.InvalidArgument},
		{name: "this machine without TLS", endpoint: "http://127.0.0.1:4443", want: fileIsMissing},
		{name: "TLS", endpoint: "https://example.com", want: fileIsMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := withNamedCredentials(Config{Bucket: "photos", Endpoint: tt.endpoint, Credentials: "work"})
			require.Equal(t, tt.want, storage.CodeOf(err))
		})
	}
}
