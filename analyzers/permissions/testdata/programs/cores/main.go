// Cores calls methods of Core, and copies to a Core of its own.
package main

import (
	"context"
	"io"
	"log"
	"time"

	"github.com/omnibucket/storage"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

// A zipped changes the bytes of each object.
type zipped struct{ storage.Core }

func (z zipped) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	return z.Core.Upload(ctx, key, body, o)
}

func (z zipped) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	return storage.StreamCopy(ctx, z, key, src, o)
}

func main() {
	ctx := context.Background()
	_, _ = storage.Wrap(open("s3://signs"), func(c storage.Core) storage.Core {
		_, _ = c.SignedRemoveURL(ctx, "a", &storage.SignOptions{})
		return c
	})
	_, _ = storage.Wrap(open("s3://vends"), func(c storage.Core) storage.Core {
		_, _ = c.Vend(ctx, "a/", storage.Rights{}, time.Hour)
		return c
	})
	zip, _ := storage.Wrap(open("s3://zipped"), func(c storage.Core) storage.Core { return zipped{c} })
	_, _ = storage.Copy(ctx, zip, "a", open("s3://source"), "a")
	_, _ = storage.Wrap(open("s3://streamed"), func(dst storage.Core) storage.Core {
		_, _ = storage.Wrap(open("s3://read"), func(src storage.Core) storage.Core {
			_, _ = storage.StreamCopy(ctx, dst, "a", storage.NewCopySource(src, "a"), &storage.CopyOptions{})
			return src
		})
		return dst
	})
}
