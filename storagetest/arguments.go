package storagetest

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
)

var numberCases = []Case{
	{
		Name: "numbers out of range are refused", Rule: "W12",
		Explanation: "a part size, concurrency, limit, page size, size or time out of range is InvalidArgument, before any request",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			t.requireNoRequests(func() {
				for name, opt := range map[string]storage.UploadOption{
					"no part size":           storage.WithPartSize(0),
					"a negative part size":   storage.WithPartSize(-1),
					"no concurrency":         storage.WithConcurrency(0),
					"a negative concurrency": storage.WithConcurrency(-1),
					"a negative size":        storage.WithSize(-1),
					"a nil option":           nil,
				} {
					_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), opt)
					require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
				}
				for name, opt := range map[string]storage.ListOption{
					"no limit":             storage.WithLimit(0),
					"a negative limit":     storage.WithLimit(-1),
					"no page size":         storage.WithPageSize(0),
					"a negative page size": storage.WithPageSize(-1),
				} {
					errs := 0
					for _, err := range b.List(t.Context(), t.anyOrder(opt)...) {
						require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
						errs++
					}
					require.Equal(t, 1, errs, name)
				}
				_, err := b.Download(t.Context(), "a", storage.WithConcurrency(0))
				t.requireCode(err, storage.InvalidArgument)
				_, err = b.Download(t.Context(), "a", storage.WithRange(-1, 1))
				t.requireCode(err, storage.InvalidArgument)
			})
		},
	},
	{
		Name: "part sizes outside the provider's are refused", Rule: "W12",
		Explanation: "a part size below the smallest or above the largest is InvalidArgument, before any request",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openLimited(faults.Limits{Disable: driver.StreamingPut, MaxPutSize: t.unit, MinPartSize: t.unit, MaxPartSize: 2 * t.unit})
			t.requireNoRequests(func() {
				for _, size := range []int64{t.unit - 1, 2*t.unit + 1} {
					_, err := b.Upload(t.Context(), "a", strings.NewReader(body(3*t.unit, 1)), storage.WithPartSize(size))
					t.requireNothingDone(err, storage.InvalidArgument)
				}
			})
			b = t.openLimited(faults.Limits{MaxSize: 4 * t.unit})
			t.requireNoRequests(func() {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("a"), storage.WithPartSize(1<<62))
				t.requireNothingDone(err, storage.InvalidArgument) // no object may be so large
			})
		},
	},
	{
		Name: "a page size above the provider's is clamped", Rule: "W12",
		Explanation: "the page size is a wish, and the listing is complete",
		run: func(t *T) {
			b := t.openLimited(faults.Limits{MaxPage: 2})
			t.puts(b, "a", "b", "c", "d", "e")
			require.Equal(t, []string{"a", "b", "c", "d", "e"}, t.keys(b, storage.WithPageSize(1000)))
			require.Equal(t, []string{"a", "b", "c", "d", "e"}, t.keys(b))
			require.Len(t, t.keys(b, storage.WithLimit(3)), 3)
			page, err := storage.ListPage(t.Context(), b, "", t.anyOrder(storage.WithPageSize(1000))...)
			require.NoError(t, err)
			require.NotEmpty(t, page.Entries)
		},
	},
	{
		Name: "times to live out of range are refused", Rule: "S1",
		Explanation: "a TTL from 1 s to 7 days is valid with every driver",
		Needs:       storage.SignedURLs,
		run: func(t *T) {
			b := t.open()
			for _, ttl := range []time.Duration{0, -time.Second, time.Second - 1, 7*24*time.Hour + 1} {
				_, err := b.SignedUploadURL(t.Context(), "a", storage.WithTTL(ttl))
				t.requireNothingDone(err, storage.InvalidArgument)
				_, err = b.SignedDownloadURL(t.Context(), "a", storage.WithTTL(ttl))
				t.requireNothingDone(err, storage.InvalidArgument)
			}
		},
	},
}

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
