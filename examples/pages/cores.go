package pages

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/omnibucket/storage"
)

// quota returns a hook that denies uploads after max bytes. Uploads that run at that moment still end. A write whose
// bytes nobody counts is denied, such as a copy by the server or a signed upload.
func quota(max int64) storage.Hook {
	var used atomic.Int64
	count := func(o storage.Outcome) { used.Add(o.Bytes) }
	return func(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Effects&storage.EffectWrite == 0 {
			return nil, nil, nil
		}
		switch op.Name {
		case "Upload", "BeginUpload", "PutPart":
			if used.Load() >= max {
				return nil, nil, fmt.Errorf("%d bytes were uploaded, and %d are permitted", used.Load(), max)
			}
			return nil, count, nil
		case "CompleteUpload", "AbortUpload":
			return nil, nil, nil
		default:
			return nil, nil, fmt.Errorf("%s does not count toward the quota", op.Name)
		}
	}
}

// A zipped Core compresses objects in memory. It refuses all calls that it does not have, such as List, whose sizes
// would be those of the compressed bytes.
type zipped struct {
	storage.UnimplementedCore
	core storage.Core
}

func (z zipped) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, &storage.Error{Code: storage.BodyFailed, Err: err}
	}
	if o.Size >= 0 && o.Size != int64(len(data)) {
		return nil, &storage.Error{Code: storage.BodyFailed, Err: io.ErrUnexpectedEOF}
	}
	if o.CRC32C.Known && o.CRC32C.Sum != crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) {
		return nil, storage.ChecksumMismatch
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	changed := *o
	changed.Size = int64(packed.Len())
	changed.CRC32C = storage.CRC32C{}
	attrs, err := z.core.Upload(ctx, key, &packed, &changed)
	return plain(attrs, len(data)), err
}

func (z zipped) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	whole := *o
	whole.Offset = 0
	whole.Length = -1
	whole.Suffix = 0
	stored, err := z.core.Download(ctx, key, &whole)
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	unpacked, err := gzip.NewReader(stored)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, err
	}
	return slice(plain(stored.Attrs(), len(data)), data, o)
}

func (z zipped) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	return z.core.Remove(ctx, key, o)
}

func (z zipped) Source(key string) storage.CopySource { return storage.NewCopySource(z, key) }

func (z zipped) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	return storage.StreamCopy(ctx, z, key, src, o)
}

// plain returns the attributes of an object without its compression.
func plain(stored *storage.Attrs, size int) *storage.Attrs {
	if stored == nil {
		return nil
	}
	attrs := *stored
	attrs.Size = int64(size)
	attrs.CRC32C = storage.CRC32C{}
	attrs.MD5 = nil
	return &attrs
}

// slice returns a reader of the range that the options select.
func slice(attrs *storage.Attrs, data []byte, o *storage.DownloadOptions) (*storage.Reader, error) {
	from, to, err := o.Span(int64(len(data)))
	if err != nil {
		return nil, err
	}
	return storage.NewReader(attrs, from, to-from, io.NopCloser(bytes.NewReader(data[from:to]))), nil
}

// A cached Core keeps objects of up to 1 MiB in memory. For each download, it asks the store whether the object has
// changed, and gets the content only then.
type cached struct {
	storage.Core
	mu   sync.Mutex
	kept map[string]content
}

type content struct {
	attrs *storage.Attrs
	data  []byte
}

func (c *cached) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	if o.Version != "" || o.Condition != (storage.Condition{}) || len(o.Native) > 0 || o.NativeAttrs {
		return c.Core.Download(ctx, key, o)
	}
	c.mu.Lock()
	kept, known := c.kept[key]
	c.mu.Unlock()
	ask := *o
	if known {
		ask.Condition.NotRevision = kept.attrs.Revision
	}
	r, err := c.Core.Download(ctx, key, &ask)
	if known && errors.Is(err, storage.NotModified) {
		return slice(copyOf(kept.attrs), kept.data, o)
	}
	if err != nil {
		return nil, err
	}
	attrs := r.Attrs()
	if _, length := r.Range(); length < attrs.Size || length > 1<<20 {
		return r, nil
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) == 100 {
		clear(c.kept)
	}
	c.kept[key] = content{copyOf(attrs), data}
	return slice(attrs, data, o)
}

// copyOf copies attributes, because results belong to the caller.
func copyOf(attrs *storage.Attrs) *storage.Attrs {
	changed := *attrs
	changed.Metadata = maps.Clone(attrs.Metadata)
	return &changed
}

func inMemory(bucket storage.Bucket) (storage.Bucket, error) {
	return storage.Wrap(bucket, func(c storage.Core) storage.Core {
		return &cached{Core: c, kept: make(map[string]content)}
	})
}
