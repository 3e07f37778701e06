package storage

import (
	"context"
	"hash/crc32"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// A lendingDriver has one object, and lends it.
type lendingDriver struct {
	Driver
	attrs Attrs
	data  []byte
}

func (*lendingDriver) Transient() {}

func (*lendingDriver) Describe() Description {
	return Description{Provider: "lending", Bucket: "b", Features: OrderedList, Local: true}
}

func (d *lendingDriver) Lend(context.Context, *GetRequest) (*Attrs, []byte, error) {
	attrs := d.attrs
	return &attrs, d.data, nil
}

func lending(text string) *lendingDriver {
	sum := crc32.Checksum([]byte(text), castagnoli)
	return &lendingDriver{attrs: Attrs{Size: int64(len(text)), CRC32C: &sum}, data: []byte(text)}
}

func TestReadAllOfALender(t *testing.T) {
	t.Run("is a copy", func(t *testing.T) {
		d := lending("lent")
		data, attrs, err := ReadAll(t.Context(), New(d), "key")
		require.NoError(t, err)
		require.Equal(t, "lent", string(data))
		require.Equal(t, "key", attrs.Key)
		data[0] = 'x'
		require.Equal(t, "lent", string(d.data))
	})
	t.Run("is a download to hooks", func(t *testing.T) {
		var seen Operation
		var ended Outcome
		b := New(lending("lent"), WithHook(func(ctx context.Context, op Operation) (context.Context, func(Outcome), error) {
			seen = op
			return ctx, func(out Outcome) { ended = out }, nil
		}))
		_, _, err := ReadAll(t.Context(), b, "key")
		require.NoError(t, err)
		require.Equal(t, Operation{Name: "Download", Provider: "lending", Bucket: "b", Key: "key"}, seen)
		require.Equal(t, Outcome{Bytes: 4, Requests: 1}, ended)
	})
	t.Run("needs the permission to download", func(t *testing.T) {
		_, _, err := ReadAll(t.Context(), Ref[Attrser](New(lending("lent"))).(Downloader), "key")
		require.Equal(t, PermissionDenied, CodeOf(err))
	})
}

func TestReadAllOfALenderJudgesWhatIsLent(t *testing.T) {
	for name, c := range map[string]struct {
		lent string
		want Code
	}{
		"other bytes": {"bent", ChecksumMismatch},
		"fewer bytes": {"len", Internal},
		"more bytes":  {"lently", Internal},
		"the same":    {"lent", ""},
		"no bytes":    {"", Internal},
	} {
		t.Run(name, func(t *testing.T) {
			d := lending("lent")
			d.data = []byte(c.lent)
			data, _, err := ReadAll(t.Context(), New(d), "key")
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, c.want, CodeOf(err))
			require.ErrorContains(t, err, `Download`)
			require.ErrorContains(t, err, `"key"`)
			require.Nil(t, data)
		})
	}
}

func TestOnlyATransientDriverItselfLends(t *testing.T) {
	d := lending("lent")
	passing := func(ctx context.Context, _ string, next func(context.Context) error) error { return next(ctx) }
	for name, layer := range map[string]func(Driver) Driver{
		"a layer": func(d Driver) Driver { return refusing{d} },
		"Around":  func(d Driver) Driver { return Around(refusing{d}, passing) },
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := ReadAll(t.Context(), New(d, WithLayer(layer)), "key")
			require.Equal(t, PermissionDenied, CodeOf(err))
		})
	}
}

// refusing is a layer that lets nobody read.
type refusing struct{ Driver }

func (refusing) Get(context.Context, *GetRequest) (*Attrs, io.ReadCloser, error) {
	return nil, nil, PermissionDenied
}
