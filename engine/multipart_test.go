package engine_test

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
)

func beginUpload(t *testing.T, b storage.Uploader, opts ...storage.MultipartOption) storage.MultipartUpload {
	t.Helper()
	u, err := storage.BeginUpload(t.Context(), b, "key", opts...)
	require.NoError(t, err)
	return u
}

// A sizedStream delivers size bytes without random access.
type sizedStream struct{ read, size int64 }

func (c *sizedStream) Read(p []byte) (int, error) {
	n := min(int64(len(p)), c.size-c.read)
	c.read += n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

// If the store does not accept streams, PutPart refuses a stream that is larger than the BufferLimit with
// TooLarge. Bodies that can seek may be larger.
func TestPutPartStreamFitsBufferLimit(t *testing.T) {
	const limit = 1 << 20
	b := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: driver.StreamingPut})),
		storage.WithBufferLimit(&storage.BufferLimit{Max: limit}))
	u := beginUpload(t, b)
	long := &sizedStream{size: 10 * limit}

	_, err := u.PutPart(t.Context(), 1, long)
	require.ErrorIs(t, err, storage.TooLarge)
	require.LessOrEqual(t, long.read, int64(limit+1))

	long.read = 0
	_, err = u.PutPart(t.Context(), 1, long, storage.WithSize(long.size))
	require.ErrorIs(t, err, storage.TooLarge)
	require.Zero(t, long.read)

	_, err = u.PutPart(t.Context(), 1, strings.NewReader(strings.Repeat("x", 3*limit)))
	require.NoError(t, err, "it is read in place")

	var group sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		group.Go(func() {
			_, errs[i] = u.PutPart(t.Context(), 2+i, &sizedStream{size: limit - 1})
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
}

// If the store accepts streams, PutPart sends a stream that is larger than the BufferLimit. A body that fails
// changes no part.
func TestPutPartStreamIsNotBuffered(t *testing.T) {
	const limit, size = 1 << 20, 10 << 20
	onDisk, err := local.Open(t.TempDir(), local.Config{NoSync: true},
		storage.WithBufferLimit(&storage.BufferLimit{Max: limit}))
	require.NoError(t, err)
	zeros := func(size int64) io.Reader {
		return io.LimitReader(readerFunc(func(p []byte) (int, error) {
			clear(p)
			return len(p), nil
		}), size)
	}

	for name, b := range map[string]storage.Bucket{"memory": memstore.New(storage.WithBufferLimit(&storage.BufferLimit{Max: limit})), "a directory": onDisk} {
		t.Run(name, func(t *testing.T) {
			u := beginUpload(t, b)
			defer func() {
				require.NoError(t, u.Abort(t.Context()))
			}()

			for number, opts := range [][]storage.PartOption{{}, {storage.WithSize(size)}} {
				part, err := u.PutPart(t.Context(), number+1, zeros(size), opts...)
				require.NoError(t, err)
				require.EqualValues(t, size, part.Size)
				require.Equal(t, crc32.Checksum(make([]byte, size), crc32.MakeTable(crc32.Castagnoli)),
					part.CRC32C.Sum)
			}

			oldParts, err := u.Parts(t.Context())
			require.NoError(t, err)
			tests := []struct {
				name string
				body func() io.Reader
				opt  storage.PartOption
				code storage.Code
			}{
				{
					name: "too long",
					body: func() io.Reader { return zeros(size + 1) },
					opt:  storage.WithSize(size),
					code: storage.BodyFailed,
				},
				{
					name: "too short",
					body: func() io.Reader { return zeros(size - 1) },
					opt:  storage.WithSize(size),
					code: storage.BodyFailed,
				},
				{
					name: "cut off",
					body: func() io.Reader {
						return io.MultiReader(zeros(size/2), iotest.ErrReader(io.ErrUnexpectedEOF))
					},
					opt:  storage.WithSize(size),
					code: storage.BodyFailed,
				},
				{
					name: "other bytes",
					body: func() io.Reader { return zeros(size) },
					opt:  storage.WithCRC32C(1),
					code: storage.ChecksumMismatch,
				},
			}
			for _, tt := range tests {
				for number := 1; number <= 3; number++ { // the last one is new
					_, err := u.PutPart(t.Context(), number, tt.body(), tt.opt)
					require.Equal(t, tt.code, storage.CodeOf(err), tt.name)
				}
			}

			newParts, err := u.Parts(t.Context())
			require.NoError(t, err)
			require.Equal(t, oldParts, newParts)
		})
	}
}

// A panic in the body of PutPart reaches the caller.
func TestPutPartPanicReachesCaller(t *testing.T) {
	b := memstore.New(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
	u := beginUpload(t, b)
	for range 4 { // the memory is given back
		require.PanicsWithValue(t, errThrown, func() {
			_, _ = u.PutPart(t.Context(), 1, io.MultiReader(&sizedStream{size: 600 << 10}, readerFunc(func([]byte) (int, error) {
				panic(errThrown)
			})))
		})
	}
	parts, err := u.Parts(t.Context())
	require.NoError(t, err)
	require.Empty(t, parts)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Hooks see the calls of an open upload.
func TestOpenUploadHooks(t *testing.T) {
	var names []string
	denied := ""
	b := memstore.New(storage.WithHook(func(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		require.Contains(t, []string{"views/key", ""}, op.Key, op.Name)
		names = append(names, op.Name)
		if op.Name == denied {
			return nil, nil, errors.New("not today")
		}
		return nil, nil, nil
	}), storage.WithSigningBaseURL("http://localhost/files"))
	view := storage.Prefixed(b, "views/")
	u := beginUpload(t, view, storage.WithUncheckedParts())
	u, err := storage.ContinueUpload(t.Context(), view, u.Token())
	require.NoError(t, err)
	_, err = u.PutPart(t.Context(), 1, strings.NewReader("text"))
	require.NoError(t, err)
	_, err = u.Parts(t.Context())
	require.NoError(t, err)
	_, err = u.SignPart(t.Context(), 1)
	require.NoError(t, err)
	denied = "CompleteUpload"

	_, err = u.Complete(t.Context())
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.EqualError(t, err,
		`storage: CompleteUpload "key" in memory bucket "memory": permission denied: not today`)

	denied = ""
	_, err = u.Complete(t.Context())
	require.NoError(t, err)
	require.NoError(t, u.Abort(t.Context()))
	require.Equal(t, []string{"BeginUpload", "ContinueUpload", "PutPart", "Parts", "SignPart", "CompleteUpload", "CompleteUpload", "AbortUpload"}, names)
}

// The token of an open upload does not contain the secrets of native options. ContinueUpload needs the same
// options.
func TestOpenUploadTokenHidesSecret(t *testing.T) {
	b := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(func(d driver.Driver) driver.Driver {
		return &optioned{Driver: d, seen: map[string][]any{}}
	}))
	secretOpt := func(secret string) storage.NativeOption {
		return storage.WithNative("memory", secretOption{secret})
	}

	u := beginUpload(t, b, secretOpt("hidden"))
	require.NotContains(t, u.Token(), "hidden")
	for name, opts := range map[string][]storage.MultipartOption{"none": nil, "another": {secretOpt("other key")}, "two": {secretOpt("hidden"), secretOpt("hidden")}} {
		_, err := storage.ContinueUpload(t.Context(), b, u.Token(), opts...)
		require.ErrorIs(t, err, storage.InvalidArgument, name)
		require.ErrorContains(t, err, "options must", name)
	}

	second, err := storage.ContinueUpload(t.Context(), b, u.Token(), secretOpt("hidden"))
	require.NoError(t, err)
	require.Equal(t, u.Token(), second.Token())
}

// Functions for open uploads refuse a bucket of another module's type.
func TestBeginUploadRefusesOtherBucketType(t *testing.T) {
	foreign := struct{ storage.Bucket }{memstore.New()}
	_, err := storage.BeginUpload(t.Context(), foreign, "key")
	require.ErrorIs(t, err, storage.Unsupported)

	_, err = storage.ContinueUpload(t.Context(), foreign, "token")
	require.ErrorIs(t, err, storage.Unsupported)
	for _, err := range storage.ListUploads(t.Context(), foreign) {
		require.ErrorIs(t, err, storage.Unsupported)
	}
	require.ErrorIs(t, storage.AbortUpload(t.Context(), foreign, storage.UploadEntry{Key: "key", Upload: "1"}), storage.Unsupported)

	_, err = storage.PutSignedPart(t.Context(), foreign, "key", "1", 1, strings.NewReader("x"))
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = storage.BeginUpload(t.Context(),
		storage.Ref[storage.Downloader](memstore.New()).(storage.Uploader), "key")
	require.ErrorIs(t, err, storage.PermissionDenied)
}

// If ctx has ended, the calls of an open upload fail with Canceled.
func TestOpenUploadEndsWithContext(t *testing.T) {
	b := memstore.New()
	u := beginUpload(t, b)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()

	for name, call := range map[string]func() error{
		"BeginUpload": func() error {
			_, err := storage.BeginUpload(canceled, b, "key")
			return err
		},
		"ContinueUpload": func() error {
			_, err := storage.ContinueUpload(canceled, b, u.Token())
			return err
		},
		"PutPart": func() error {
			_, err := u.PutPart(canceled, 1, strings.NewReader("x"))
			return err
		},
		"Parts": func() error {
			_, err := u.Parts(canceled)
			return err
		},
		"Complete": func() error {
			_, err := u.Complete(canceled)
			return err
		},
		"Abort": func() error { return u.Abort(canceled) },
	} {
		require.ErrorIs(t, call(), storage.Canceled, name)
	}
}

// A partPages driver lists parts in pages of two, and can list them wrongly.
type partPages struct {
	driver.Driver
	disorder bool
}

func (d *partPages) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	limited := *r
	limited.Limit = 2
	page, err := d.Driver.ListParts(ctx, &limited)
	if err == nil && d.disorder {
		slices.Reverse(page.Parts)
	}
	return page, err
}

// If the driver lists parts in pages, Parts returns all of them. If the pages are out of order, Complete fails
// with Internal.
func TestOpenUploadPartsPages(t *testing.T) {
	pages := &partPages{}
	b := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(func(d driver.Driver) driver.Driver {
		pages.Driver = d
		return pages
	}))
	u := beginUpload(t, b)
	for _, number := range []int{5, 4, 1, 3, 2} {
		_, err := u.PutPart(t.Context(), number, strings.NewReader(strings.Repeat("x", number)))
		require.NoError(t, err)
	}

	parts, err := u.Parts(t.Context())
	require.NoError(t, err)
	require.Len(t, parts, 5)

	pages.disorder = true
	_, err = u.Complete(t.Context())
	require.ErrorIs(t, err, storage.Internal)

	pages.disorder = false
	attrs, err := u.Complete(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 15, attrs.Size)
}

// A silentSums driver does not tell the checksums of parts.
type silentSums struct{ driver.Driver }

func (d silentSums) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	page, err := d.Driver.ListParts(ctx, r)
	if err == nil {
		for i := range page.Parts {
			page.Parts[i].CRC32C = storage.CRC32C{}
		}
	}
	return page, err
}

// If the store lists parts without checksums, Complete with WithCRC32C fails with Unsupported after
// ContinueUpload. The MultipartUpload that has sent the parts can complete.
func TestCompleteChecksumNeedsThoseOfParts(t *testing.T) {
	b := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(func(d driver.Driver) driver.Driver { return silentSums{d} }))
	u := beginUpload(t, b)
	part, err := u.PutPart(t.Context(), 1, strings.NewReader("text"))
	require.NoError(t, err)
	second, err := storage.ContinueUpload(t.Context(), b, u.Token())
	require.NoError(t, err)

	_, err = second.Complete(t.Context(), storage.WithCRC32C(part.CRC32C.Sum))
	require.ErrorIs(t, err, storage.Unsupported)
	attrs, err := u.Complete(t.Context(), storage.WithCRC32C(part.CRC32C.Sum))
	require.NoError(t, err, "this value has sent the part")
	require.Equal(t, part.CRC32C, attrs.CRC32C)
}

// After a conflict, S3 requires a new upload, so Complete does not retry.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html.
func TestCompleteConflictNeedsNewUpload(t *testing.T) {
	inj := faults.New()
	b := memstore.New(driver.WithLayer(inj.Layer()), storage.WithRetry(storage.RetryPolicy{MaxDelay: 1}))
	u := beginUpload(t, b, storage.IfAbsent())
	_, err := u.PutPart(t.Context(), 1, strings.NewReader("text"))
	require.NoError(t, err)
	conflict := &storage.Error{Code: storage.Unavailable, Status: http.StatusConflict, Retryable: true}
	inj.Set(faults.Fail(faults.CompleteParts).Nth(1).WithError(conflict))

	_, err = u.Complete(t.Context())
	require.Equal(t, 1, inj.Count(faults.CompleteParts))
	require.ErrorIs(t, err, storage.Unavailable)

	e := &storage.Error{}
	require.ErrorAs(t, err, &e)
	require.True(t, e.Retryable)
	require.Contains(t, e.Hint, "begin a new one")

	_, err = b.Attrs(t.Context(), "key")
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// A lostCompletion driver makes the object, keeps the upload, and does not say so, as a store does
// whose driver makes an object of components and gets no response.
type lostCompletion struct {
	driver.Driver
	refuses bool // the next attempts, as after an attempt that made the object
}

func (d *lostCompletion) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if d.refuses {
		return nil, storage.PreconditionFailed
	}
	put := *r.Put
	put.Body = strings.NewReader("text")
	if _, err := d.Put(ctx, &put); err != nil {
		return nil, err
	}
	d.refuses = put.Condition.Absent
	return nil, &storage.Error{Code: storage.Unavailable, Unknown: true}
}

// If the response to Complete is lost and the object is there, Complete returns it and ends the upload.
func TestCompleteFindsLostCompletion(t *testing.T) {
	for name, opts := range map[string][]storage.MultipartOption{"at once": nil, "with a condition": {storage.IfAbsent()}} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return &lostCompletion{Driver: d}
			}))
			u := beginUpload(t, b, opts...)
			_, err := u.PutPart(t.Context(), 1, strings.NewReader("text"))
			require.NoError(t, err)
			_, err = u.Complete(t.Context())
			require.NoError(t, err)

			for entry, err := range storage.ListUploads(t.Context(), b) {
				require.NoError(t, err)
				require.Fail(t, "still in progress", entry)
			}

			_, err = b.Upload(t.Context(), "key", strings.NewReader("newer"))
			require.NoError(t, err)
			_, err = u.Complete(t.Context())
			require.ErrorIs(t, err, storage.ObjectNotFound)
		})
	}
}

// A replacedPart driver stores part 1 again before each of its next completions.
type replacedPart struct {
	driver.Driver
	times int
	text  string
}

func (d *replacedPart) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if d.times > 0 {
		d.times--
		_, err := d.PutPart(ctx, &driver.PartRequest{
			Key:    r.Put.Key,
			Upload: r.Upload,
			Number: 1,
			Body:   strings.NewReader(d.text),
			Size:   int64(len(d.text)),
			CRC32C: storage.CRC32C{
				Sum:   crc32.Checksum([]byte(d.text), crc32.MakeTable(crc32.Castagnoli)),
				Known: true,
			},
		})
		if err != nil {
			return nil, err
		}
	}
	return d.Driver.CompleteParts(ctx, r)
}

// If the response to Complete is lost and the object cannot be read, Complete fails with Unavailable. Once the
// object can be read, Complete returns it.
func TestCompleteCannotLookup(t *testing.T) {
	for _, row := range []struct {
		name string
		opts []storage.MultipartOption
	}{{"unconditional", nil}, {"if absent", []storage.MultipartOption{storage.IfAbsent()}}} {
		t.Run(row.name, func(t *testing.T) {
			inj := faults.New(faults.DropResponse(faults.CompleteParts), faults.Fail(faults.Head).First(2))
			b := memstore.New(driver.WithLayer(inj.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			u := beginUpload(t, b, row.opts...)
			_, err := u.PutPart(t.Context(), 1, strings.NewReader("text"))
			require.NoError(t, err)

			for range 2 { // the first one makes the object
				_, err = u.Complete(t.Context())
				require.Equal(t, storage.Unavailable, storage.CodeOf(err), err)
			}

			attrs, err := u.Complete(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 4, attrs.Size)
		})
	}
}

// If a part is replaced during Complete, Complete tries again with the new part. If WithParts names the old one,
// Complete fails with InvalidArgument.
func TestCompletePartReplaced(t *testing.T) {
	replaced := &replacedPart{text: "new "}
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		replaced.Driver = d
		return replaced
	}))
	begin := func() (u storage.MultipartUpload, part *storage.UploadedPart) {
		u = beginUpload(t, b)
		part, err := u.PutPart(t.Context(), 1, strings.NewReader("old "))
		require.NoError(t, err)
		_, err = u.PutPart(t.Context(), 2, strings.NewReader("text"))
		require.NoError(t, err)
		return u, part
	}
	u, _ := begin()
	replaced.times = 2
	attrs, err := u.Complete(t.Context())
	require.NoError(t, err)

	content, readAttrs, err := storage.ReadAll(t.Context(), b, "key")
	require.NoError(t, err)
	require.Equal(t, "new text", string(content))
	require.Equal(t, readAttrs.CRC32C, attrs.CRC32C)

	u, part := begin()
	replaced.times = 1
	_, err = u.Complete(t.Context(), storage.WithParts(*part, storage.UploadedPart{Number: 2}))
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "part 1 must have the ETag")

	u, _ = begin()
	replaced.times = 1000

	_, err = u.Complete(t.Context())
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Greater(t, replaced.times, 990, "the attempts are bounded")

	replaced.times = 0
	_, err = u.Complete(t.Context())
	require.NoError(t, err, "the upload is still there")
}

// A fasterCompletion driver completes an upload while its parts are listed, so that the last of
// them is missing from the list.
type fasterCompletion struct {
	driver.Driver
	complete func()
}

func (d *fasterCompletion) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	page, err := d.Driver.ListParts(ctx, r)
	if complete := d.complete; complete != nil && err == nil {
		d.complete = nil
		complete()
		page.Parts = page.Parts[:len(page.Parts)-1]
	}
	return page, err
}

// If two calls of Complete run at the same time, both return the object. If Abort runs first, Complete fails with
// ObjectNotFound.
func TestCompleteTwiceAtOnce(t *testing.T) {
	two := []storage.UploadedPart{{Number: 1}, {Number: 2}}
	sum := crc32.Checksum([]byte("one two"), crc32.MakeTable(crc32.Castagnoli))
	for name, opts := range map[string][]storage.CompleteOption{
		"all parts":  nil,
		"a size":     {storage.WithSize(7)},
		"a checksum": {storage.WithCRC32C(sum)},
		"two parts":  {storage.WithParts(two...)},
	} {
		t.Run(name, func(t *testing.T) {
			faster := &fasterCompletion{}
			b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				faster.Driver = d
				return faster
			}))
			u := beginUpload(t, b)
			for i, text := range []string{"one ", "two"} {
				_, err := u.PutPart(t.Context(), 1+i, strings.NewReader(text))
				require.NoError(t, err)
			}

			var first *storage.Attrs
			faster.complete = func() {
				var err error
				first, err = u.Complete(t.Context(), opts...)
				require.NoError(t, err)
			}

			second, err := u.Complete(t.Context(), opts...)
			require.NoError(t, err)
			require.Equal(t, first.Revision, second.Revision)

			u = beginUpload(t, b)
			_, err = u.PutPart(t.Context(), 1, strings.NewReader("x"))
			require.NoError(t, err)
			faster.complete = func() {
				require.NoError(t, u.Abort(t.Context()))
			}
			_, err = u.Complete(t.Context(), opts...)
			require.ErrorIs(t, err, storage.ObjectNotFound)
		})
	}
}

// If a part is replaced during Complete by one that is too long, Complete fails because of its length, and not
// with the error of the first attempt.
func TestCompletePartReplacedByLongerOne(t *testing.T) {
	replaced := &replacedPart{text: "too long"}
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		replaced.Driver = d
		return replaced
	}))
	u := beginUpload(t, b, storage.WithSize(4))
	_, err := u.PutPart(t.Context(), 1, strings.NewReader("text"))
	require.NoError(t, err)
	replaced.times = 1

	_, err = u.Complete(t.Context())
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "the 4 bytes of WithSize, and have 8")

	_, err = u.Parts(t.Context())
	require.ErrorIs(t, err, storage.ObjectNotFound, "the client lied")
}

func FuzzContinueUpload(f *testing.F) {
	b := memstore.New()
	u, err := storage.BeginUpload(f.Context(), b, "key", storage.WithMetadata(map[string]string{"a": "b"}),
		storage.WithSize(3))
	require.NoError(f, err)
	f.Add(u.Token())
	f.Add("")
	f.Add("AQAAAAAAAAAAe30")
	f.Fuzz(func(t *testing.T, token string) {
		second, err := storage.ContinueUpload(t.Context(), b, token)
		if err != nil {
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			return
		}
		require.Equal(t, u.Token(), second.Token())
	})
}
