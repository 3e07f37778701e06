package storagetest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var openCases = []Case{
	{
		Name: "an address that cannot be is refused", Rule: "A1",
		Explanation: "an unknown scheme, credentials, a fragment and what is no URL are InvalidArgument, and no secret is repeated",
		run: func(t *T) {
			for name, address := range map[string]string{
				"no address":        "",
				"no scheme":         "bucket",
				"an unknown scheme": "nosuchscheme://bucket",
				"no URL":            "nosuchscheme://bu cket/%zz?key=SECRET",
			} {
				_, err := storage.Open(t.Context(), address)
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
				require.Equal(t, "Open", t.requireCode(err, storage.InvalidArgument).Op)
				require.Equal(t, name == "no address", strings.Contains(err.Error(), "must not be empty"), "%s: %v", name, err)
				require.NotContains(t, err.Error(), "SECRET")
				_, err = storage.OpenService(t.Context(), address)
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
			}
		},
	},
	{
		Name: "an open option that cannot be is refused", Rule: "A1",
		Explanation: "a base address that is none, and a nil option, make every operation InvalidArgument, without a request",
		run: func(t *T) {
			for name, opt := range map[string]storage.OpenOption{
				"no address":      storage.WithPublicBaseURL("cdn"),
				"another scheme":  storage.WithSigningBaseURL("ftp://host/"),
				"credentials":     storage.WithPublicBaseURL("https://user:pw@host/"),
				"a query":         storage.WithSigningBaseURL("https://host/?a=b"),
				"a nil hook":      storage.WithHook(nil),
				"a nil layer":     storage.WithLayer(nil),
				"a nil option":    nil,
				"a base that is ": storage.WithPublicBaseURL(""),
			} {
				b := t.open(opt)
				t.requireNoRequests(func() {
					for operation, err := range everyOperation(t, b, "key") {
						require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s with %s: %v", operation, name, err)
					}
				})
			}
		},
	},
	{
		Name: "Close is once, and for good", Rule: "A1",
		Explanation: "a second Close is nil, views do not close their bucket, and after Close every operation is InvalidArgument, through views too",
		run: func(t *T) {
			b := t.open()
			require.NoError(t, storage.Close(storage.Ref[storage.Bucket](storage.Prefixed(b, "p/"))))
			t.put(b, "a", "still open")
			require.NoError(t, storage.Close(b))
			require.NoError(t, storage.Close(b))
			t.requireNoRequests(func() {
				for name, view := range map[string]storage.Bucket{
					"the bucket": b, "Prefixed": storage.Prefixed(b, "p/"), "Ref": storage.Ref[storage.Bucket](b),
				} {
					for operation, err := range everyOperation(t, view, "key") {
						require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s of %s after Close: %v", operation, name, err)
						require.ErrorContains(t, err, "the bucket is closed", "%s of %s", operation, name)
					}
				}
			})
		},
	},
}
