package sdkerror

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The hint of a redirect names the host that it leads to, without secrets.
func TestRedirect(t *testing.T) {
	const hintWithoutHost = "the endpoint redirects: check endpoint="
	tests := []struct{ name, location, hint string }{
		{
			name:     "to https",
			location: "https://store.example.com/photos/a?sig=secret",
			hint:     "the endpoint redirects to https://store.example.com: check endpoint=",
		},
		{
			name:     "to another port",
			location: "http://10.0.0.1:9000/",
			hint:     "the endpoint redirects to http://10.0.0.1:9000: check endpoint=",
		},
		{
			name:     "with a password",
			location: "https://me:secret@login.example.com/",
			hint:     "the endpoint redirects to https://login.example.com: check endpoint=",
		},
		{name: "on the same host", location: "/login?back=/photos", hint: hintWithoutHost},
		{name: "nowhere", location: "", hint: hintWithoutHost},
		{name: "to an invalid address", location: "https://%zz", hint: hintWithoutHost},
		{
			name:     "to a very long host",
			location: "https://" + strings.Repeat("x", 300),
			hint:     hintWithoutHost,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
				got, ok := Redirect(status, http.Header{"Location": {tt.location}})
				require.True(t, ok)
				require.Equal(t, Meaning{Code: storage.InvalidArgument, Hint: tt.hint}, got)
			}
		})
	}
}

// A response with another status is no redirect, even if it has a Location.
func TestNoRedirect(t *testing.T) {
	for _, status := range []int{200, 304, 400} {
		_, ok := Redirect(status, http.Header{"Location": {"https://store.example.com/"}})
		require.False(t, ok, status)
	}
}
