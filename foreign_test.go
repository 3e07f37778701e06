package storage_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A foreign bucket is a user's type: it promises ten bytes, and its bodies are
// whatever they are.
type foreign struct {
	storage.Bucket
	body string
}

func (f foreign) Download(_ context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error) {
	var r storage.GetRequest
	if err := r.Apply(opts...); err != nil {
		return nil, err
	}
	body := f.body[min(int(r.Offset), len(f.body)):]
	return storage.NewReader(&storage.Attrs{Key: key, Size: 10}, r.Offset, 10-r.Offset, io.NopCloser(strings.NewReader(body))), nil
}

func (foreign) Attrs(_ context.Context, key string, _ ...storage.AttrsOption) (*storage.Attrs, error) {
	return &storage.Attrs{Key: key, Size: 10}, nil
}

// uses are all the ways in which this package reads a bucket to the end.
var uses = []struct {
	name string
	read func(ctx context.Context, b storage.Bucket, path string) error
}{
	{"Read", func(ctx context.Context, b storage.Bucket, _ string) error {
		r, err := b.Download(ctx, "k")
		if err != nil {
			return err
		}
		_, err = io.ReadAll(struct{ io.Reader }{r})
		return err
	}},
	{"WriteTo", func(ctx context.Context, b storage.Bucket, _ string) error {
		r, err := b.Download(ctx, "k")
		if err != nil {
			return err
		}
		_, err = r.WriteTo(io.Discard)
		return err
	}},
	{"ReadAll", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, _, err := storage.ReadAll(ctx, b, "k")
		return err
	}},
	{"DownloadFile", func(ctx context.Context, b storage.Bucket, path string) error {
		_, err := storage.DownloadFile(ctx, b, "k", path)
		return err
	}},
	{"Copy", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Copy(ctx, memstore.New(), "k", b, "k")
		return err
	}},
	{"Compose", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Compose(ctx, b, "to", []string{"k"})
		return err
	}},
	{"ReaderAt", func(ctx context.Context, b storage.Bucket, _ string) error {
		r, err := storage.NewReaderAt(ctx, b, "k")
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		_, err = io.ReadAll(r)
		return err
	}},
	{"ReadFile of FS", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.FS(ctx, b).(interface{ ReadFile(string) ([]byte, error) }).ReadFile("k")
		return err
	}},
	{"Prefixed", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, _, err := storage.ReadAll(ctx, storage.Prefixed(b, "p/"), "k")
		return err
	}},
}

func TestAForeignBodyIsCounted(t *testing.T) {
	for _, row := range []struct {
		name, body string
		code       storage.Code
	}{
		{"all of it", "0123456789", ""},
		{"nothing", "", storage.Unavailable},
		{"too short", "0123", storage.Unavailable},
		{"too long", "0123456789a", storage.Internal},
	} {
		for _, use := range uses {
			t.Run(row.name+"/"+use.name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "to")
				err := use.read(t.Context(), foreign{memstore.New(), row.body}, path)
				if row.code == "" {
					require.NoError(t, err)
					return
				}
				if row.code == storage.Internal && use.name == "ReaderAt" {
					require.NoError(t, err, "it asks for so many bytes, and has them")
					return
				}
				require.Equal(t, row.code, storage.CodeOf(err), "%v", err)
				var own *storage.Error
				require.ErrorAs(t, err, &own)
				require.NotEmpty(t, own.Op)
				if row.code == storage.Unavailable {
					require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				}
				_, err = os.Stat(path)
				require.ErrorIs(t, err, os.ErrNotExist)
			})
		}
	}
}

// A hasty bucket takes an error of the body's for its end.
type hasty struct{ storage.Bucket }

func (h hasty) Upload(ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error) {
	head, _ := io.ReadAll(body)
	return h.Bucket.Upload(ctx, key, bytes.NewReader(head), opts...)
}

func TestAWriterWhoseSourceFailedIsNeverCommitted(t *testing.T) {
	w := storage.NewWriter(t.Context(), hasty{memstore.New()}, "k")
	_, err := w.ReadFrom(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrNoProgress)))
	require.Equal(t, io.ErrNoProgress, err)
	attrs, err := w.Commit()
	require.Nil(t, attrs)
	require.Equal(t, storage.BodyFailed, storage.CodeOf(err))
	require.ErrorIs(t, err, io.ErrNoProgress)
}
