package sdkerror

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestRedirect(t *testing.T) {
	const plain = "the endpoint redirects: check endpoint="
	tests := []struct{ name, location, hint string }{
		{"to https", "https://store.example.com/photos/a?sig=secret", "the endpoint redirects to https://store.example.com: check endpoint="},
		{"to another port", "http://10.0.0.1:9000/", "the endpoint redirects to http://10.0.0.1:9000: check endpoint="},
		{"with a password", "https://me:secret@login.example.com/", "the endpoint redirects to https://login.example.com: check endpoint="},
		{"on the same host", "/login?back=/photos", plain},
		{"nowhere", "", plain},
		{"to no address", "https://%zz", plain},
		{"to an endless host", "https://" + strings.Repeat("x", 300), plain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
				m, ok := Redirect(status, http.Header{"Location": {tt.location}})
				require.True(t, ok)
				require.Equal(t, Meaning{Code: storage.InvalidArgument, Hint: tt.hint}, m)
			}
		})
	}
	for _, status := range []int{200, 304, 400} {
		_, ok := Redirect(status, http.Header{"Location": {"https://store.example.com/"}})
		require.False(t, ok, status)
	}
}
