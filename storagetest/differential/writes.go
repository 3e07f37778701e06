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

// upload compares uploads to both buckets with random options, sometimes from a reader without a length.
func (p *player) upload() string {
	key := choose(p, keys...)
	body := p.body()
	c := p.condition(key)
	opts, text := p.uploadOptions(body, c)
	isStream := p.oneIn(3)
	what := fmt.Sprintf("Upload %q of %d bytes%s%s, stream %v", key, len(body), text, c.text, isStream)
	return p.compareEach(what, key, func(b storage.Bucket, inMemory bool) result {
		var r io.Reader = bytes.NewReader(body)
		if isStream {
			r = io.MultiReader(r) // hides the length of r
		}
		attrs, err := b.Upload(p.ctx, key, r, append(optionFor[storage.UploadOption](c, inMemory), opts...)...)
		return result{text: describe(attrs), attrs: attrs, err: err}
	})
}

// uploadOptions returns options with random properties, and sometimes with a size or a checksum. It also
// returns a text that describes the options. The size and the checksum may be wrong if there is no condition.
// With a condition, they are right, because a write with two mistakes could return the error of either one.
func (p *player) uploadOptions(body []byte, c condition) (opts []storage.UploadOption, text string) {
	properties, text := p.properties()
	for _, opt := range properties {
		opts = append(opts, opt)
	}

	hasCondition := c.text != ""
	if p.oneIn(4) {
		size := int64(len(body))
		if !hasCondition {
			size += choose(p, int64(0), 1, -1)
		}
		opts = append(opts, storage.WithSize(size))
		text += fmt.Sprintf(" WithSize(%d)", size)
	}

	if p.oneIn(4) {
		sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
		if !hasCondition {
			sum += choose(p, uint32(0), 1)
		}
		opts = append(opts, storage.WithCRC32C(sum))
		text += fmt.Sprintf(" WithCRC32C(%x)", sum)
	}
	return opts, text
}

// write compares uploads with a Writer and random options.
func (p *player) write() string {
	key := choose(p, keys...)
	body := p.body()
	c := p.condition(key)
	opts, text := p.uploadOptions(body, c)
	what := fmt.Sprintf("Writer of %q, %d bytes%s%s", key, len(body), text, c.text)
	return p.compareEach(what, key, func(b storage.Bucket, inMemory bool) result {
		w := storage.NewWriter(p.ctx, b, key, append(optionFor[storage.UploadOption](c, inMemory), opts...)...)
		defer w.Close()

		if _, err := w.Write(body); err != nil {
			// Either Write or Commit may return the error of an upload, so the result does not
			// tell which one did.
			return result{text: describe(nil), attrs: nil, err: err}
		}
		attrs, err := w.Commit()
		return result{text: describe(attrs), attrs: attrs, err: err}
	})
}

// remove compares removals of an object in both buckets, sometimes with a revision as a condition.
func (p *player) remove() string {
	key := choose(p, keys...)
	c := condition{}
	if p.oneIn(2) {
		c = p.ifRevision(key)
	}
	return p.compareEach(fmt.Sprintf("Remove %q%s", key, c.text), key, func(b storage.Bucket, inMemory bool) result {
		return result{err: b.Remove(p.ctx, key, optionFor[storage.RemoveOption](c, inMemory)...)}
	})
}

// removeAll compares the removal of two objects and a missing one.
func (p *player) removeAll() string {
	removed := []string{choose(p, keys...), choose(p, keys...), "missing"}
	return p.compare(fmt.Sprintf("RemoveAll %q", removed), noKey, func(b storage.Bucket) result {
		n, err := storage.RemoveAll(p.ctx, b, slices.Values(removed))
		return result{text: fmt.Sprint(n), err: err}
	})
}

// removeMatching compares removals of the objects below a prefix whose keys have a given length.
func (p *player) removeMatching() string {
	prefix := choose(p, "b/", "b/c/", "b", "z", "missing")
	length := choose(p, 1, 3, 6)
	what := fmt.Sprintf("RemoveMatching below %q what has %d bytes", prefix, length)
	matches := func(e storage.ListEntry) bool { return len(e.Key) == length }
	return p.compare(what, noKey, func(b storage.Bucket) result {
		n, err := storage.RemoveMatching(p.ctx, b, matches, storage.WithPrefix(prefix))
		return result{text: fmt.Sprint(n), err: err}
	})
}

// copyOptions returns options that set random properties, and a text that describes them. In half of the
// calls, it returns none.
func (p *player) copyOptions() (opts []storage.CopyOption, text string) {
	if !p.oneIn(2) {
		return nil, ""
	}
	properties, text := p.properties()
	for _, opt := range properties {
		opts = append(opts, opt)
	}
	return opts, text
}

// copy copies an object with random options.
func (p *player) copy() string {
	return p.copyBy("Copy", func(b storage.Bucket, src, dst string, opts []storage.CopyOption) (*storage.Attrs, error) {
		return storage.Copy(p.ctx, b, dst, b, src, opts...)
	})
}

// move moves an object with random options.
func (p *player) move() string {
	return p.copyBy("Move", func(b storage.Bucket, src, dst string, opts []storage.CopyOption) (*storage.Attrs, error) {
		return storage.Move(p.ctx, b, src, dst, opts...)
	})
}

// copyBy compares calls of Copy or Move in both buckets with random keys and options. name is the name
// of the function, for messages, and call calls it.
func (p *player) copyBy(
	name string, call func(b storage.Bucket, src, dst string, opts []storage.CopyOption) (*storage.Attrs, error),
) string {
	src := choose(p, keys...)
	dst := choose(p, keys...)
	opts, text := p.copyOptions()
	c := p.lateCondition(dst)
	what := fmt.Sprintf("%s %q to %q%s%s", name, src, dst, text, c.text)
	return p.compareEach(what, dst, func(b storage.Bucket, inMemory bool) result {
		attrs, err := call(b, src, dst, append(optionFor[storage.CopyOption](c, inMemory), opts...))
		return result{text: describe(attrs), attrs: attrs, err: err}
	})
}

// compose compares calls of Compose that join up to four objects, of which some may be the same.
func (p *player) compose() string {
	dst := choose(p, keys...)
	srcs := make([]string, 1+p.random.IntN(4))
	for i := range srcs {
		srcs[i] = choose(p, keys...)
	}
	opts, text := p.copyOptions()
	c := p.lateCondition(dst)
	what := fmt.Sprintf("Compose %q to %q%s%s", srcs, dst, text, c.text)
	return p.compareEach(what, dst, func(b storage.Bucket, inMemory bool) result {
		attrs, err := storage.Compose(p.ctx, b, dst, srcs, append(optionFor[storage.CopyOption](c, inMemory), opts...)...)
		return result{text: describe(attrs), attrs: attrs, err: err}
	})
}

// append compares appends to an object, with random options.
func (p *player) append() string {
	key := choose(p, keys...)
	body := p.body()
	opts, text := p.copyOptions()
	c := p.lateCondition(key)
	what := fmt.Sprintf("Append %q of %d bytes%s%s", key, len(body), text, c.text)
	return p.compareEach(what, key, func(b storage.Bucket, inMemory bool) result {
		attrs, err := storage.Append(p.ctx, b, key, body, append(optionFor[storage.CopyOption](c, inMemory), opts...)...)
		return result{text: describe(attrs), attrs: attrs, err: err}
	})
}

// update compares calls of Update that append to an object.
func (p *player) update() string {
	key := choose(p, keys...)
	return p.compare(fmt.Sprintf("Update %q", key), key, func(b storage.Bucket) result {
		// Update tries again as long as other writers change the object, until this deadline.
		ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
		defer cancel()
		attrs, err := storage.Update(ctx, b, key, func(old []byte, _ *storage.Attrs) ([]byte, error) {
			return append(bytes.Clone(old), "more"...), nil
		})
		return result{text: describe(attrs), attrs: attrs, err: err}
	})
}

// setTags compares SetTags for an object, sometimes with values that every store refuses.
func (p *player) setTags() string {
	key := choose(p, keys...)
	tags := choose(
		p, map[string]string{"t": "1"}, map[string]string{"t": "x y", "u": "+-=._:/@"}, map[string]string{},
		map[string]string{"": "x"}, map[string]string{"k": strings.Repeat("v", 300)},
	)
	return p.compare(fmt.Sprintf("SetTags %q %.60q", key, tags), noKey, func(b storage.Bucket) result {
		return result{err: storage.SetTags(p.ctx, b, key, tags)}
	})
}

// uploadParts compares multipart uploads of at most one part, which are completed or aborted.
func (p *player) uploadParts() string {
	key := choose(p, keys...)
	body := p.body()
	properties, text := p.properties()
	c := p.lateCondition(key)

	// Complete is chosen twice as often as any other end.
	end := choose(p, "Complete", "Complete", "Abort", "no part", "Complete a part that is not there")

	what := fmt.Sprintf("BeginUpload %q%s%s, %d bytes, %s", key, text, c.text, len(body), end)
	return p.compareEach(what, key, func(b storage.Bucket, inMemory bool) result {
		opts := optionFor[storage.MultipartOption](c, inMemory)
		for _, opt := range properties {
			opts = append(opts, opt)
		}
		upload, err := storage.BeginUpload(p.ctx, b, key, opts...)
		if err != nil {
			return result{text: "BeginUpload", err: err}
		}
		// If a later call fails, the upload must not stay open. After Complete, Abort changes nothing.
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
		return result{text: describe(attrs), attrs: attrs, err: err}
	})
}
