package memstore_test

import (
	"bytes"
	"context"
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

// Head returns the attributes that Put has returned: the properties, the size, the checksum and the time.
func TestPutKeepsAllProperties(t *testing.T) {
	noon := time.Date(2026, 5, 1, 14, 0, 0, 123456789, time.FixedZone("CEST", 7200))
	d := memstore.NewDriver(memstore.Config{Now: func() time.Time { return noon }})
	const sum = 0x0badcafe
	r := putRequest("a/b.txt", "content")
	r.CRC32C = storage.CRC32C{Sum: sum, Known: true}
	r.Properties = storage.Properties{
		ContentType:        "text/plain",
		ContentEncoding:    "gzip",
		ContentDisposition: "inline",
		ContentLanguage:    "de",
		CacheControl:       "no-cache",
		Metadata:           map[string]string{"owner": "zoë"},
		StorageClass:       "cold",
	}
	attrs, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	headAttrs, err := head(d, "a/b.txt")
	require.NoError(t, err)
	require.Equal(t, attrs, headAttrs)
	require.Equal(t, r.Properties, headAttrs.Properties)
	require.Equal(t, "a/b.txt", headAttrs.Key)
	require.Equal(t, int64(7), headAttrs.Size)
	require.Equal(t, uint32(sum), headAttrs.CRC32C.Sum)
	require.Equal(t, noon.UTC(), headAttrs.Modified)
	require.Equal(t, `"0badcafe-memory:1"`, headAttrs.ETag)
	require.Equal(t, "memory:1", headAttrs.Revision)
	require.Empty(t, headAttrs.Version)
	require.Nil(t, headAttrs.MD5)
	require.Equal(t, "content", get(t, d, "a/b.txt", ""))
}

// Put stores a checksum that is set at the end of the body.
func TestPutChecksumAtEnd(t *testing.T) {
	d := newDriver()
	r := &driver.PutRequest{Key: "k", Size: -1}
	r.Body = &endHookBody{Reader: strings.NewReader("content"), atEnd: func() {
		r.CRC32C = storage.CRC32C{Sum: 42, Known: true}
	}}
	attrs, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, uint32(42), attrs.CRC32C.Sum)

	require.False(t, put(t, d, "k", "content").CRC32C.Known, "the request has no checksum")
}

// Put stores bodies of every length.
func TestPutBodiesOfEveryLength(t *testing.T) {
	wraps := map[string]func(io.Reader) io.Reader{
		"plain":         func(r io.Reader) io.Reader { return r },
		"data with EOF": iotest.DataErrReader,
		"halves":        iotest.HalfReader,
	}
	const chunk = 1 << 10 // the first chunk of a stream; later ones double
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
		for name, wrap := range wraps {
			for _, size := range []int64{-1, int64(length)} {
				d := newDriver()
				attrs, err := d.Put(t.Context(),
					&driver.PutRequest{Key: "k", Body: wrap(bytes.NewReader(content)), Size: size})
				require.NoError(t, err)
				require.Equal(t, int64(length), attrs.Size)
				require.True(t, get(t, d, "k", "") == string(content), "%d bytes, %s, size %d",
					length, name, size)
			}
		}
	}
}

// Streams share no memory.
func TestPutStreamsShareNoMemory(t *testing.T) {
	for _, length := range []int{1 << 10, 64 << 10, 128 << 10, 1 << 20} {
		d := newDriver()
		for _, letter := range []string{"a", "b", "c"} {
			_, err := d.Put(t.Context(), &driver.PutRequest{
				Key:  letter,
				Body: strings.NewReader(strings.Repeat(letter, length)),
				Size: -1,
			})
			require.NoError(t, err)
			_, err = d.Put(t.Context(),
				&driver.PutRequest{Key: "k", Body: failingBody(strings.Repeat("x", length), errBroken), Size: -1})
			require.ErrorIs(t, err, errBroken)
		}
		for _, letter := range []string{"a", "b", "c"} {
			require.True(t, get(t, d, letter, "") == strings.Repeat(letter, length), "%s of %d bytes",
				letter, length)
		}
	}
}

// If the body of Put fails or has another size, Put keeps the old object.
func TestPutBodyFailsKeepsOldObject(t *testing.T) {
	chunk := strings.Repeat("x", 1024)
	tests := []struct {
		name string
		body io.Reader
		size int64 // -1 for a stream
		want error
	}{
		{name: "it fails", body: failingBody("ne", errBroken), size: 3, want: errBroken},
		{name: "it fails at its end", body: failingBody("new", errBroken), size: 3, want: errBroken},
		{name: "a stream fails", body: failingBody("ne", errBroken), size: -1, want: errBroken},
		{
			name: "a stream fails at a chunk's end",
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
			name: "it is shorter than its size",
			body: strings.NewReader("ne"),
			size: 3,
			want: storage.BodyFailed,
		},
		{
			name: "it is longer than its size",
			body: strings.NewReader("new!"),
			size: 3,
			want: storage.BodyFailed,
		},
		{name: "the size is absurd", body: strings.NewReader("new"), size: 1 << 62, want: storage.BodyFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver()
			oldAttrs := put(t, d, "k", "old")
			_, err := d.Put(t.Context(), &driver.PutRequest{Key: "k", Body: tt.body, Size: tt.size})
			require.ErrorIs(t, err, tt.want)

			attrs, err := head(d, "k")
			require.NoError(t, err)
			require.Equal(t, oldAttrs, attrs)
			require.Equal(t, "old", get(t, d, "k", ""))
		})
	}
}

// If the condition of Put does not hold, Put keeps the old object.
func TestPutConditionFailsKeepsOldObject(t *testing.T) {
	tests := []struct {
		name      string
		condition storage.Condition
	}{
		{name: "IfAbsent, and there is one", condition: storage.Condition{Absent: true}},
		{name: "IfRevision, and it differs", condition: storage.Condition{Revision: "memory:7"}},
		{name: "IfRevision, malformed", condition: storage.Condition{Revision: "x"}},
		{name: "IfRevision, in another spelling", condition: storage.Condition{Revision: "memory:01"}},
		{
			name:      "IfRevision, in the form of an ETag",
			condition: storage.Condition{Revision: `"00000000-memory:1"`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver()
			oldAttrs := put(t, d, "k", "old")
			r := putRequest("k", "new")
			r.Condition = tt.condition
			_, err := d.Put(t.Context(), r)
			require.ErrorIs(t, err, storage.PreconditionFailed)

			attrs, err := head(d, "k")
			require.NoError(t, err)
			require.Equal(t, oldAttrs, attrs)
			require.Equal(t, "old", get(t, d, "k", ""))
		})
	}
}

// Put compares its condition with the object that is there.
func TestPutWithCondition(t *testing.T) {
	d := newDriver()
	r := putRequest("k", "1")
	r.Condition.Revision = "memory:1"
	_, err := d.Put(t.Context(), r)
	require.ErrorIs(t, err, storage.PreconditionFailed, "there is no object")

	r = putRequest("k", "1")
	r.Condition.Absent = true
	first, err := d.Put(t.Context(), r)
	require.NoError(t, err)

	r = putRequest("k", "2")
	r.Condition.Revision = first.Revision
	second, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	require.NotEqual(t, first.Revision, second.Revision)
	require.Equal(t, "2", get(t, d, "k", ""))
}

// Put of equal content has a new revision.
func TestPutOfEqualContentHasNewRevision(t *testing.T) {
	d := newDriver()
	first := put(t, d, "k", "same")
	second := put(t, d, "k", "same")
	require.NotEqual(t, first.Revision, second.Revision)
	require.NotEqual(t, first.ETag, second.ETag)
}

// A body may read from the bucket to which Put writes it.
func TestPutBodyReadsBucket(t *testing.T) {
	d := newDriver()
	put(t, d, "k", "content")
	_, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	reading := &endHookBody{Reader: body, atEnd: func() {
		put(t, d, "other", "written while the body is read")
		require.Len(t, listKeys(t, d), 2)
	}}
	_, err = d.Put(t.Context(), &driver.PutRequest{Key: "k", Body: reading, Size: -1})
	require.NoError(t, err)

	require.Equal(t, "content", get(t, d, "k", ""))
}

// If several writers create one object at the same time, exactly one of them succeeds.
func TestPutIfAbsentByMany(t *testing.T) {
	d := newDriver()
	var won atomic.Int32
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			r := putRequest("k", "mine")
			r.Condition.Absent = true
			if _, err := d.Put(context.Background(), r); err == nil {
				won.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(t, int32(1), won.Load())
}

// While an object is overwritten, each reader gets bytes and attributes of the same write.
func TestGetBesideWrites(t *testing.T) {
	d := newDriver()
	put(t, d, "k", "0")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { writeWithMatchingType(t, d) })
		group.Go(func() { readWithMatchingType(t, d) })
	}
	group.Wait()
}

// writeWithMatchingType stores "k" again and again. Its content type is its content.
func writeWithMatchingType(t *testing.T, d driver.Driver) {
	for i := range 200 {
		content := strings.Repeat("x", i)
		r := putRequest("k", content)
		r.ContentType = content
		if _, err := d.Put(context.Background(), r); err != nil {
			t.Error(err)
		}
	}
}

// readWithMatchingType reads "k" again and again, and checks that its content type is its content. The object that
// was there first has no type.
func readWithMatchingType(t *testing.T, d driver.Driver) {
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
			t.Errorf("%q described as %q", data, attrs.ContentType)
		}
	}
}

// Calls of the driver fail if their ctx has ended, and change nothing.
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
