package transport

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// NewClient makes a client with a transport of its own, or copies the given client without changing it.
func TestClientIsMadeOrCopied(t *testing.T) {
	client, tr := NewClient(nil)
	require.Same(t, tr, client.Transport)

	httpClient := &http.Client{Timeout: time.Minute}
	client, tr = NewClient(httpClient)
	require.Nil(t, tr, "its transport is its owner's to close")
	require.NotSame(t, httpClient, client)
	require.Equal(t, time.Minute, client.Timeout)
	require.Nil(t, httpClient.CheckRedirect, "it is left as it was")
}

// The client follows redirects only if the user's own client has a rule for them.
func TestClientFollowsNoRedirects(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	ask := func(given *http.Client) (int, error) {
		client, _ := NewClient(given)
		defer client.CloseIdleConnections()
		answer, err := client.Get(server.URL)
		if err != nil {
			return 0, err
		}
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode, nil
	}

	for name, client := range map[string]*http.Client{"ours": nil, "another's": {}} {
		status, err := ask(client)
		require.NoError(t, err, name)
		require.Equal(t, http.StatusTemporaryRedirect, status, name)
	}

	ruleErr := errors.New("the user's own rule")
	_, err := ask(&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return ruleErr }})
	require.ErrorIs(t, err, ruleErr)
}
