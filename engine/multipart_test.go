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

// beginUpload begins an upload of "key".
func beginUpload(t *testing.T, b storage.Uploader, opts ...storage.MultipartOption) storage.MultipartUpload {
	t.Helper()
	upload, err := storage.BeginUpload(t.Context(), b, "key", opts...)
	require.NoError(t, err)
	return upload
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

// If the store does not accept streams, PutPart fails with TooLarge for a stream that is larger than the BufferLimit.
// Bodies that can seek may be larger.
func TestPutPartStreamFitsBufferLimit(t *testing.T) {
	const limit = 1 << 20
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: driver.StreamingPut})),
		storage.WithBufferLimit(&storage.BufferLimit{Max: limit}))
	upload := beginUpload(t, bucket)
	long := &sizedStream{size: 10 * limit}

	// A stream of unknown size fails once more than the limit was read.
	_, err := upload.PutPart(t.Context(), 1, long)
	require.ErrorIs(t, err, storage.TooLarge)
	require.LessOrEqual(t, long.read, int64(limit+1))

	// A stream of known size fails before it is read.
	long.read = 0
	_, err = upload.PutPart(t.Context(), 1, long, storage.WithSize(long.size))
	require.ErrorIs(t, err, storage.TooLarge)
	require.Zero(t, long.read)

	// A body that can seek is read in place, so it may be larger.
	_, err = upload.PutPart(t.Context(), 1, strings.NewReader(strings.Repeat("x", 3*limit)))
	require.NoError(t, err)

	// Streams that fit the limit only one at a time wait for one another.
	const firstNumber, parts = 2, 16
	errs := make([]error, parts)
	var group sync.WaitGroup
	for i := range parts {
		group.Go(func() {
			_, errs[i] = upload.PutPart(t.Context(), firstNumber+i, &sizedStream{size: limit - 1})
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
}

// newBucketsWithBufferLimit returns a bucket in memory and one in a directory, both with a BufferLimit.
func newBucketsWithBufferLimit(t *testing.T, limit int64) map[string]storage.Bucket {
	t.Helper()
	inMemory := memstore.New(storage.WithBufferLimit(&storage.BufferLimit{Max: limit}))
	onDisk, err := local.Open(t.TempDir(), local.Config{NoSync: true},
		storage.WithBufferLimit(&storage.BufferLimit{Max: limit}))
	require.NoError(t, err)
	return map[string]storage.Bucket{"memory": inMemory, "a directory": onDisk}
}

// newZeroStream returns a stream of size bytes of 0 that cannot seek.
func newZeroStream(size int64) io.Reader {
	return io.LimitReader(readerFunc(func(p []byte) (int, error) {
		clear(p)
		return len(p), nil
	}), size)
}

// PutPart sends a stream that is larger than the BufferLimit to a store that accepts streams.
func TestPutPartStreamIsNotBuffered(t *testing.T) {
	const limit = 1 << 20
	const size = 10 * limit
	wantSum := crc32.Checksum(make([]byte, size), crc32.MakeTable(crc32.Castagnoli))
	for name, bucket := range newBucketsWithBufferLimit(t, limit) {
		t.Run(name, func(t *testing.T) {
			upload := beginUpload(t, bucket)

			// Send a stream of unknown size.
			part, err := upload.PutPart(t.Context(), 1, newZeroStream(size))
			require.NoError(t, err)
			require.EqualValues(t, size, part.Size)
			require.Equal(t, wantSum, part.CRC32C.Sum)

			// Send a stream of known size.
			part, err = upload.PutPart(t.Context(), 2, newZeroStream(size), storage.WithSize(size))
			require.NoError(t, err)
			require.EqualValues(t, size, part.Size)
			require.Equal(t, wantSum, part.CRC32C.Sum)

			require.NoError(t, upload.Abort(t.Context()))
		})
	}
}

// PutPart stores nothing of a stream that fails, and keeps the old part.
func TestPutPartStreamFailureKeepsParts(t *testing.T) {
	const limit = 1 << 20
	const size = 10 * limit
	tests := []struct {
		name     string
		newBody  func() io.Reader
		opt      storage.PartOption
		wantCode storage.Code
	}{
		{
			name:     "stream too long",
			newBody:  func() io.Reader { return newZeroStream(size + 1) },
			opt:      storage.WithSize(size),
			wantCode: storage.BodyFailed,
		},
		{
			name:     "stream too short",
			newBody:  func() io.Reader { return newZeroStream(size - 1) },
			opt:      storage.WithSize(size),
			wantCode: storage.BodyFailed,
		},
		{
			name: "stream fails",
			newBody: func() io.Reader {
				return io.MultiReader(newZeroStream(size/2), iotest.ErrReader(io.ErrUnexpectedEOF))
			},
			opt:      storage.WithSize(size),
			wantCode: storage.BodyFailed,
		},
		{
			name:     "checksum of other bytes",
			newBody:  func() io.Reader { return newZeroStream(size) },
			opt:      storage.WithCRC32C(1),
			wantCode: storage.ChecksumMismatch,
		},
	}
	for store, bucket := range newBucketsWithBufferLimit(t, limit) {
		// Parts 1 and 2 exist.
		upload := beginUpload(t, bucket)
		for number := 1; number <= 2; number++ {
			_, err := upload.PutPart(t.Context(), number, newZeroStream(size))
			require.NoError(t, err)
		}
		oldParts, err := upload.Parts(t.Context())
		require.NoError(t, err)

		for _, tt := range tests {
			t.Run(store+"/"+tt.name, func(t *testing.T) {
				// The stream would replace part 1 or 2, or would be a new part 3.
				for number := 1; number <= 3; number++ {
					_, err := upload.PutPart(t.Context(), number, tt.newBody(), tt.opt)
					require.Equal(t, tt.wantCode, storage.CodeOf(err), "part %d", number)
				}

				parts, err := upload.Parts(t.Context())
				require.NoError(t, err)
				require.Equal(t, oldParts, parts)
			})
		}
		require.NoError(t, upload.Abort(t.Context()))
	}
}

// A panic in the body of PutPart reaches the caller, and the memory of the part is given back.
func TestPutPartPanicReachesCaller(t *testing.T) {
	const limit = 1 << 20
	const sizeBeforePanic = 600 << 10 // two such parts would not fit into the limit
	bucket := memstore.New(storage.WithBufferLimit(&storage.BufferLimit{Max: limit}))
	upload := beginUpload(t, bucket)
	panicking := readerFunc(func([]byte) (int, error) {
		panic(errThrown)
	})

	const attempts = 4
	for range attempts {
		body := io.MultiReader(&sizedStream{size: sizeBeforePanic}, panicking)
		require.PanicsWithValue(t, errThrown, func() {
			_, _ = upload.PutPart(t.Context(), 1, body)
		})
	}

	parts, err := upload.Parts(t.Context())
	require.NoError(t, err)
	require.Empty(t, parts)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A hook sees each call of an open upload with its whole key, even if the upload is that of a view, and can deny it.
func TestOpenUploadHooks(t *testing.T) {
	var names []string
	denied := "" // name of the operation that the hook denies
	hook := func(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		require.Contains(t, []string{"views/key", ""}, op.Key, "the whole key of %s, if it has one", op.Name)
		names = append(names, op.Name)
		if op.Name == denied {
			return nil, nil, errors.New("not today")
		}
		return nil, nil, nil
	}
	bucket := memstore.New(storage.WithHook(hook), storage.WithSigningBaseURL("http://localhost/files"))
	view := storage.Prefixed(bucket, "views/")

	// Make each call of the upload through the view.
	upload := beginUpload(t, view, storage.WithUncheckedParts())
	upload, err := storage.ContinueUpload(t.Context(), view, upload.Token())
	require.NoError(t, err)
	_, err = upload.PutPart(t.Context(), 1, strings.NewReader("text"))
	require.NoError(t, err)
	_, err = upload.Parts(t.Context())
	require.NoError(t, err)
	_, err = upload.SignPart(t.Context(), 1)
	require.NoError(t, err)

	// The hook denies the first Complete, and permits the second one.
	denied = "CompleteUpload"
	_, err = upload.Complete(t.Context())
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.EqualError(t, err,
		`storage: CompleteUpload "key" in memory bucket "memory": permission denied: not today`)

	denied = ""
	_, err = upload.Complete(t.Context())
	require.NoError(t, err)
	require.NoError(t, upload.Abort(t.Context()))

	want := []string{
		"BeginUpload",
		"ContinueUpload",
		"PutPart",
		"Parts",
		"SignPart",
		"CompleteUpload", // denied
		"CompleteUpload",
		"AbortUpload",
	}
	require.Equal(t, want, names)
}

// The token of an open upload does not contain the secrets of native options.
func TestOpenUploadTokenHidesSecret(t *testing.T) {
	bucket, _ := openWithNativeRecorder()
	upload := beginUpload(t, bucket, withSecret("hidden"))
	require.NotContains(t, upload.Token(), "hidden")
}

// ContinueUpload requires the native options of BeginUpload, because the token does not contain their secrets.
func TestContinueUploadNeedsNativeOptions(t *testing.T) {
	bucket, _ := openWithNativeRecorder()
	upload := beginUpload(t, bucket, withSecret("hidden"))

	tests := []struct {
		name string
		opts []storage.MultipartOption
	}{
		{name: "no option", opts: nil},
		{name: "another secret", opts: []storage.MultipartOption{withSecret("other key")}},
		{name: "one option too many", opts: []storage.MultipartOption{withSecret("hidden"), withSecret("hidden")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := storage.ContinueUpload(t.Context(), bucket, upload.Token(), tt.opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "options must")
		})
	}

	// The same option continues the upload.
	continued, err := storage.ContinueUpload(t.Context(), bucket, upload.Token(), withSecret("hidden"))
	require.NoError(t, err)
	require.Equal(t, upload.Token(), continued.Token())
}

// The functions for open uploads fail with Unsupported for a bucket of another module's type.
func TestBeginUploadRefusesOtherBucketType(t *testing.T) {
	foreign := struct{ storage.Bucket }{memstore.New()}

	_, err := storage.BeginUpload(t.Context(), foreign, "key")
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = storage.ContinueUpload(t.Context(), foreign, "token")
	require.ErrorIs(t, err, storage.Unsupported)

	const partNumber = 1
	entry := storage.UploadEntry{Key: "key", Upload: "upload"}
	_, err = storage.PutSignedPart(t.Context(), foreign, entry.Key, entry.Upload, partNumber, strings.NewReader("x"))
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorIs(t, storage.AbortUpload(t.Context(), foreign, entry), storage.Unsupported)
	for _, err := range storage.ListUploads(t.Context(), foreign) {
		require.ErrorIs(t, err, storage.Unsupported)
	}
}

// BeginUpload with a Ref that may only download fails with PermissionDenied.
func TestBeginUploadNeedsPermission(t *testing.T) {
	readOnly := storage.Ref[storage.Downloader](memstore.New()).(storage.Uploader)
	_, err := storage.BeginUpload(t.Context(), readOnly, "key")
	require.ErrorIs(t, err, storage.PermissionDenied)
}

// Every call of an open upload fails with Canceled if ctx was canceled.
func TestOpenUploadEndsWithContext(t *testing.T) {
	bucket := memstore.New()
	upload := beginUpload(t, bucket)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := storage.BeginUpload(ctx, bucket, "key")
	require.ErrorIs(t, err, storage.Canceled)
	_, err = storage.ContinueUpload(ctx, bucket, upload.Token())
	require.ErrorIs(t, err, storage.Canceled)
	_, err = upload.PutPart(ctx, 1, strings.NewReader("x"))
	require.ErrorIs(t, err, storage.Canceled)
	_, err = upload.Parts(ctx)
	require.ErrorIs(t, err, storage.Canceled)
	_, err = upload.Complete(ctx)
	require.ErrorIs(t, err, storage.Canceled)
	require.ErrorIs(t, upload.Abort(ctx), storage.Canceled)
}

// A partPager is a driver that lists parts in pages of two, and can list them out of order.
type partPager struct {
	driver.Driver
	reverses bool
}

func (d *partPager) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	limited := *r
	limited.Limit = 2
	page, err := d.Driver.ListParts(ctx, &limited)
	if err != nil {
		return nil, err
	}
	if d.reverses {
		slices.Reverse(page.Parts)
	}
	return page, nil
}

// Parts returns the parts of all pages. Complete fails with Internal if the driver lists the pages out of order.
func TestOpenUploadPartsPages(t *testing.T) {
	pager := &partPager{Driver: memstore.NewDriver(memstore.Config{})}
	bucket := engine.New(pager)
	upload := beginUpload(t, bucket)
	for _, number := range []int{5, 4, 1, 3, 2} {
		body := strings.NewReader(strings.Repeat("x", number)) // as many bytes as its number
		_, err := upload.PutPart(t.Context(), number, body)
		require.NoError(t, err)
	}

	// The driver lists two parts in a page, so that the parts come from three pages.
	parts, err := upload.Parts(t.Context())
	require.NoError(t, err)
	require.Len(t, parts, 5)

	// Pages out of order make Complete fail, but keep the upload.
	pager.reverses = true
	_, err = upload.Complete(t.Context())
	require.ErrorIs(t, err, storage.Internal)

	// In the right order, the same upload can be completed.
	pager.reverses = false
	attrs, err := upload.Complete(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1+2+3+4+5, attrs.Size)
}

// An unsummedParts driver lists parts without their checksums.
type unsummedParts struct{ driver.Driver }

func (d unsummedParts) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	page, err := d.Driver.ListParts(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Parts {
		page.Parts[i].CRC32C = storage.CRC32C{}
	}
	return page, nil
}

// If the store lists parts without checksums, only the MultipartUpload that has sent the parts can complete with
// WithCRC32C. After ContinueUpload, Complete fails with Unsupported.
func TestCompleteChecksumNeedsThoseOfParts(t *testing.T) {
	bucket := engine.New(unsummedParts{memstore.NewDriver(memstore.Config{})})
	upload := beginUpload(t, bucket)
	part, err := upload.PutPart(t.Context(), 1, strings.NewReader("text"))
	require.NoError(t, err)

	// The continued upload does not know the checksum of the part.
	continued, err := storage.ContinueUpload(t.Context(), bucket, upload.Token())
	require.NoError(t, err)
	_, err = continued.Complete(t.Context(), storage.WithCRC32C(part.CRC32C.Sum))
	require.ErrorIs(t, err, storage.Unsupported)

	// The first one knows it.
	attrs, err := upload.Complete(t.Context(), storage.WithCRC32C(part.CRC32C.Sum))
	require.NoError(t, err)
	require.Equal(t, part.CRC32C, attrs.CRC32C)
}

// Complete does not retry after a conflict, because S3 then requires a new upload.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
func TestCompleteConflictNeedsNewUpload(t *testing.T) {
	injector := faults.New()
	bucket := memstore.New(driver.WithLayer(injector.Layer()),
		storage.WithRetry(storage.RetryPolicy{MaxDelay: 1}))
	upload := beginUpload(t, bucket, storage.IfAbsent())
	_, err := upload.PutPart(t.Context(), 1, strings.NewReader("text"))
	require.NoError(t, err)

	// Only the first request would fail, so that a retry would succeed.
	conflict := &storage.Error{Code: storage.Unavailable, Status: http.StatusConflict, Retryable: true}
	injector.Set(faults.Fail(faults.CompleteParts).Nth(1).WithError(conflict))
	_, err = upload.Complete(t.Context())
	require.Equal(t, 1, injector.Count(faults.CompleteParts))
	require.ErrorIs(t, err, storage.Unavailable)

	// The error says what the caller can do.
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.True(t, storageErr.Retryable)
	require.Contains(t, storageErr.Hint, "begin a new one")

	_, err = bucket.Attrs(t.Context(), "key")
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// A lostCompletion driver makes the object, keeps the upload, and returns an error. Drivers that make an object of
// components do the same if the response to their request is lost.
type lostCompletion struct {
	driver.Driver
	refuses bool // whether the next attempts fail, because the object is there already
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

// If the response to Complete is lost, Complete finds the object, returns it and ends the upload.
func TestCompleteFindsLostCompletion(t *testing.T) {
	tests := []struct {
		name string
		opts []storage.MultipartOption
	}{
		{name: "without a condition"},
		{name: "with a condition", opts: []storage.MultipartOption{storage.IfAbsent()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// This driver makes the object, but returns an error.
			bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return &lostCompletion{Driver: d}
			}))
			upload := beginUpload(t, bucket, tt.opts...)
			_, err := upload.PutPart(t.Context(), 1, strings.NewReader("text"))
			require.NoError(t, err)

			_, err = upload.Complete(t.Context())
			require.NoError(t, err)

			// No upload is in progress.
			for entry, err := range storage.ListUploads(t.Context(), bucket) {
				require.NoError(t, err)
				require.Fail(t, "an upload is in progress", entry)
			}

			// After the object is replaced, the upload is no longer found.
			_, err = bucket.Upload(t.Context(), "key", strings.NewReader("newer"))
			require.NoError(t, err)
			_, err = upload.Complete(t.Context())
			require.ErrorIs(t, err, storage.ObjectNotFound)
		})
	}
}

// A partReplacer is a driver that stores part 1 again before each of its next completions.
type partReplacer struct {
	driver.Driver
	times int    // the number of completions before which part 1 is replaced
	text  string // of the new part
}

func (d *partReplacer) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if d.times == 0 {
		return d.Driver.CompleteParts(ctx, r)
	}
	d.times--

	sum := crc32.Checksum([]byte(d.text), crc32.MakeTable(crc32.Castagnoli))
	_, err := d.PutPart(ctx, &driver.PartRequest{
		Key:    r.Put.Key,
		Upload: r.Upload,
		Number: 1,
		Body:   strings.NewReader(d.text),
		Size:   int64(len(d.text)),
		CRC32C: storage.CRC32C{Sum: sum, Known: true},
	})
	if err != nil {
		return nil, err
	}
	return d.Driver.CompleteParts(ctx, r)
}

// newPartReplacer returns a bucket in memory over a partReplacer that stores text.
func newPartReplacer(text string) (storage.Bucket, *partReplacer) {
	replacer := &partReplacer{Driver: memstore.NewDriver(memstore.Config{}), text: text}
	return engine.New(replacer), replacer
}

// If the response to Complete is lost, Complete fails with Unavailable until the object can be read, and then returns
// it.
func TestCompleteCannotLookup(t *testing.T) {
	tests := []struct {
		name string
		opts []storage.MultipartOption
	}{
		{name: "unconditional"},
		{name: "if absent", opts: []storage.MultipartOption{storage.IfAbsent()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The response to CompleteParts is lost, and then the first reads of the object fail.
			const failedReads = 2
			injector := faults.New(faults.DropResponse(faults.CompleteParts),
				faults.Fail(faults.Head).First(failedReads))
			bucket := memstore.New(driver.WithLayer(injector.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			upload := beginUpload(t, bucket, tt.opts...)
			_, err := upload.PutPart(t.Context(), 1, strings.NewReader("text"))
			require.NoError(t, err)

			// The first of these calls makes the object.
			for range failedReads {
				_, err = upload.Complete(t.Context())
				require.Equal(t, storage.Unavailable, storage.CodeOf(err), err)
			}

			// This call can read the object.
			attrs, err := upload.Complete(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, len("text"), attrs.Size)
		})
	}
}

// beginOldParts begins an upload with the parts "old " and "text", and returns it with part 1.
func beginOldParts(t *testing.T, b storage.Uploader) (storage.MultipartUpload, *storage.UploadedPart) {
	t.Helper()
	upload := beginUpload(t, b)
	part, err := upload.PutPart(t.Context(), 1, strings.NewReader("old "))
	require.NoError(t, err)
	_, err = upload.PutPart(t.Context(), 2, strings.NewReader("text"))
	require.NoError(t, err)
	return upload, part
}

// If a part is replaced during Complete, Complete tries again with the new part.
func TestCompletePartReplaced(t *testing.T) {
	bucket, replacer := newPartReplacer("new ")
	upload, _ := beginOldParts(t, bucket)

	replacer.times = 2
	attrs, err := upload.Complete(t.Context())
	require.NoError(t, err)

	content, readAttrs, err := storage.ReadAll(t.Context(), bucket, "key")
	require.NoError(t, err)
	require.Equal(t, "new text", string(content))
	require.Equal(t, readAttrs.CRC32C, attrs.CRC32C)
}

// Complete fails with InvalidArgument if a part that WithParts names is replaced meanwhile.
func TestCompleteNamedPartReplaced(t *testing.T) {
	bucket, replacer := newPartReplacer("new ")
	upload, part := beginOldParts(t, bucket)

	replacer.times = 1
	_, err := upload.Complete(t.Context(), storage.WithParts(*part, storage.UploadedPart{Number: 2}))
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "part 1 must have the ETag")
}

// If a part is replaced again and again, Complete fails after a few attempts and keeps the upload.
func TestCompletePartReplacedAgainAndAgain(t *testing.T) {
	// The driver replaces part 1 at the beginning of each CompleteParts, for this number of times.
	const replacements = 1000
	bucket, replacer := newPartReplacer("new ")
	upload, _ := beginOldParts(t, bucket)
	replacer.times = replacements

	const manyAttempts = 10
	_, err := upload.Complete(t.Context())
	require.ErrorIs(t, err, storage.InvalidArgument)
	attempts := replacements - replacer.times
	require.Less(t, attempts, manyAttempts)

	// When the part is no longer replaced, the upload can be completed.
	replacer.times = 0
	_, err = upload.Complete(t.Context())
	require.NoError(t, err)
}

// A partListHook is a driver that calls a function once, after it has listed parts. It then returns the list without
// its last part, as if the upload had ended in the meantime.
type partListHook struct {
	driver.Driver
	afterList func()
}

func (d *partListHook) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	page, err := d.Driver.ListParts(ctx, r)
	if err != nil || d.afterList == nil {
		return page, err
	}
	// Clear afterList first, because it may list parts itself.
	afterList := d.afterList
	d.afterList = nil
	afterList()
	page.Parts = page.Parts[:len(page.Parts)-1]
	return page, nil
}

var completeOptions = []struct {
	name string
	opts []storage.CompleteOption
}{
	{name: "all parts"},
	{name: "a size", opts: []storage.CompleteOption{storage.WithSize(int64(len("one two")))}},
	{
		name: "a checksum",
		opts: []storage.CompleteOption{
			storage.WithCRC32C(crc32.Checksum([]byte("one two"), crc32.MakeTable(crc32.Castagnoli))),
		},
	},
	{
		name: "two parts",
		opts: []storage.CompleteOption{
			storage.WithParts(storage.UploadedPart{Number: 1}, storage.UploadedPart{Number: 2}),
		},
	},
}

// Two calls of Complete that run at the same time both return the object.
func TestCompleteTwiceAtOnce(t *testing.T) {
	for _, tt := range completeOptions {
		t.Run(tt.name, func(t *testing.T) {
			hook := &partListHook{Driver: memstore.NewDriver(memstore.Config{})}
			upload := beginUpload(t, engine.New(hook))
			for i, text := range []string{"one ", "two"} {
				_, err := upload.PutPart(t.Context(), 1+i, strings.NewReader(text))
				require.NoError(t, err)
			}

			// After the outer call has listed the parts, the inner call completes the upload.
			var inner *storage.Attrs
			hook.afterList = func() {
				var err error
				inner, err = upload.Complete(t.Context(), tt.opts...)
				require.NoError(t, err)
			}
			outer, err := upload.Complete(t.Context(), tt.opts...)
			require.NoError(t, err)

			// Both have returned the same object.
			require.Equal(t, inner.Revision, outer.Revision)
		})
	}
}

// Complete fails with ObjectNotFound if the upload is aborted meanwhile.
func TestCompleteDuringAbort(t *testing.T) {
	for _, tt := range completeOptions {
		t.Run(tt.name, func(t *testing.T) {
			hook := &partListHook{Driver: memstore.NewDriver(memstore.Config{})}
			upload := beginUpload(t, engine.New(hook))
			_, err := upload.PutPart(t.Context(), 1, strings.NewReader("x"))
			require.NoError(t, err)

			// After Complete has listed the parts, the upload is aborted.
			hook.afterList = func() {
				require.NoError(t, upload.Abort(t.Context()))
			}
			_, err = upload.Complete(t.Context(), tt.opts...)
			require.ErrorIs(t, err, storage.ObjectNotFound)
		})
	}
}

// If a part is replaced during Complete by one that is too long, Complete fails because of its length and drops the
// upload, because the client has sent more than it declared.
func TestCompletePartReplacedByLongerOne(t *testing.T) {
	bucket, replacer := newPartReplacer("too long")
	upload := beginUpload(t, bucket, storage.WithSize(4))
	_, err := upload.PutPart(t.Context(), 1, strings.NewReader("text"))
	require.NoError(t, err)

	replacer.times = 1
	_, err = upload.Complete(t.Context())
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "the 4 bytes of WithSize, and have 8")

	_, err = upload.Parts(t.Context())
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// For any token, ContinueUpload fails with InvalidArgument or returns the upload that the token names.
func FuzzContinueUpload(f *testing.F) {
	bucket := memstore.New()
	upload, err := storage.BeginUpload(f.Context(), bucket, "key",
		storage.WithMetadata(map[string]string{"a": "b"}), storage.WithSize(3))
	require.NoError(f, err)
	f.Add(upload.Token())
	f.Add("")
	f.Add("AQAAAAAAAAAAe30")
	f.Fuzz(func(t *testing.T, token string) {
		continued, err := storage.ContinueUpload(t.Context(), bucket, token)
		if err != nil {
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			return
		}
		require.Equal(t, upload.Token(), continued.Token())
	})
}
