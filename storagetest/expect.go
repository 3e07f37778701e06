package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// put stores an object with the content text.
func (t *T) put(b storage.Uploader, key, text string, opts ...storage.UploadOption) *storage.Attrs {
	t.Helper()
	attrs, err := b.Upload(t.Context(), key, strings.NewReader(text), opts...)
	require.NoError(t, err)
	require.NotNil(t, attrs)
	return attrs
}

// puts stores an object under each key, with the key as its content.
func (t *T) puts(b storage.Uploader, keys ...string) {
	t.Helper()
	for _, key := range keys {
		t.put(b, key, key)
	}
}

// get returns the content of key.
func (t *T) get(b storage.Downloader, key string, opts ...storage.DownloadOption) string {
	t.Helper()
	data, _, err := storage.ReadAll(t.Context(), b, key, opts...)
	require.NoError(t, err)
	return string(data)
}

// requireContent requires that the object has exactly this content.
func (t *T) requireContent(b storage.Downloader, key, want string) {
	t.Helper()
	const large = 1 << 20 // bytes
	if len(want) < large {
		requireSame(t, want, t.get(b, key))
		return
	}

	// A large object is compared while it is read, and is not kept in memory.
	r, err := b.Download(t.Context(), key)
	require.NoError(t, err)
	defer r.Close()
	comparer := &contentComparer{want: want}
	_, err = io.Copy(comparer, r)
	require.NoError(t, err)
	isSame := !comparer.differs && comparer.pos == len(want)
	require.True(t, isSame, "%s has %d bytes, want %d, or its content differs", key, comparer.pos, len(want))
}

// A contentComparer is a writer that compares what is written with want, without keeping it in
// memory.
type contentComparer struct {
	want    string
	pos     int
	differs bool
}

// Write compares the next bytes with those of c.want. It sets c.differs instead of failing, so that the
// position at the end is the size of the whole content.
func (c *contentComparer) Write(p []byte) (int, error) {
	rest := c.want[min(c.pos, len(c.want)):]
	isSame := len(p) <= len(rest) && string(p) == rest[:len(p)]
	if !isSame {
		c.differs = true
	}
	c.pos += len(p)
	return len(p), nil
}

// requireSame requires that two contents are equal. For long contents, it prints only their sizes and the
// place where they differ.
func requireSame(t *T, want, got string) {
	t.Helper()
	const long = 200 // bytes
	if len(want) < long && len(got) < long {
		require.Equal(t, want, got)
		return
	}
	if want == got {
		return
	}

	index := 0
	for index < min(len(want), len(got)) && want[index] == got[index] {
		index++
	}
	require.Fail(t, "different", "got %d bytes, want %d; they differ at byte %d", len(got), len(want), index)
}

// attrs returns the attributes of key.
func (t *T) attrs(b storage.AttrsReader, key string, opts ...storage.AttrsOption) *storage.Attrs {
	t.Helper()
	attrs, err := b.Attrs(t.Context(), key, opts...)
	require.NoError(t, err)
	return attrs
}

// requireMissing requires that the object does not exist.
func (t *T) requireMissing(b storage.AttrsReader, key string) {
	t.Helper()
	exists, err := b.Exists(t.Context(), key)
	require.NoError(t, err)
	require.False(t, exists, "%q exists", key)
}

// requireExists requires that the object exists.
func (t *T) requireExists(b storage.AttrsReader, key string) {
	t.Helper()
	exists, err := b.Exists(t.Context(), key)
	require.NoError(t, err)
	require.True(t, exists, "%q does not exist", key)
}

// requireCode requires that err is a [storage.Error] with this code and no other, and that it names
// an operation.
func (t *T) requireCode(err error, code storage.Code) *storage.Error {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, storage.CodeOf(err), "%v", err)
	require.ErrorIs(t, err, code)
	var failure *storage.Error
	require.ErrorAs(t, err, &failure, "every error must be or join a *storage.Error")
	require.NotEmpty(t, failure.Op, "%v", err)

	// If a context ended the call, the error also wraps the error of the last attempt, which has
	// another code.
	if code == storage.Canceled || code == storage.DeadlineExceeded {
		return failure
	}
	for _, other := range codes {
		if other == code {
			continue
		}
		// An error with Unknown also matches OutcomeUnknown.
		if other == storage.OutcomeUnknown && failure.Unknown {
			continue
		}
		require.NotErrorIs(t, err, other, "an error has one Code")
	}
	return failure
}

var codes = []storage.Code{
	storage.ObjectNotFound, storage.BucketNotFound, storage.BucketExists, storage.BucketNotEmpty,
	storage.PreconditionFailed, storage.Changed,
	storage.NotModified, storage.InvalidArgument, storage.RangeNotSatisfiable, storage.PermissionDenied,
	storage.Unauthenticated, storage.NotPublic,
	storage.ChecksumMismatch, storage.TooLarge, storage.Archived, storage.Locked, storage.BodyFailed,
	storage.RateLimited, storage.Unavailable,
	storage.Unsupported, storage.OutcomeUnknown, storage.Canceled, storage.DeadlineExceeded, storage.Internal,
}

// requireNothingDone requires that a write failed with this code, and that its outcome is known.
func (t *T) requireNothingDone(err error, code storage.Code) *storage.Error {
	t.Helper()
	failure := t.requireCode(err, code)
	require.NotErrorIs(t, err, storage.OutcomeUnknown)
	return failure
}

// keys returns the keys that a listing yields. Common prefixes have a leading ">".
func (t *T) keys(b storage.Lister, opts ...storage.ListOption) []string {
	t.Helper()
	keys := []string{}
	for entry, err := range b.List(t.Context(), t.anyOrder(opts...)...) {
		require.NoError(t, err)
		keys = append(keys, markedKey(entry))
	}
	return t.sorted(keys)
}

// anyOrder adds WithAnyOrder to opts, unless the store lists in order.
func (t *T) anyOrder(opts ...storage.ListOption) []storage.ListOption {
	if t.has(storage.OrderedListing) {
		return opts
	}
	return append(slices.Clip(opts), storage.WithAnyOrder())
}

// sorted sorts the keys of a listing, unless the store lists in order.
func (t *T) sorted(keys []string) []string {
	if !t.has(storage.OrderedListing) {
		slices.SortFunc(keys, compareMarked)
	}
	return keys
}

// compareMarked compares two keys without the ">" that marks a common prefix.
func compareMarked(a, b string) int {
	return strings.Compare(strings.TrimPrefix(a, ">"), strings.TrimPrefix(b, ">"))
}

// markedKey returns the key of an entry, with a leading ">" if the entry is a common prefix.
func markedKey(entry storage.ListEntry) string {
	if entry.IsPrefix {
		return ">" + entry.Key
	}
	return entry.Key
}

// snapshot returns a text with the keys, contents, content types and metadata of all objects in a
// bucket.
func (t *T) snapshot(b storage.ReadWriter) string {
	t.Helper()
	var lines []string
	for entry, err := range b.List(t.Context(), t.anyOrder()...) {
		require.NoError(t, err)
		data, attrs, err := storage.ReadAll(t.Context(), b, entry.Key)
		require.NoError(t, err)
		require.Equal(t, entry.Size, int64(len(data)), "size of %q in the listing", entry.Key)
		line := fmt.Sprintf("%q: %d bytes %08x %s %v\n",
			entry.Key, len(data), sum(data), attrs.ContentType, attrs.Metadata)
		lines = append(lines, line)
	}
	return strings.Join(slices.Sorted(slices.Values(lines)), "")
}

// body returns n bytes that depend on the seed. They repeat only after 65,521 bytes, so that no two parts
// of an upload are equal.
func body(n int64, seed byte) string {
	// All bodies are parts of one text. Each seed begins elsewhere in it.
	const distance = 251
	start := int64(seed) * distance
	end := start + n

	longBody.Lock()
	defer longBody.Unlock()

	// If the text is too short, make one that is at least twice as long.
	if length := int64(len(longBody.text)); length < end {
		longBody.text = periodic(max(end, 2*length))
	}
	return longBody.text[start:end]
}

var longBody struct {
	sync.Mutex
	text string
}

// periodic returns a text of n bytes that repeats a pseudorandom text of 65,521 bytes. That is the
// largest prime below 64 KiB, so parts whose sizes are powers of two begin at different bytes of it.
func periodic(n int64) string {
	var period [65_521]byte
	state := uint32(1)
	for i := range period {
		state = state*1664525 + 1013904223 // a linear congruential generator
		period[i] = byte(state >> 24)
	}

	var text strings.Builder
	text.Grow(int(n))
	for remaining := n; remaining > 0; remaining = n - int64(text.Len()) {
		text.Write(period[:min(remaining, int64(len(period)))])
	}
	return text.String()
}

// changedAt returns text with the byte at one position changed.
func changedAt(text string, i int) string {
	return text[:i] + string([]byte{text[i] ^ 1}) + text[i+1:]
}

func sum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// stream returns a reader that only implements Read, so that the library cannot learn its length.
func stream(text string) io.Reader { return onlyReader{strings.NewReader(text)} }

type onlyReader struct{ io.Reader }

// failing returns a reader that returns text, and then err.
func failing(text string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(text), errReader{err})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// errBoom is the error that failing readers and hooks of the suite return.
var errBoom = errors.New("boom")

// canceled returns a context that is already canceled.
func canceled(t *T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// drain reads r to its end in small steps, and closes it.
func drain(t *T, r *storage.Reader) (string, error) {
	t.Helper()
	var data bytes.Buffer
	buf := make([]byte, 1000)
	for {
		n, err := r.Read(buf)
		data.Write(buf[:n])
		if err == nil {
			continue
		}
		require.NoError(t, r.Close())
		if err == io.EOF {
			return data.String(), nil
		}
		return data.String(), err
	}
}

// errorsOf returns each storage.Error in the tree of err.
func errorsOf(err error) []*storage.Error {
	switch e := err.(type) {
	case *storage.Error:
		return []*storage.Error{e}
	case interface{ Unwrap() error }:
		return errorsOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		var errs []*storage.Error
		for _, inner := range e.Unwrap() {
			errs = append(errs, errorsOf(inner)...)
		}
		return errs
	}
	return nil
}

// sorted returns a sorted copy of keys.
func sorted(keys []string) []string {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return keys
}
