package memstore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// Head returns the same attributes as Put, which has stored all properties, the size, the checksum and the time.
func TestPutKeepsAllProperties(t *testing.T) {
	now := time.Date(2026, 5, 1, 14, 0, 0, 123456789, time.FixedZone("CEST", 7200))
	d := memstore.NewDriver(memstore.Config{Now: func() time.Time { return now }})
	const (
		key     = "a/b.txt"
		content = "content"
		sum     = 0x0badcafe
	)
	req := putRequest(key, content)
	req.CRC32C = storage.CRC32C{Sum: sum, Known: true}
	req.Properties = storage.Properties{
		ContentType:        "text/plain",
		ContentEncoding:    "gzip",
		ContentDisposition: "inline",
		ContentLanguage:    "de",
		CacheControl:       "no-cache",
		Metadata:           map[string]string{"owner": "zoë"},
		StorageClass:       "cold",
	}

	attrs, err := d.Put(t.Context(), req)
	require.NoError(t, err)
	headAttrs, err := head(d, key)
	require.NoError(t, err)
	require.Equal(t, attrs, headAttrs)
	require.Equal(t, content, get(t, d, key, ""))

	require.Equal(t, req.Properties, headAttrs.Properties)
	require.Equal(t, key, headAttrs.Key)
	require.Equal(t, int64(len(content)), headAttrs.Size)
	require.Equal(t, uint32(sum), headAttrs.CRC32C.Sum)
	// The clock shows another time zone, but the driver returns UTC.
	require.Equal(t, now.UTC(), headAttrs.Modified)
	// The ETag consists of the checksum and the revision.
	require.Equal(t, `"0badcafe-memory:1"`, headAttrs.ETag)
	require.Equal(t, "memory:1", headAttrs.Revision)
	require.Empty(t, headAttrs.Version)
	require.Nil(t, headAttrs.MD5)
}

// Put stores a checksum that is known only at the end of the body: reading the end sets it in the request.
func TestPutChecksumAtEnd(t *testing.T) {
	d := newDriver()
	checksum := storage.CRC32C{Sum: 42, Known: true}
	req := &driver.PutRequest{Key: "k", Size: -1}
	req.Body = &endHookBody{Reader: strings.NewReader("content"), atEnd: func() {
		req.CRC32C = checksum
	}}

	attrs, err := d.Put(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, checksum.Sum, attrs.CRC32C.Sum)
}

// Put computes no checksum of its own.
func TestPutWithoutChecksum(t *testing.T) {
	attrs := put(t, newDriver(), "k", "content")
	require.False(t, attrs.CRC32C.Known)
}

// Put stores bodies of every length, with and without a known size, however many bytes each Read returns.
func TestPutBodiesOfEveryLength(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"plain":         func(r io.Reader) io.Reader { return r },
		"data with EOF": iotest.DataErrReader,
		"halves":        iotest.HalfReader,
	}
	const chunk = 1 << 10 // the first chunk of memory for a stream; later ones double
	lengths := []int{
		0,
		1,
		chunk - 1,
		chunk,
		chunk + 1,
		2*chunk - 1,
		2 * chunk,
		2*chunk + 1,
		1 << 20,
		5<<20 + 7, // several blocks, and the beginning of one
	}
	for _, length := range lengths {
		const pattern = "0123456789abcde"
		content := bytes.Repeat([]byte(pattern), length/len(pattern)+1)[:length]
		for name, newReader := range readers {
			const unknownSize = -1
			for _, size := range []int64{unknownSize, int64(length)} {
				t.Run(fmt.Sprintf("%d bytes, %s, size %d", length, name, size), func(t *testing.T) {
					d := newDriver()
					body := newReader(bytes.NewReader(content))
					attrs, err := d.Put(t.Context(), &driver.PutRequest{Key: "k", Body: body, Size: size})
					require.NoError(t, err)
					require.Equal(t, int64(length), attrs.Size)
					require.True(t, get(t, d, "k", "") == string(content), "the content differs")
				})
			}
		}
	}
}

// Put reads a stream into blocks of memory that later streams use again. An object must not change when that happens,
// even after a stream that failed.
func TestPutStreamsShareNoMemory(t *testing.T) {
	const block = 64 << 10
	for _, length := range []int{1 << 10, block, 2 * block, 16 * block} {
		t.Run(fmt.Sprint(length, " bytes"), func(t *testing.T) {
			// Store three objects. After each of them, another stream fails.
			d := newDriver()
			const unknownSize = -1
			for _, letter := range []string{"a", "b", "c"} {
				body := strings.NewReader(strings.Repeat(letter, length))
				_, err := d.Put(t.Context(), &driver.PutRequest{Key: letter, Body: body, Size: unknownSize})
				require.NoError(t, err)

				broken := failingBody(strings.Repeat("x", length), errBroken)
				_, err = d.Put(t.Context(), &driver.PutRequest{Key: "broken", Body: broken, Size: unknownSize})
				require.ErrorIs(t, err, errBroken)
			}

			// Each object still has its letters.
			for _, letter := range []string{"a", "b", "c"} {
				require.True(t, get(t, d, letter, "") == strings.Repeat(letter, length), "object %s", letter)
			}
		})
	}
}

// If the body fails or has another size than the request says, Put fails and keeps the old object.
func TestPutBodyFailsKeepsOldObject(t *testing.T) {
	// A stream is read in chunks, the first of which has this length.
	chunk := strings.Repeat("x", 1024)
	tests := []struct {
		name string
		body io.Reader
		size int64 // -1 for a stream
		want error
	}{
		{name: "the body fails", body: failingBody("ne", errBroken), size: 3, want: errBroken},
		{name: "the body fails at its end", body: failingBody("new", errBroken), size: 3, want: errBroken},
		{name: "a stream fails", body: failingBody("ne", errBroken), size: -1, want: errBroken},
		{
			name: "a stream fails at the end of a chunk",
			body: failingBody(chunk, errBroken),
			size: -1,
			want: errBroken,
		},
		{
			name: "a stream ends unexpectedly",
			body: failingBody("ne", io.ErrUnexpectedEOF),
			size: -1,
			want: io.ErrUnexpectedEOF,
		},
		{
			name: "the body is shorter than its size",
			body: strings.NewReader("ne"),
			size: 3,
			want: storage.BodyFailed,
		},
		{
			name: "the body is longer than its size",
			body: strings.NewReader("new!"),
			size: 3,
			want: storage.BodyFailed,
		},
		{name: "the size exceeds any memory", body: strings.NewReader("new"), size: 1 << 62, want: storage.BodyFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver()
			oldAttrs := put(t, d, "k", "old")

			_, err := d.Put(t.Context(), &driver.PutRequest{Key: "k", Body: tt.body, Size: tt.size})
			require.ErrorIs(t, err, tt.want)

			// The old object is there, unchanged.
			attrs, err := head(d, "k")
			require.NoError(t, err)
			require.Equal(t, oldAttrs, attrs)
			require.Equal(t, "old", get(t, d, "k", ""))
		})
	}
}

// Put fails with PreconditionFailed and keeps the old object if its condition does not hold.
func TestPutConditionFailsKeepsOldObject(t *testing.T) {
	// The old object has the revision memory:1.
	tests := []struct {
		name      string
		condition storage.Condition
	}{
		{name: "IfAbsent", condition: storage.Condition{Absent: true}},
		{name: "IfRevision of another object", condition: storage.Condition{Revision: "memory:7"}},
		{name: "IfRevision that is malformed", condition: storage.Condition{Revision: "x"}},
		{name: "IfRevision with a leading zero", condition: storage.Condition{Revision: "memory:01"}},
		{
			name:      "IfRevision with an ETag",
			condition: storage.Condition{Revision: `"00000000-memory:1"`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver()
			oldAttrs := put(t, d, "k", "old")
			req := putRequest("k", "new")
			req.Condition = tt.condition
			_, err := d.Put(t.Context(), req)
			require.ErrorIs(t, err, storage.PreconditionFailed)

			attrs, err := head(d, "k")
			require.NoError(t, err)
			require.Equal(t, oldAttrs, attrs)
			require.Equal(t, "old", get(t, d, "k", ""))
		})
	}
}

// Put with IfRevision fails with PreconditionFailed if there is no object.
func TestPutIfRevisionOfMissingObject(t *testing.T) {
	req := putRequest("k", "1")
	req.Condition.Revision = "memory:1"
	_, err := newDriver().Put(t.Context(), req)
	require.ErrorIs(t, err, storage.PreconditionFailed)
}

// Put stores the object if its condition holds.
func TestPutWithCondition(t *testing.T) {
	d := newDriver()
	create := putRequest("k", "1")
	create.Condition.Absent = true
	first, err := d.Put(t.Context(), create)
	require.NoError(t, err)

	replace := putRequest("k", "2")
	replace.Condition.Revision = first.Revision
	second, err := d.Put(t.Context(), replace)
	require.NoError(t, err)
	require.NotEqual(t, first.Revision, second.Revision)
	require.Equal(t, "2", get(t, d, "k", ""))
}

// An object that is replaced by equal content gets a new revision and ETag.
func TestPutOfEqualContentHasNewRevision(t *testing.T) {
	d := newDriver()
	first := put(t, d, "k", "same")
	second := put(t, d, "k", "same")
	require.NotEqual(t, first.Revision, second.Revision)
	require.NotEqual(t, first.ETag, second.ETag)
}

// While Put reads its body, other calls read and write the same bucket without waiting for Put.
func TestPutBodyReadsBucket(t *testing.T) {
	d := newDriver()
	put(t, d, "k", "content")
	_, content, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	body := &endHookBody{Reader: content, atEnd: func() {
		put(t, d, "other", "x")
		require.Len(t, listKeys(t, d), 2)
	}}

	_, err = d.Put(t.Context(), &driver.PutRequest{Key: "k", Body: body, Size: -1})
	require.NoError(t, err)
	require.Equal(t, "content", get(t, d, "k", ""))
}

// If several writers create one object at the same time, exactly one of them succeeds.
func TestPutIfAbsentByMany(t *testing.T) {
	const writers = 32
	d := newDriver()
	var successes atomic.Int32
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			req := putRequest("k", "mine")
			req.Condition.Absent = true
			if _, err := d.Put(context.Background(), req); err == nil {
				successes.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(t, int32(1), successes.Load())
}

// While an object is overwritten, each reader gets bytes and attributes of the same write. The writers store the
// content also as the content type, and the readers compare both.
func TestGetBesideWrites(t *testing.T) {
	d := newDriver()
	put(t, d, "k", "0")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { writeWithMatchingType(t, d) })
		group.Go(func() { requireMatchingType(t, d) })
	}
	group.Wait()
}

// writeWithMatchingType overwrites "k" again and again, each time with its content as the content type.
func writeWithMatchingType(t *testing.T, d driver.Driver) {
	for i := range 200 {
		content := strings.Repeat("x", i)
		req := putRequest("k", content)
		req.ContentType = content
		if _, err := d.Put(context.Background(), req); err != nil {
			t.Error(err)
		}
	}
}

// requireMatchingType reads "k" again and again, and requires that its content type is its content or is not set.
func requireMatchingType(t *testing.T, d driver.Driver) {
	for range 200 {
		attrs, body, err := d.Get(context.Background(), &driver.GetRequest{Key: "k", Length: -1})
		if err != nil {
			t.Error(err)
			return
		}
		data, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
			return
		}
		if attrs.ContentType != "" && attrs.ContentType != string(data) {
			t.Errorf("the content is %q, and its type is %q", data, attrs.ContentType)
		}
	}
}

// Every call of the driver fails if its ctx has ended, and changes nothing.
func TestDriverCallsAfterContextEnds(t *testing.T) {
	tests := []struct {
		state string
		want  error
	}{
		{state: "canceled", want: storage.Canceled},
		{state: "expired", want: storage.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.state, func(t *testing.T) {
			d := newDriver()
			put(t, d, "k", "old")
			upload := beginUpload(t, d, "k")
			source := d.Locate("k")
			ctx, cancel := newEndedContext(tt.state)
			defer cancel()

			// No call may succeed, whatever it does.
			_, err := d.Put(ctx, putRequest("k", "new"))
			require.ErrorIs(t, err, tt.want)
			_, _, err = d.Get(ctx, &driver.GetRequest{Key: "k", Length: -1})
			require.ErrorIs(t, err, tt.want)
			_, err = d.Head(ctx, &driver.GetRequest{Key: "k", Length: -1})
			require.ErrorIs(t, err, tt.want)
			_, err = d.List(ctx, &driver.ListRequest{Limit: 1})
			require.ErrorIs(t, err, tt.want)
			_, err = d.ListVersions(ctx, &driver.ListRequest{Limit: 1})
			require.ErrorIs(t, err, tt.want)

			require.ErrorIs(t, d.Delete(ctx, &driver.DeleteRequest{Key: "k"}), tt.want)
			errs := d.DeleteBatch(ctx, []driver.DeleteRequest{{Key: "k"}})
			require.ErrorIs(t, errs[0], tt.want)

			_, err = d.BeginParts(ctx, putRequest("k", ""))
			require.ErrorIs(t, err, tt.want)
			_, err = d.PutPart(ctx,
				&driver.PartRequest{Key: "k", Upload: upload, Number: 1, Body: strings.NewReader("")})
			require.ErrorIs(t, err, tt.want)
			_, err = d.CompleteParts(ctx, &driver.CompleteRequest{Put: putRequest("k", ""), Upload: upload})
			require.ErrorIs(t, err, tt.want)
			require.ErrorIs(t, d.AbortParts(ctx, "k", upload), tt.want)

			_, err = d.Copy(ctx, &driver.CopyRequest{Source: source, Key: "k"})
			require.ErrorIs(t, err, tt.want)
			_, err = d.Compose(ctx, &driver.ComposeRequest{Sources: []driver.ObjectRef{source}, Key: "k"})
			require.ErrorIs(t, err, tt.want)

			// The object is unchanged.
			require.Equal(t, "old", get(t, d, "k", ""))
		})
	}
}

// Put stores nothing if ctx ends while it reads the last bytes of the body.
func TestPutContextEndsWithBody(t *testing.T) {
	const content = "new"
	tests := []struct {
		name string
		size int64
	}{
		{name: "known size", size: int64(len(content))},
		{name: "stream", size: -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver()
			ctx, cancel := context.WithCancel(t.Context())
			body := &endHookBody{Reader: strings.NewReader(content), atEnd: cancel}
			_, err := d.Put(ctx, &driver.PutRequest{Key: "k", Body: body, Size: tt.size})
			require.ErrorIs(t, err, storage.Canceled)
			require.Empty(t, listKeys(t, d))
		})
	}
}
