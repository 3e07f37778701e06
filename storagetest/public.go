package storagetest

import (
	"net/url"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var publicCases = []Case{
	{
		Name: "a public URL is built without a request", Rule: "S6",
		Explanation: "it joins one base URL and the escaped key in the same way everywhere: it parses back to the key, and + becomes %2B",
		run: func(t *T) {
			b := t.open(storage.WithPublicBaseURL("https://cdn.example.com/files"))
			t.requireNoRequests(func() {
				for _, key := range signedKeys() {
					address, err := b.PublicURL(key)
					require.NoError(t, err, "%q", key)
					u, err := url.Parse(address)
					require.NoError(t, err, "%q", key)
					require.Equal(t, "/files/"+key, u.Path)
					require.Empty(t, u.RawQuery)
					require.Empty(t, u.Fragment)
					require.NotContains(t, address, "+")
				}
				address, err := storage.Prefixed(b, "p/").PublicURL("a+b c")
				require.NoError(t, err)
				require.Equal(t, "https://cdn.example.com/files/p/a%2Bb%20c", address)
				_, err = b.PublicURL("../x")
				t.requireCode(err, storage.InvalidArgument)
			})
		},
	},
	{
		Name: "a bucket that is not public has no public URL", Rule: "S6",
		Explanation: "PublicURL returns NotPublic, without a request",
		run: func(t *T) {
			b := t.open()
			t.requireNoRequests(func() {
				_, err := b.PublicURL("a")
				t.requireCode(err, storage.NotPublic)
			})
		},
	},
}
