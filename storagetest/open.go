package storagetest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

var openCases = []Case{
	{
		Name: "an invalid address is refused", Rule: "A1",
		Explanation: "an unknown scheme, credentials, a fragment or a malformed URL is InvalidArgument, and the error repeats no secret",
		run: func(t *T) {
			for name, address := range map[string]string{
				"no address":        "",
				"no scheme":         "bucket",
				"an unknown scheme": "nosuchscheme://bucket",
				"a malformed URL":   "nosuchscheme://bu cket/%zz?key=SECRET",
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
		Name: "an invalid open option is refused", Rule: "A1",
		Explanation: "an invalid base URL or a nil option makes every operation fail with InvalidArgument, without a request",
		run: func(t *T) {
			for name, opt := range map[string]storage.OpenOption{
				"no address":     storage.WithPublicBaseURL("cdn"),
				"another scheme": storage.WithSigningBaseURL("ftp://host/"),
				"credentials":    storage.WithPublicBaseURL("https://user:pw@host/"),
				"a query":        storage.WithSigningBaseURL("https://host/?a=b"),
				"a nil hook":     storage.WithHook(nil),
				"a nil layer":    driver.WithLayer(nil),
				"a nil option":   nil,
				"an empty base":  storage.WithPublicBaseURL(""),
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
		Name: "Close is final and idempotent", Rule: "A1",
		Explanation: "a second Close returns nil, views do not close their bucket, and after Close every operation fails with InvalidArgument, also through views",
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
