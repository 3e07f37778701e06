package differential

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage"
)

func (p *player) download() string {
	key := one(p, keys...)
	var opts []storage.DownloadOption
	text := ""
	if p.sometimes(2) {
		offset := one(p, int64(0), 1, 99, 100, 5000, -5, 1<<40)
		length := one(p, int64(-1), 0, 1, 50, 1<<20)
		opts = append(opts, storage.WithRange(offset, length))
		text = fmt.Sprintf(" WithRange(%d, %d)", offset, length)
	}

	c := condition{}
	if p.sometimes(3) {
		c = p.ifRevision(key)
	}

	return p.compare(
		fmt.Sprintf("Download %q%s%s", key, text, c.text), key,
		func(b storage.Bucket, inMemory bool) result {
			r, err := b.Download(p.ctx, key, append(of[storage.DownloadOption](c, inMemory), opts...)...)
			if err != nil {
				return result{err: err}
			}
			content, err := io.ReadAll(r)
			offset, length := r.Range()
			_ = r.Close()
			return result{
				fmt.Sprintf("%d bytes from %d, %x of %s", length, offset, crc32.ChecksumIEEE(content), describe(r.Attrs())),
				r.Attrs(), err,
			}
		},
	)
}

func (p *player) downloadFile() string {
	key := one(p, keys...)
	path := filepath.Join(p.dir, "file")
	return p.compare(fmt.Sprintf("DownloadFile %q", key), key, func(b storage.Bucket, _ bool) result {
		defer func() { _ = os.Remove(path) }()
		attrs, err := storage.DownloadFile(p.ctx, b, key, path, storage.WithNoSync())
		content, _ := os.ReadFile(path)
		return result{
			fmt.Sprintf("%d bytes, %x of %s", len(content), crc32.ChecksumIEEE(content), describe(attrs)), attrs, err,
		}
	})
}

func (p *player) readAt() string {
	key := one(p, keys...)
	offsets := []int64{0, int64(p.random.IntN(100)), int64(p.random.IntN(400_000))}
	return p.compare(fmt.Sprintf("ReaderAt of %q at %d", key, offsets), key, func(b storage.Bucket, _ bool) result {
		r, err := storage.NewReaderAt(p.ctx, b, key)
		if err != nil {
			return result{err: err}
		}
		defer r.Close()
		text := ""
		content := make([]byte, 1000)
		for _, offset := range offsets {
			n, err := r.ReadAt(content, offset)
			text += fmt.Sprintf("%d bytes, %x, %v; ", n, crc32.ChecksumIEEE(content[:n]), err)
		}
		return result{text + describe(r.Attrs()), r.Attrs(), nil}
	})
}

func (p *player) readRanges() string {
	key := one(p, keys...)
	ranges := make([]storage.Range, 1+p.random.IntN(4))
	for i := range ranges {
		ranges[i] = storage.Range{
			Offset: one(p, int64(0), 1, 50, 4000, -3, 69_999),
			Length: one(p, int64(-1), 0, 1, 10, 5000),
		}
	}
	return p.compare(fmt.Sprintf("ReadRanges %q %v", key, ranges), key, func(b storage.Bucket, _ bool) result {
		contents, attrs, err := storage.ReadRanges(p.ctx, b, key, ranges)
		text := ""
		for _, content := range contents {
			text += fmt.Sprintf("%d bytes, %x; ", len(content), crc32.ChecksumIEEE(content))
		}
		return result{text + describe(attrs), attrs, err}
	})
}

func (p *player) attrs() string {
	key := one(p, keys...)
	return p.compare(fmt.Sprintf("Attrs %q", key), key, func(b storage.Bucket, _ bool) result {
		attrs, err := b.Attrs(p.ctx, key)
		return result{describe(attrs), attrs, err}
	})
}

func (p *player) exists() string {
	key := one(p, keys...)
	return p.compare(fmt.Sprintf("Exists %q", key), key, func(b storage.Bucket, _ bool) result {
		ok, err := b.Exists(p.ctx, key)
		return result{text: fmt.Sprint(ok), err: err}
	})
}

func (p *player) tags() string {
	key := one(p, keys...)
	return p.compare(fmt.Sprintf("Tags %q", key), "", func(b storage.Bucket, _ bool) result {
		tags, err := storage.Tags(p.ctx, b, key)
		return result{text: fmt.Sprintf("%q", tags), err: err}
	})
}
