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

// A tokenService stands for Google's, and keeps the last request.
type tokenService struct {
	status  int
	answer  string
	url     string
	request *http.Request
	form    url.Values
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
	return &http.Response{
		StatusCode: s.status,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Request:    r,
		Body:       io.NopCloser(strings.NewReader(s.answer)),
	}, nil
}

// newVendingDriver opens a bucket whose token ends in an hour after signedAt.
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
	s := &tokenService{status: http.StatusOK, answer: restricted}
	d := newVendingDriver(t, s, nil)
	v, err := d.vend(
		t.Context(),
		newVendRequest("users/1/", storage.Rights{Read: true, List: true, Write: true, Remove: true}),
		signedAt,
	)
	require.NoError(t, err)
	require.Equal(t, &storage.VendedCredentials{
		Token:   "restricted",
		Expires: signedAt.Add(50 * time.Minute),
	}, v)

	require.Equal(t, "https://sts.googleapis.com/v1/token", s.url)
	require.Empty(t, s.request.Header.Get("Authorization"), "the token is in the body only")
	require.Equal(t, "application/x-www-form-urlencoded", s.request.Header.Get("Content-Type"))
	require.Equal(t, secretToken, s.form.Get("subject_token"))
	require.Equal(t, "urn:ietf:params:oauth:grant-type:token-exchange", s.form.Get("grant_type"))
	require.Equal(t, accessToken, s.form.Get("subject_token_type"))
	require.Equal(t, accessToken, s.form.Get("requested_token_type"))

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
	]}}`, s.form.Get("options"))
}

// Each right of Vend grants only its own role.
func TestVendRoles(t *testing.T) {
	tests := []struct {
		name   string
		rights storage.Rights
		roles  []string
		want   storage.Code
	}{
		{
			name:   "read",
			rights: storage.Rights{Read: true},
			roles:  []string{"inRole:roles/storage.legacyObjectReader"},
			want:   "",
		},
		{
			name:   "list",
			rights: storage.Rights{List: true},
			roles:  []string{"inRole:roles/storage.legacyBucketReader"},
			want:   "",
		},
		{
			name:   "write",
			rights: storage.Rights{Write: true},
			roles:  []string{"inRole:roles/storage.objectCreator"},
			want:   "",
		},
		{
			name:   "write and remove",
			rights: storage.Rights{Write: true, Remove: true},
			roles:  []string{"inRole:roles/storage.legacyBucketWriter"},
			want:   "",
		},
		{name: "remove", rights: storage.Rights{Remove: true}, want: storage.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := boundaryRules("photos", newVendRequest("", tt.rights))
			require.Equal(t, tt.want, storage.CodeOf(err))
			var roles []string
			for _, r := range rules {
				roles = append(roles, r.Permissions...)
				require.NotEmpty(t, r.Condition.Expression, "without a condition, a role to write also lists")
			}
			require.Equal(t, tt.roles, roles)
		})
	}
}

// Vend quotes the prefix in its IAM condition, so that no prefix can add to the condition.
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
			require.Equal(t,
				"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith("+tt.want+")",
				rules[0].Condition.Expression)
		})
	}
}

// A long prefix is refused.
func TestVendLongPrefix(t *testing.T) {
	_, err := boundaryRules("photos", newVendRequest(strings.Repeat("'", 1000)+"/", storage.Rights{Read: true}))
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Vended credentials expire no later than the token that they were made from.
func TestVendExpiresWithSourceToken(t *testing.T) {
	s := &tokenService{status: http.StatusOK, answer: `{"access_token":"restricted","token_type":"Bearer"}`}
	v, err := newVendingDriver(t, s, nil).vend(t.Context(), newVendRequest("", storage.Rights{Read: true}),
		signedAt)
	require.NoError(t, err)
	require.Equal(t, signedAt.Add(time.Hour), v.Expires)
}

// A token that is valid for too long is unsupported.
func TestVendTokenTooLong(t *testing.T) {
	s := &tokenService{status: http.StatusOK, answer: restricted}
	r := newVendRequest("", storage.Rights{Read: true})
	r.TTL = 15 * time.Minute
	_, err := newVendingDriver(t, s, nil).vend(t.Context(), r, signedAt)
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "ttl of an hour")
	require.NotContains(t, err.Error(), "restricted")
}

// Vend fails with the Code of the service's error, which shows no token.
func TestVendErrors(t *testing.T) {
	tests := []struct {
		name   string
		status int
		answer string
		want   storage.Code
	}{
		{
			name:   "another kind of token",
			status: 400,
			answer: `{"error":"invalid_grant","error_description":"` + secretToken + `"}`,
			want:   storage.Unauthenticated,
		},
		{name: "denied", status: 403, answer: `{"error":{"message":"no"}}`, want: storage.PermissionDenied},
		{name: "too many", status: 429, answer: `{}`, want: storage.RateLimited},
		{name: "down", status: 503, answer: ``, want: storage.Unavailable},
		{name: "no token", status: 200, answer: `{}`, want: storage.Internal},
		{name: "no JSON", status: 200, answer: secretToken, want: storage.Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &tokenService{status: tt.status, answer: tt.answer}
			_, err := newVendingDriver(t, s, nil).vend(t.Context(),
				newVendRequest("", storage.Rights{Read: true}), signedAt)
			require.Equal(t, tt.want, storage.CodeOf(err), err)
			require.NotContains(t, err.Error(), secretToken)
		})
	}
}

// A bucket declares Vending only at Google's own endpoint and with Google's credentials.
func TestVendNeedsGooglesCredentials(t *testing.T) {
	s := &tokenService{}
	declaresVending := func(d driver.Driver) bool { return d.Describe().Features&storage.Vending != 0 }

	t.Run("Google with a token", func(t *testing.T) {
		require.True(t, declaresVending(newVendingDriver(t, s, nil)))
	})
	t.Run("anonymous", func(t *testing.T) {
		d := newVendingDriver(t, s, func(c *Config) {
			c.TokenSource = nil
			c.Anonymous = true
		})
		require.False(t, declaresVending(d))
	})
	t.Run("another server", func(t *testing.T) {
		d := newVendingDriver(t, s, func(c *Config) {
			c.Endpoint = "http://127.0.0.1:4443"
		})
		require.False(t, declaresVending(d))
	})
	t.Run("vended credentials", func(t *testing.T) {
		d, err := NewDriver(t.Context(), Config{Bucket: "photos", CredentialsFor: Vended(nil)})
		require.NoError(t, err)
		require.False(t, declaresVending(d))
		require.NoError(t, d.Close())
	})
}

// Vended accepts credentials that were sent as JSON, and refuses those of another provider.
func TestVendedCredentialsAreForTheirProvider(t *testing.T) {
	text, err := json.Marshal(&storage.VendedCredentials{Provider: "gcs", Prefix: "a/", Token: "t", Expires: signedAt})
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
