package differential

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

func (p *player) upload() string {
	key := one(p, keys...)
	body := p.body()
	c := p.condition(key)
	opts, text := p.uploadOptions(body, c)
	stream := p.sometimes(3)
	return p.compare(
		fmt.Sprintf("Upload %q of %d bytes%s%s, stream %v", key, len(body), text, c.text, stream), key,
		func(b storage.Bucket, inMemory bool) result {
			var r io.Reader = bytes.NewReader(body)
			if stream {
				r = io.MultiReader(r) // hides the length of r
			}
			attrs, err := b.Upload(p.ctx, key, r, append(of[storage.UploadOption](c, inMemory), opts...)...)
			return result{describe(attrs), attrs, err}
		},
	)
}

// uploadOptions returns random properties, and sometimes a size or a checksum, which may be wrong.
// With a condition, the size and the checksum are always right. A write with two mistakes could
// return the error of either one.
func (p *player) uploadOptions(body []byte, c condition) (opts []storage.UploadOption, text string) {
	properties, text := p.properties()
	for _, o := range properties {
		opts = append(opts, o)
	}
	if p.sometimes(4) {
		size := int64(len(body))
		if c.text == "" {
			size += one(p, int64(0), 1, -1)
		}
		opts = append(opts, storage.WithSize(size))
		text += fmt.Sprintf(" WithSize(%d)", size)
	}
	if p.sometimes(4) {
		sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
		if c.text == "" {
			sum += one(p, uint32(0), 1)
		}
		opts = append(opts, storage.WithCRC32C(sum))
		text += fmt.Sprintf(" WithCRC32C(%x)", sum)
	}
	return opts, text
}

func (p *player) write() string {
	key := one(p, keys...)
	body := p.body()
	c := p.condition(key)
	opts, text := p.uploadOptions(body, c)
	return p.compare(
		fmt.Sprintf("Writer of %q, %d bytes%s%s", key, len(body), text, c.text), key,
		func(b storage.Bucket, inMemory bool) result {
			w := storage.NewWriter(p.ctx, b, key, append(of[storage.UploadOption](c, inMemory), opts...)...)
			defer w.Close()
			if _, err := w.Write(body); err != nil {
				// Either Write or Commit may return the error of an upload, so the result does not
				// tell which one did.
				return result{describe(nil), nil, err}
			}
			attrs, err := w.Commit()
			return result{describe(attrs), attrs, err}
		},
	)
}

func (p *player) remove() string {
	key := one(p, keys...)
	c := condition{}
	if p.sometimes(2) {
		c = p.ifRevision(key)
	}
	return p.compare(fmt.Sprintf("Remove %q%s", key, c.text), key, func(b storage.Bucket, inMemory bool) result {
		return result{err: b.Remove(p.ctx, key, of[storage.RemoveOption](c, inMemory)...)}
	})
}

func (p *player) removeAll() string {
	some := []string{one(p, keys...), one(p, keys...), "missing"}
	return p.compare(fmt.Sprintf("RemoveAll %q", some), "", func(b storage.Bucket, _ bool) result {
		n, err := storage.RemoveAll(p.ctx, b, slices.Values(some))
		return result{text: fmt.Sprint(n), err: err}
	})
}

func (p *player) removeMatching() string {
	prefix := one(p, "b/", "b/c/", "b", "z", "missing")
	length := one(p, 1, 3, 6)
	return p.compare(
		fmt.Sprintf("RemoveMatching below %q what has %d bytes", prefix, length), "",
		func(b storage.Bucket, _ bool) result {
			n, err := storage.RemoveMatching(p.ctx, b,
				func(e storage.ListEntry) bool { return len(e.Key) == length }, storage.WithPrefix(prefix))
			return result{text: fmt.Sprint(n), err: err}
		},
	)
}

// copyOptions sometimes returns random properties, and otherwise nothing.
func (p *player) copyOptions() (opts []storage.CopyOption, text string) {
	if p.sometimes(2) {
		properties, desc := p.properties()
		for _, o := range properties {
			opts = append(opts, o)
		}
		text = desc
	}
	return opts, text
}

func (p *player) copy() string {
	return p.copyBy("Copy", func(b storage.Bucket, src, dst string, opts []storage.CopyOption) (*storage.Attrs, error) {
		return storage.Copy(p.ctx, b, dst, b, src, opts...)
	})
}

func (p *player) move() string {
	return p.copyBy("Move", func(b storage.Bucket, src, dst string, opts []storage.CopyOption) (*storage.Attrs, error) {
		return storage.Move(p.ctx, b, src, dst, opts...)
	})
}

func (p *player) copyBy(
	name string, call func(b storage.Bucket, from, to string, opts []storage.CopyOption) (*storage.Attrs, error),
) string {
	src := one(p, keys...)
	dst := one(p, keys...)
	opts, text := p.copyOptions()
	c := p.lateCondition(dst)
	return p.compare(
		fmt.Sprintf("%s %q to %q%s%s", name, src, dst, text, c.text), dst,
		func(b storage.Bucket, inMemory bool) result {
			attrs, err := call(b, src, dst, append(of[storage.CopyOption](c, inMemory), opts...))
			return result{describe(attrs), attrs, err}
		},
	)
}

func (p *player) compose() string {
	dst := one(p, keys...)
	srcs := make([]string, 1+p.random.IntN(4))
	for i := range srcs {
		srcs[i] = one(p, keys...)
	}
	opts, text := p.copyOptions()
	c := p.lateCondition(dst)
	return p.compare(
		fmt.Sprintf("Compose %q to %q%s%s", srcs, dst, text, c.text), dst,
		func(b storage.Bucket, inMemory bool) result {
			attrs, err := storage.Compose(p.ctx, b, dst, srcs, append(of[storage.CopyOption](c, inMemory), opts...)...)
			return result{describe(attrs), attrs, err}
		},
	)
}

func (p *player) append() string {
	key := one(p, keys...)
	body := p.body()
	opts, text := p.copyOptions()
	c := p.lateCondition(key)
	return p.compare(
		fmt.Sprintf("Append %q of %d bytes%s%s", key, len(body), text, c.text), key,
		func(b storage.Bucket, inMemory bool) result {
			attrs, err := storage.Append(p.ctx, b, key, body, append(of[storage.CopyOption](c, inMemory), opts...)...)
			return result{describe(attrs), attrs, err}
		},
	)
}

func (p *player) update() string {
	key := one(p, keys...)
	return p.compare(fmt.Sprintf("Update %q", key), key, func(b storage.Bucket, _ bool) result {
		// Update tries again as long as other writers change the object, until this deadline.
		ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
		defer cancel()
		attrs, err := storage.Update(ctx, b, key, func(old []byte, _ *storage.Attrs) ([]byte, error) {
			return append(bytes.Clone(old), "more"...), nil
		})
		return result{describe(attrs), attrs, err}
	})
}

func (p *player) setTags() string {
	key := one(p, keys...)
	tags := one(
		p, map[string]string{"t": "1"}, map[string]string{"t": "x y", "u": "+-=._:/@"}, map[string]string{},
		map[string]string{"": "x"}, map[string]string{"k": strings.Repeat("v", 300)},
	)
	return p.compare(fmt.Sprintf("SetTags %q %.60q", key, tags), "", func(b storage.Bucket, _ bool) result {
		return result{err: storage.SetTags(p.ctx, b, key, tags)}
	})
}

// uploadParts makes the same multipart upload on both buckets, and compares the results. The upload
// has at most one part, and is completed or aborted.
func (p *player) uploadParts() string {
	key := one(p, keys...)
	body := p.body()
	properties, text := p.properties()
	c := p.lateCondition(key)
	end := one(p, "Complete", "Complete", "Abort", "no part", "Complete a part that is not there")

	return p.compare(
		fmt.Sprintf("BeginUpload %q%s%s, %d bytes, %s", key, text, c.text, len(body), end), key,
		func(b storage.Bucket, inMemory bool) result {
			opts := of[storage.MultipartOption](c, inMemory)
			for _, o := range properties {
				opts = append(opts, o)
			}
			upload, err := storage.BeginUpload(p.ctx, b, key, opts...)
			if err != nil {
				return result{text: "BeginUpload", err: err}
			}
			defer func() { _ = upload.Abort(p.ctx) }()

			if end != "no part" {
				if _, err := upload.PutPart(p.ctx, 1, bytes.NewReader(body)); err != nil {
					return result{text: "PutPart", err: err}
				}
			}

			if end == "Abort" {
				return result{text: "Abort", err: upload.Abort(p.ctx)}
			}

			var parts []storage.CompleteOption
			if end == "Complete a part that is not there" {
				parts = append(parts, storage.WithParts(storage.UploadedPart{Number: 1, ETag: `"none"`}))
			}
			attrs, err := upload.Complete(p.ctx, parts...)
			return result{describe(attrs), attrs, err}
		},
	)
}
