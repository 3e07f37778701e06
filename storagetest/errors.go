package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
)

var errorCases = []Case{
	{
		Name:        "errors name the operation, bucket and key",
		Rule:        "E1",
		Explanation: "every error is an *Error with Code, Op, Provider, Bucket and Key, also through %w",
		run: func(t *T) {
			b := t.open()
			for op, err := range map[string]error{
				"Attrs":    second(b.Attrs(t.Context(), "k")),
				"Download": second(b.Download(t.Context(), "k")),
			} {
				failure := t.requireCode(fmt.Errorf("reading: %w", err), storage.ObjectNotFound)
				require.Equal(t, op, failure.Op)
				require.Equal(t, "k", failure.Key)
				require.Equal(t, t.desc.Provider, failure.Provider)
				require.Contains(t, err.Error(), op)
				require.Contains(t, err.Error(), `"k"`)
				require.ErrorIs(t, err, fs.ErrNotExist)
			}
			_, err := b.Upload(t.Context(), "", strings.NewReader("x"))
			require.Equal(t, "Upload", t.requireCode(err, storage.InvalidArgument).Op)
			require.ErrorIs(t, err, fs.ErrInvalid)
			_, err = b.Upload(canceled(t), "k", strings.NewReader("x"))
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, "Upload", t.requireCode(err, storage.Canceled).Op)
		},
	},
	{
		Name:        "a missing object is not a missing bucket",
		Rule:        "E2",
		Explanation: "in an existing bucket a missing object is ObjectNotFound; Exists returns false, Remove nil, and a listing is empty",
		run: func(t *T) {
			b := t.open()
			_, err := b.Attrs(t.Context(), "k")
			t.requireCode(err, storage.ObjectNotFound)
			require.NotErrorIs(t, err, storage.BucketNotFound)
			_, err = b.Download(t.Context(), "k")
			t.requireCode(err, storage.ObjectNotFound)
			exists, err := b.Exists(t.Context(), "k")
			require.NoError(t, err)
			require.False(t, exists)
		},
	},
	{
		Name:        "a refused read is not a missing object",
		Rule:        "E2",
		Explanation: "Exists returns false only for a missing object: a refused permission and a missing bucket are errors",
		run: func(t *T) {
			b := t.open()
			t.put(b, "k", "x")
			for _, code := range []storage.Code{storage.PermissionDenied, storage.BucketNotFound, storage.Unauthenticated} {
				t.faults.Set(faults.Fail(faults.Any).WithError(code))
				exists, err := b.Exists(t.Context(), "k")
				t.requireCode(err, code)
				require.False(t, exists)
				t.requireCode(b.Remove(t.Context(), "k"), code)
				for _, err := range b.List(t.Context(), t.anyOrder()...) {
					t.requireCode(err, code)
				}
			}
		},
	},
	{
		Name:        "the provider's own error is reachable",
		Rule:        "E1",
		Explanation: "errors.As and errors.Is find the error that a driver wraps, with its status, request id and hint",
		run: func(t *T) {
			b := t.open()
			cause := &fs.PathError{Op: "open", Path: "x", Err: errBoom}
			t.faults.Set(faults.Fail(faults.Any).WithError(&storage.Error{
				Code:      storage.PermissionDenied,
				Status:    403,
				RequestID: "request-1",
				Hint:      "look here",
				Err:       cause,
			}))
			_, err := b.Attrs(t.Context(), "k")
			failure := t.requireCode(err, storage.PermissionDenied)
			require.Equal(t, []any{403, "request-1", "look here"}, []any{failure.Status, failure.RequestID, failure.Hint})
			var path *fs.PathError
			require.True(t, errors.As(err, &path))
			require.ErrorIs(t, err, errBoom)
			require.Contains(t, err.Error(), "look here")
			t.faults.Set(faults.Fail(faults.Any).WithError(errBoom))
			_, err = b.Attrs(t.Context(), "k")
			t.requireCode(err, storage.Internal)
			require.ErrorIs(t, err, errBoom)
		},
	},
	{
		Name:        "errors hold no signature",
		Rule:        "E4",
		Explanation: "the query strings of URLs in a provider's error are masked",
		run: func(t *T) {
			b := t.open()
			t.faults.Set(faults.Fail(faults.Any).WithError(&storage.Error{
				Code: storage.Internal,
				Err:  &url.Error{Op: "Get", URL: "https://host/bucket/key?X-Amz-Signature=SECRETSECRET&sig=SECRETSECRET", Err: errBoom},
			}))
			for name, err := range everyOperation(t, b, "key") {
				if err != nil {
					require.NotContains(t, err.Error(), "SECRET", name)
				}
			}
		},
	},
}

func second[V any](_ V, err error) error { return err }

var contextCases = []Case{
	{
		Name:        "a done ctx is reported and makes no request",
		Rule:        "E3",
		Explanation: "every operation returns Canceled or DeadlineExceeded and makes no request",
		run: func(t *T) {
			b := t.open()
			t.put(b, "k", "x")
			past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
			defer cancel()
			for _, c := range []struct {
				ctx      context.Context
				code     storage.Code
				sentinel error
			}{
				{canceled(t), storage.Canceled, context.Canceled},
				{past, storage.DeadlineExceeded, context.DeadlineExceeded},
			} {
				t.requireNoRequests(func() {
					for _, err := range []error{
						second(b.Upload(c.ctx, "k", strings.NewReader("y"))),
						second(b.Upload(c.ctx, "k", stream("y"))),
						second(b.Download(c.ctx, "k")),
						second(b.Attrs(c.ctx, "k")),
						second(b.Exists(c.ctx, "k")),
						b.Remove(c.ctx, "k"),
						second(storage.Copy(c.ctx, b, "to", b, "k")),
						second(storage.Compose(c.ctx, b, "to", []string{"k"})),
						second(storage.ListPage(c.ctx, b, "", t.anyOrder()...)),
						second(storage.NewReaderAt(c.ctx, b, "k")),
						second(firstOf3(storage.ReadRanges(c.ctx, b, "k", []storage.Range{{Offset: 0, Length: 1}}))),
					} {
						t.requireNothingDone(err, c.code)
						require.ErrorIs(t, err, c.sentinel)
					}
					for _, err := range b.List(c.ctx, t.anyOrder()...) {
						t.requireCode(err, c.code)
					}
				})
			}
			t.requireContent(b, "k", "x")
		},
	},
	{
		Name:        "ctx ends a call that waits for the store",
		Rule:        "E3",
		Explanation: "a call is Canceled within a moment, whatever the store is doing",
		run: func(t *T) {
			for name, do := range map[string]func(ctx context.Context, b storage.Bucket) error{
				"Upload": func(ctx context.Context, b storage.Bucket) error {
					return second(b.Upload(ctx, "k", strings.NewReader("y")))
				},
				"Download": func(ctx context.Context, b storage.Bucket) error { return second(b.Download(ctx, "k")) },
				"Attrs":    func(ctx context.Context, b storage.Bucket) error { return second(b.Attrs(ctx, "k")) },
				"Remove":   func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "k") },
				"ListPage": func(ctx context.Context, b storage.Bucket) error {
					return second(storage.ListPage(ctx, b, "", t.anyOrder()...))
				},
				"Copy": func(ctx context.Context, b storage.Bucket) error {
					return second(storage.Copy(ctx, b, "to", b, "k"))
				},
			} {
				// Each call has a new bucket, because a layer may stop using a store after several
				// failures.
				b := t.open()
				t.put(b, "k", "x")
				t.faults.Set(faults.Stall(faults.Any))
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				err := do(ctx, b)
				cancel()
				require.Equal(t, storage.DeadlineExceeded, storage.CodeOf(err), "%s: %v", name, err)
				require.ErrorIs(t, err, context.DeadlineExceeded, name)
				t.faults.Set()
				t.requireContent(b, "k", "x")
			}
		},
	},
	{
		Name:        "ctx ends the wait for a retry",
		Rule:        "E3",
		Explanation: "a cancelled call does not wait for a long Retry-After, and the error has the cause",
		run: func(t *T) {
			b := t.open(storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Hour}))
			t.faults.Set(
				faults.Fail(faults.Any).WithError(&storage.Error{
					Code:       storage.RateLimited,
					Retryable:  true,
					RetryAfter: time.Hour,
				}),
			)
			said := ""
			for wait := 20 * time.Millisecond; wait < time.Minute && !strings.Contains(said, string(storage.RateLimited)); wait *= 10 {
				// The first deadline of 20 ms may be too short for a slow machine, so later ones
				// are longer.
				ctx, cancel := context.WithTimeout(t.Context(), wait)
				_, err := b.Attrs(ctx, "k")
				cancel()
				t.requireCode(err, storage.DeadlineExceeded)
				said = err.Error()
			}
			require.Contains(t, said, string(storage.RateLimited))
		},
	},
}

var numberCases = []Case{
	{
		Name:        "numbers out of range are refused",
		Rule:        "W12",
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
		Name:        "part sizes outside the provider's are refused",
		Rule:        "W12",
		Explanation: "a part size below the smallest or above the largest is InvalidArgument, before any request",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openLimited(
				faults.Limits{
					Disable:     driver.StreamingPut,
					MaxPutSize:  t.unit,
					MinPartSize: t.unit,
					MaxPartSize: 2 * t.unit,
				},
			)
			t.requireNoRequests(func() {
				for _, size := range []int64{t.unit - 1, 2*t.unit + 1} {
					_, err := b.Upload(t.Context(), "a", strings.NewReader(body(3*t.unit, 1)), storage.WithPartSize(size))
					t.requireNothingDone(err, storage.InvalidArgument)
				}
			})
			b = t.openLimited(faults.Limits{MaxSize: 4 * t.unit})
			t.requireNoRequests(func() {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("a"), storage.WithPartSize(1<<62))
				t.requireNothingDone(err, storage.InvalidArgument) // the size exceeds the largest object
			})
		},
	},
	{
		Name:        "a page size above the provider's is clamped",
		Rule:        "W12",
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
		Name:        "times to live out of range are refused",
		Rule:        "S1",
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
		Name:        "an invalid address is refused",
		Rule:        "A1",
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
				require.Equal(t, name == "no address", strings.Contains(err.Error(), "must not be empty"), "%s: %v",
					name, err)
				require.NotContains(t, err.Error(), "SECRET")
				_, err = storage.OpenService(t.Context(), address)
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
			}
		},
	},
	{
		Name:        "an invalid open option is refused",
		Rule:        "A1",
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
						require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s with %s: %v", operation,
							name, err)
					}
				})
			}
		},
	},
	{
		Name:        "Close is final and idempotent",
		Rule:        "A1",
		Explanation: "a second Close returns nil, views do not close their bucket, and after Close every operation fails with InvalidArgument, also through views",
		run: func(t *T) {
			b := t.open()
			require.NoError(t, storage.Close(storage.Ref[storage.Bucket](storage.Prefixed(b, "p/"))))
			require.NoError(t, storage.Close(storage.Ref[storage.Bucket](b)))
			t.put(b, "a", "still open")
			require.NoError(t, storage.Close(b))
			require.NoError(t, storage.Close(b))
			t.requireNoRequests(func() {
				for name, view := range map[string]storage.Bucket{
					"the bucket": b,
					"Prefixed":   storage.Prefixed(b, "p/"),
					"Ref":        storage.Ref[storage.Bucket](b),
				} {
					for operation, err := range everyOperation(t, view, "key") {
						require.Equal(
							t, storage.InvalidArgument, storage.CodeOf(err), "%s of %s after Close: %v", operation,
							name, err,
						)
						require.ErrorContains(t, err, "the bucket is closed", "%s of %s", operation, name)
					}
				}
			})
		},
	},
}
