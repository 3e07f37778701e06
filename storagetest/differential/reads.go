package differential

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage"
)

// download compares reads of an object in both buckets, sometimes of a range or with a condition.
func (p *player) download() string {
	key := choose(p, keys...)
	rangeOpts, rangeText := p.rangeOption()

	// The condition names the same revision in both buckets.
	c := condition{}
	if p.oneIn(3) {
		c = p.ifRevision(key)
	}

	what := fmt.Sprintf("Download %q%s%s", key, rangeText, c.text)
	return p.compareEach(what, key, func(b storage.Bucket, inMemory bool) result {
		opts := append(optionFor[storage.DownloadOption](c, inMemory), rangeOpts...)
		r, err := b.Download(p.ctx, key, opts...)
		if err != nil {
			return result{err: err}
		}
		defer r.Close()

		content, err := io.ReadAll(r)
		offset, length := r.Range()
		text := fmt.Sprintf("%d bytes from %d, %x of %s", length, offset, crc32.ChecksumIEEE(content), describe(r.Attrs()))
		return result{text: text, attrs: r.Attrs(), err: err}
	})
}

// rangeOption returns a random range of a download, which may lie outside of the object, and a text
// that describes it. Every second time, it returns no range.
func (p *player) rangeOption() (opts []storage.DownloadOption, text string) {
	if !p.oneIn(2) {
		return nil, ""
	}
	offset := choose(p, int64(0), 1, 99, 100, 5000, -5, 1<<40)
	length := choose(p, int64(-1), 0, 1, 50, 1<<20)
	opts = []storage.DownloadOption{storage.WithRange(offset, length)}
	return opts, fmt.Sprintf(" WithRange(%d, %d)", offset, length)
}

// downloadFile compares downloads of an object from both buckets to a file.
func (p *player) downloadFile() string {
	key := choose(p, keys...)
	path := filepath.Join(p.dir, "file")
	return p.compare(fmt.Sprintf("DownloadFile %q", key), key, func(b storage.Bucket) result {
		defer func() { _ = os.Remove(path) }()
		attrs, err := storage.DownloadFile(p.ctx, b, key, path, storage.WithNoSync())
		content, _ := os.ReadFile(path) // without a download, there is no file
		text := fmt.Sprintf("%d bytes, %x of %s", len(content), crc32.ChecksumIEEE(content), describe(attrs))
		return result{text: text, attrs: attrs, err: err}
	})
}

// readAt compares reads of 1,000 bytes at three offsets, which may lie past the end of the object.
func (p *player) readAt() string {
	key := choose(p, keys...)
	nearStart := int64(p.random.IntN(100))
	anywhere := int64(p.random.IntN(400_000)) // longer than the longest body
	offsets := []int64{0, nearStart, anywhere}
	what := fmt.Sprintf("ReaderAt of %q at %d", key, offsets)
	return p.compare(what, key, func(b storage.Bucket) result { return p.readAtOffsets(b, key, offsets) })
}

// readAtOffsets reads 1,000 bytes of an object at each of the offsets, with one ReaderAt.
func (p *player) readAtOffsets(b storage.Bucket, key string, offsets []int64) result {
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
	return result{text: text + describe(r.Attrs()), attrs: r.Attrs()}
}

// readRanges compares reads of up to four ranges from both buckets. The ranges may overlap or lie
// past the end of the object. Some offsets are negative, and a length of -1 means the rest of the object.
func (p *player) readRanges() string {
	key := choose(p, keys...)
	ranges := make([]storage.Range, 1+p.random.IntN(4))
	for i := range ranges {
		ranges[i] = storage.Range{
			Offset: choose(p, int64(0), 1, 50, 4000, -3, 69_999),
			Length: choose(p, int64(-1), 0, 1, 10, 5000),
		}
	}
	return p.compare(fmt.Sprintf("ReadRanges %q %v", key, ranges), key, func(b storage.Bucket) result {
		contents, attrs, err := storage.ReadRanges(p.ctx, b, key, ranges)
		text := ""
		for _, content := range contents {
			text += fmt.Sprintf("%d bytes, %x; ", len(content), crc32.ChecksumIEEE(content))
		}
		return result{text: text + describe(attrs), attrs: attrs, err: err}
	})
}

// attrs compares the attributes of an object.
func (p *player) attrs() string {
	key := choose(p, keys...)
	return p.compare(fmt.Sprintf("Attrs %q", key), key, func(b storage.Bucket) result {
		attrs, err := b.Attrs(p.ctx, key)
		return result{text: describe(attrs), attrs: attrs, err: err}
	})
}

// exists compares the results of Exists for an object.
func (p *player) exists() string {
	key := choose(p, keys...)
	return p.compare(fmt.Sprintf("Exists %q", key), key, func(b storage.Bucket) result {
		ok, err := b.Exists(p.ctx, key)
		return result{text: fmt.Sprint(ok), err: err}
	})
}

// tags compares the tags of an object.
func (p *player) tags() string {
	key := choose(p, keys...)
	return p.compare(fmt.Sprintf("Tags %q", key), noKey, func(b storage.Bucket) result {
		tags, err := storage.Tags(p.ctx, b, key)
		return result{text: fmt.Sprintf("%q", tags), err: err}
	})
}
