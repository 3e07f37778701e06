package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/stretchr/testify/require"
)

// What a call leaves for the next must never be seen in an answer: not in one of
// another goroutine, not in one that was given before.
func TestAnswersOfCallsThatUseMemoryAgainAreTheirOwn(t *testing.T) {
	b := memstore.New()
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			var answers []answer
			for i := range 100 {
				answers = append(answers, store(t, b, fmt.Sprintf("key-%d-%d", g, i), i*i))
				fail(t, b, i)
			}
			for _, a := range answers {
				a.check(t)
			}
		})
	}
	group.Wait()
}

// An answer is what was stored, and all that was said of it.
type answer struct {
	key                    string
	content, data          []byte
	written, read, looked  *storage.Attrs
	metadata, contentType  string
	absent, absentFromHead error
}

func store(t *testing.T, b storage.Bucket, key string, size int) answer {
	a := answer{key: key, content: bytes.Repeat([]byte(key), size/len(key)+1), metadata: "of " + key, contentType: "text/" + key}
	var body io.Reader = bytes.NewReader(a.content)
	if size%2 == 1 {
		body = struct{ io.Reader }{body} // of unknown length
	}
	var err error
	a.written, err = b.Upload(t.Context(), key, body,
		storage.WithContentType(a.contentType), storage.WithMetadata(map[string]string{"m": a.metadata}))
	require.NoError(t, err)
	a.data, a.read, err = storage.ReadAll(t.Context(), b, key)
	require.NoError(t, err)
	a.looked, err = b.Attrs(t.Context(), key)
	require.NoError(t, err)
	_, _, a.absent = storage.ReadAll(t.Context(), b, "no-"+key)
	_, a.absentFromHead = b.Attrs(t.Context(), "no-"+key)
	return a
}

func (a answer) check(t *testing.T) {
	require.Equal(t, a.content, a.data)
	for _, attrs := range []*storage.Attrs{a.written, a.read, a.looked} {
		require.Equal(t, a.key, attrs.Key)
		require.EqualValues(t, len(a.content), attrs.Size)
		require.Equal(t, a.contentType, attrs.ContentType)
		require.Equal(t, map[string]string{"m": a.metadata}, attrs.Metadata)
		require.Equal(t, a.written.Revision, attrs.Revision)
		require.Equal(t, *a.written.CRC32C, *attrs.CRC32C)
	}
	for _, err := range []error{a.absent, a.absentFromHead} {
		require.ErrorIs(t, err, storage.ObjectNotFound)
		require.ErrorContains(t, err, `"no-`+a.key+`"`)
	}
}

// fail makes calls that end early, and leave what they have begun.
func fail(t *testing.T, b storage.Bucket, i int) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	key, body := fmt.Sprintf("failed-%d", i), bytes.NewReader([]byte("content"))
	_, err := b.Upload(t.Context(), key, body, storage.WithCRC32C(1))
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	_, err = b.Upload(t.Context(), key, body, storage.WithSize(1))
	require.ErrorIs(t, err, storage.BodyFailed)
	_, err = b.Upload(done, key, body)
	require.ErrorIs(t, err, storage.Canceled)
	_, _, err = storage.ReadAll(done, b, key)
	require.ErrorIs(t, err, storage.Canceled)
	_, _, err = storage.ReadAll(t.Context(), b, key, storage.WithRange(-1, 1))
	require.ErrorIs(t, err, storage.InvalidArgument)
	found, err := b.Exists(t.Context(), key)
	require.NoError(t, err)
	require.False(t, found)
}

func TestReadAllOfAnEmptyObjectIsNotNil(t *testing.T) {
	b := memstore.New()
	_, err := b.Upload(t.Context(), "empty", bytes.NewReader(nil))
	require.NoError(t, err)
	data, attrs, err := storage.ReadAll(t.Context(), b, "empty")
	require.NoError(t, err)
	require.NotNil(t, data)
	require.Empty(t, data)
	require.Zero(t, attrs.Size)
}

func TestReadAllOfARangeInMemory(t *testing.T) {
	b := memstore.New()
	_, err := b.Upload(t.Context(), "key", bytes.NewReader([]byte("0123456789")))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		offset, length int64
		want           string
	}{
		"from the start": {0, 3, "012"},
		"in the middle":  {4, 2, "45"},
		"to the end":     {7, -1, "789"},
		"the last bytes": {-2, -1, "89"},
		"nothing":        {5, 0, ""},
		"at the end":     {10, -1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			data, attrs, err := storage.ReadAll(t.Context(), b, "key", storage.WithRange(c.offset, c.length))
			require.NoError(t, err)
			require.Equal(t, c.want, string(data))
			require.EqualValues(t, 10, attrs.Size)
		})
	}
}
