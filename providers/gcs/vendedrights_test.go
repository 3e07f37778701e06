package gcs

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A tokenService stands in for Google's token service, and keeps the last request.
type tokenService struct {
	status   int
	answer   string
	url      string
	request  *http.Request
	form     url.Values
	response *closeRecorder // the body of the last response
}

// A closeRecorder is a response body that knows whether it was closed.
type closeRecorder struct {
	io.Reader
	isClosed bool
}

// Close implements [io.Closer].
func (c *closeRecorder) Close() error {
	c.isClosed = true
	return nil
}

// RoundTrip keeps the request and its form, and returns the answer.
func (s *tokenService) RoundTrip(r *http.Request) (*http.Response, error) {
	s.url = r.URL.String()
	s.request = r
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if s.form, err = url.ParseQuery(string(body)); err != nil {
		return nil, err
	}
	s.response = &closeRecorder{Reader: strings.NewReader(s.answer)}
	return &http.Response{
		StatusCode: s.status,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Request:    r,
		Body:       s.response,
	}, nil
}

// newVendingDriver opens a bucket whose token expires an hour after signedAt.
func newVendingDriver(t *testing.T, s *tokenService, change func(c *Config)) *objectDriver {
	t.Helper()
	c := Config{
		Bucket:     "photos",
		HTTPClient: &http.Client{Transport: s},
		TokenSource: oauth2.StaticTokenSource(&oauth2.Token{
			AccessToken: secretToken,
			Expiry:      signedAt.Add(time.Hour),
		}),
	}
	if change != nil {
		change(&c)
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// restricted is the token service's response. It has a token that is valid for 50 minutes.
const restricted = `{"access_token":"restricted","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3000}`

// newVendRequest returns a request for credentials that are valid for an hour.
func newVendRequest(prefix string, rights storage.Rights) *driver.VendRequest {
	return &driver.VendRequest{Prefix: prefix, Rights: rights, TTL: time.Hour}
}

// Vend exchanges the token for one whose access boundary permits only the rights and the prefix.
func TestVendExchangesTheTokenForOneWithABoundary(t *testing.T) {
	service := &tokenService{status: http.StatusOK, answer: restricted}
	d := newVendingDriver(t, service, nil)
	allRights := storage.Rights{Read: true, List: true, Write: true, Remove: true}
	r := newVendRequest("users/1/", allRights)

	creds, err := d.vend(t.Context(), r, signedAt)
	require.NoError(t, err)
	require.Equal(t, &storage.VendedCredentials{
		Token:   "restricted",
		Expires: signedAt.Add(50 * time.Minute),
	}, creds)

	// The request has the token in its body only.
	require.Equal(t, "https://sts.googleapis.com/v1/token", service.url)
	require.Empty(t, service.request.Header.Get("Authorization"))
	require.Equal(t, "application/x-www-form-urlencoded", service.request.Header.Get("Content-Type"))
	require.Equal(t, secretToken, service.form.Get("subject_token"))
	require.Equal(t, "urn:ietf:params:oauth:grant-type:token-exchange", service.form.Get("grant_type"))
	require.Equal(t, accessToken, service.form.Get("subject_token_type"))
	require.Equal(t, accessToken, service.form.Get("requested_token_type"))

	// The boundary has a rule for reads, one for listings, and one for writes and removals.
	const (
		bucket  = `"availableResource": "//storage.googleapis.com/projects/_/buckets/photos"`
		objects = `"availabilityCondition": {"expression":
			"resource.name.startsWith('projects/_/buckets/photos/objects/users/1/')"}`
		listings = `"availabilityCondition": {"expression":
			"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('users/1/')"}`
	)
	require.JSONEq(t, `{"accessBoundary": {"accessBoundaryRules": [
		{`+bucket+`, "availablePermissions": ["inRole:roles/storage.legacyObjectReader"], `+objects+`},
		{`+bucket+`, "availablePermissions": ["inRole:roles/storage.legacyBucketReader"], `+listings+`},
		{`+bucket+`, "availablePermissions": ["inRole:roles/storage.legacyBucketWriter"], `+objects+`}
	]}}`, service.form.Get("options"))
}

// Vend closes the token service's response, so that its connection can be used again.
func TestVendClosesResponse(t *testing.T) {
	tests := []struct {
		name   string
		status int
		answer string
	}{
		{name: "a token", status: http.StatusOK, answer: restricted},
		{name: "a refusal", status: http.StatusBadRequest, answer: `{"error":"invalid_request"}`},
		{name: "no JSON", status: http.StatusOK, answer: "token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &tokenService{status: tt.status, answer: tt.answer}
			d := newVendingDriver(t, service, nil)
			_, _ = d.vend(t.Context(), newVendRequest("users/1/", storage.Rights{Read: true}), signedAt)
			require.True(t, service.response.isClosed)
		})
	}
}

// Each right of Vend grants only the role that it needs.
func TestVendRoles(t *testing.T) {
	tests := []struct {
		name      string
		rights    storage.Rights
		wantRoles []string
		want      storage.Code
	}{
		{
			name:      "read",
			rights:    storage.Rights{Read: true},
			wantRoles: []string{"inRole:roles/storage.legacyObjectReader"},
			want:      "",
		},
		{
			name:      "list",
			rights:    storage.Rights{List: true},
			wantRoles: []string{"inRole:roles/storage.legacyBucketReader"},
			want:      "",
		},
		{
			name:      "write",
			rights:    storage.Rights{Write: true},
			wantRoles: []string{"inRole:roles/storage.objectCreator"},
			want:      "",
		},
		{
			name:      "write and remove",
			rights:    storage.Rights{Write: true, Remove: true},
			wantRoles: []string{"inRole:roles/storage.legacyBucketWriter"},
			want:      "",
		},
		{name: "remove", rights: storage.Rights{Remove: true}, want: storage.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const allKeys = "" // the prefix
			rules, err := boundaryRules("photos", newVendRequest(allKeys, tt.rights))
			require.Equal(t, tt.want, storage.CodeOf(err))

			var roles []string
			for _, rule := range rules {
				roles = append(roles, rule.Permissions...)
				// Each rule has a condition, because a role to write without one would also permit
				// listing.
				require.NotEmpty(t, rule.Condition.Expression)
			}
			require.Equal(t, tt.wantRoles, roles)
		})
	}
}

// Vend writes the prefix as a quoted literal in its IAM condition, so that no prefix can add to the condition.
func TestVendPrefixLiteral(t *testing.T) {
	tests := []struct {
		name   string
		prefix string
		want   string // the literal in the condition
	}{
		{name: "a quote ends no literal", prefix: `a') || true || ('/`, want: `'a\') || true || (\'/'`},
		{name: "a backslash before a quote", prefix: `\') || true//`, want: `'\\\') || true//'`},
		{name: "no quote", prefix: `"é${x}/`, want: `'"é${x}/'`},
		{name: "only a quote", prefix: `'/`, want: `'\'/'`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := boundaryRules("photos", newVendRequest(tt.prefix, storage.Rights{List: true}))
			require.NoError(t, err)

			want := "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith(" + tt.want + ")"
			require.Equal(t, want, rules[0].Condition.Expression)
		})
	}
}

// A long prefix is refused.
func TestVendLongPrefix(t *testing.T) {
	_, err := boundaryRules("photos", newVendRequest(strings.Repeat("'", 1000)+"/", storage.Rights{Read: true}))
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// If the service's response does not say when vended credentials expire, they expire with the token
// from which they were made.
func TestVendExpiresWithSourceToken(t *testing.T) {
	service := &tokenService{status: http.StatusOK, answer: `{"access_token":"restricted","token_type":"Bearer"}`}
	const allKeys = "" // the prefix
	r := newVendRequest(allKeys, storage.Rights{Read: true})

	creds, err := newVendingDriver(t, service, nil).vend(t.Context(), r, signedAt)
	require.NoError(t, err)
	require.Equal(t, signedAt.Add(time.Hour), creds.Expires)
}

// Vend fails with Unsupported if Google's token is valid for longer than requested.
func TestVendTokenTooLong(t *testing.T) {
	service := &tokenService{status: http.StatusOK, answer: restricted}
	const allKeys = "" // the prefix
	r := newVendRequest(allKeys, storage.Rights{Read: true})
	r.TTL = 15 * time.Minute

	_, err := newVendingDriver(t, service, nil).vend(t.Context(), r, signedAt)
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "ttl of an hour")
	require.NotContains(t, err.Error(), "restricted")
}

// Vend fails with a Code that stands for the error of the token service, and its error never shows the token.
func TestVendErrors(t *testing.T) {
	tests := []struct {
		name   string
		status int
		answer string
		want   storage.Code
	}{
		{
			name:   "token of another kind",
			status: 400,
			answer: `{"error":"invalid_grant","error_description":"` + secretToken + `"}`,
			want:   storage.Unauthenticated,
		},
		{name: "no permission", status: 403, answer: `{"error":{"message":"no"}}`, want: storage.PermissionDenied},
		{name: "too many requests", status: 429, answer: `{}`, want: storage.RateLimited},
		{name: "service unavailable", status: 503, answer: ``, want: storage.Unavailable},
		{name: "token missing", status: 200, answer: `{}`, want: storage.Internal},
		{name: "no JSON", status: 200, answer: secretToken, want: storage.Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &tokenService{status: tt.status, answer: tt.answer}
			const allKeys = "" // the prefix
			r := newVendRequest(allKeys, storage.Rights{Read: true})

			_, err := newVendingDriver(t, service, nil).vend(t.Context(), r, signedAt)
			require.Equal(t, tt.want, storage.CodeOf(err), err)
			require.NotContains(t, err.Error(), secretToken)
		})
	}
}

// A driver has the feature Vending only at Google's own endpoint, and only if it sends credentials.
func TestVendNeedsGooglesCredentials(t *testing.T) {
	service := &tokenService{}
	tests := []struct {
		name      string
		configure func(c *Config)
		want      bool
	}{
		{name: "Google with a token", configure: nil, want: true},
		{
			name: "anonymous",
			configure: func(c *Config) {
				c.TokenSource = nil
				c.Anonymous = true
			},
			want: false,
		},
		{
			name: "another server",
			configure: func(c *Config) {
				c.Endpoint = "http://127.0.0.1:4443"
			},
			want: false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newVendingDriver(t, service, tt.configure)
			require.Equal(t, tt.want, d.Describe().Features&storage.Vending != 0)
		})
	}
}

// A driver with vended credentials does not have the feature Vending.
func TestVendNotWithVendedCredentials(t *testing.T) {
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", CredentialsFor: Vended(nil)})
	require.NoError(t, err)
	require.Zero(t, d.Describe().Features&storage.Vending)
	require.NoError(t, d.Close())
}

// Vended accepts credentials of Google that were sent as JSON, and refuses those of another provider.
func TestVendedCredentialsAreForTheirProvider(t *testing.T) {
	sent := &storage.VendedCredentials{Provider: "gcs", Prefix: "a/", Token: "t", Expires: signedAt}
	text, err := json.Marshal(sent)
	require.NoError(t, err)
	received := &storage.VendedCredentials{}
	require.NoError(t, json.Unmarshal(text, received))
	credentialsFor := Vended(func(context.Context, string) (*storage.VendedCredentials, error) {
		return received, nil
	})

	got, err := credentialsFor(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, PrefixCredentials{Prefix: "a/", AccessToken: "t", Expires: signedAt}, got)

	received.Provider = "s3"
	_, err = credentialsFor(t.Context(), "a/b")
	require.ErrorIs(t, err, storage.InvalidArgument)
}
