package transport

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Without a client, NewClient makes one with a transport of its own.
func TestClientIsMade(t *testing.T) {
	client, tr := NewClient(nil)
	require.Same(t, tr, client.Transport)
}

// NewClient changes a copy of the given client, and leaves the given one as it is.
func TestClientIsCopied(t *testing.T) {
	given := &http.Client{Timeout: time.Minute}
	client, tr := NewClient(given)
	require.Nil(t, tr, "the owner of the given client must close its transport")
	require.NotSame(t, given, client)
	require.Equal(t, time.Minute, client.Timeout)
	require.Nil(t, given.CheckRedirect, "the given client must not change")
}

// The client follows no redirects, unless the user's client has its own rule for them.
func TestClientFollowsNoRedirects(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	ruleErr := errors.New("the user's own rule")
	withRule := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return ruleErr
	}}

	tests := []struct {
		name    string
		client  *http.Client
		wantErr error
	}{
		{name: "a new client", client: nil, wantErr: nil},
		{name: "a user's client", client: &http.Client{}, wantErr: nil},
		{name: "a user's client with a rule", client: withRule, wantErr: ruleErr},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, _ := NewClient(tt.client)
			defer client.CloseIdleConnections()
			resp, err := client.Get(server.URL)
			if tt.wantErr != nil {
				require.ErrorIs(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusTemporaryRedirect, resp.StatusCode)
		})
	}
}
