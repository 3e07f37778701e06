package storage

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/stretchr/testify/require"
)

// A oneObject driver has one object; its attributes say what the test wants.
type oneObject struct {
	Driver
	attrs Attrs
	data  []byte
}

func (*oneObject) Describe() Description {
	return Description{Provider: "one", Bucket: "b", Features: OrderedListing, Local: true}
}

func (d *oneObject) Get(context.Context, *GetRequest) (*Attrs, io.ReadCloser, error) {
	attrs := d.attrs
	return &attrs, io.NopCloser(bytes.NewReader(d.data)), nil
}

func holding(text string) *oneObject {
	sum := crc32c.Sum([]byte(text))
	return &oneObject{attrs: Attrs{Size: int64(len(text)), CRC32C: KnownCRC32C(sum)}, data: []byte(text)}
}

func TestReadAllIsADownloadToHooks(t *testing.T) {
	var seen Operation
	var ended Outcome
	b := New(holding("text"), WithHook(func(ctx context.Context, op Operation) (context.Context, func(Outcome), error) {
		seen = op
		return ctx, func(out Outcome) { ended = out }, nil
	}))
	data, attrs, err := ReadAll(t.Context(), b, "key")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
	require.Equal(t, "key", attrs.Key)
	require.Equal(t, Operation{Name: "Download", Provider: "one", Bucket: "b", Key: "key"}, seen)
	require.Equal(t, Outcome{Bytes: 4, Requests: 1}, ended)
}

func TestReadAllNeedsThePermissionToDownload(t *testing.T) {
	_, _, err := ReadAll(t.Context(), Ref[AttrsReader](New(holding("text"))).(Downloader), "key")
	require.Equal(t, PermissionDenied, CodeOf(err))
}

func TestReadAllVerifiesTheBytes(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		want Code
	}{
		"other bytes":               {"test", ChecksumMismatch},
		"fewer bytes":               {"tex", Unavailable},
		"no bytes":                  {"", Unavailable},
		"the same":                  {"text", ""},
		"more bytes, past the size": {"texture", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := holding("text")
			d.data = []byte(c.sent)
			data, _, err := ReadAll(t.Context(), New(d, WithRetry(RetryPolicy{Attempts: 1})), "key")
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, "text", string(data))
				return
			}
			require.Equal(t, c.want, CodeOf(err))
			require.ErrorContains(t, err, `Download`)
			require.ErrorContains(t, err, `"key"`)
			require.Nil(t, data)
		})
	}
}
