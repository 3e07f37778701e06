package differential

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A call is made on both buckets, and returns how the results differ, or "". The table has those twice
// that are to be made more often.
type call struct {
	name string
	make func(p *player) (difference string)
}

func (c call) String() string { return c.name }

var calls = []call{
	{"Upload", (*player).upload},
	{"Upload", (*player).upload},
	{"Upload", (*player).upload},
	{"Writer", (*player).write},
	{"Download", (*player).download},
	{"Download", (*player).download},
	{"ReadRanges", (*player).readRanges},
	{"Attrs", (*player).attrs},
	{"Exists", (*player).exists},
	{"Remove", (*player).remove},
	{"RemoveAll", (*player).removeAll},
	{"List", (*player).list},
	{"List", (*player).list},
	{"ListPage", (*player).listPages},
	{"Copy", (*player).copy},
	{"Move", (*player).move},
	{"Compose", (*player).compose},
	{"Append", (*player).append},
	{"Update", (*player).update},
	{"SetTags", (*player).setTags},
	{"Tags", (*player).tags},
	{"BeginUpload", (*player).uploadParts},
	{"DownloadFile", (*player).downloadFile},
	{"ReaderAt", (*player).readAt},
	{"RemoveMatching", (*player).removeMatching},
	{"Prefixed", (*player).view},
	{"bad key", (*player).badKey},
}

func (p *player) upload() string {
	key, body := one(p, keys...), p.body()
	c := p.condition(key)
	opts, text := p.uploadOptions(body, c)
	stream := p.sometimes(3)
	return p.compare(fmt.Sprintf("Upload %q of %d bytes%s%s, stream %v", key, len(body), text, c.text, stream), key, func(b storage.Bucket, inMemory bool) result {
		var r io.Reader = bytes.NewReader(body)
		if stream {
			r = io.MultiReader(r) // of unknown length
		}
		attrs, err := b.Upload(p.ctx, key, r, append(of[storage.UploadOption](c, inMemory), opts...)...)
		return result{describe(attrs), attrs, err}
	})
}

// uploadOptions returns properties, and sometimes a size or a checksum. It may be wrong if there is no
// condition, because the contract does not say which error comes first.
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
	key, body := one(p, keys...), p.body()
	c := p.condition(key)
	opts, text := p.uploadOptions(body, c)
	return p.compare(fmt.Sprintf("Writer of %q, %d bytes%s%s", key, len(body), text, c.text), key, func(b storage.Bucket, inMemory bool) result {
		w := storage.NewWriter(p.ctx, b, key, append(of[storage.UploadOption](c, inMemory), opts...)...)
		defer func() { _ = w.Close() }()
		if _, err := w.Write(body); err != nil {
			return result{describe(nil), nil, err} // as from Commit: which of them tells it, depends on the time
		}
		attrs, err := w.Commit()
		return result{describe(attrs), attrs, err}
	})
}

func (p *player) download() string {
	key := one(p, keys...)
	var opts []storage.DownloadOption
	text := ""
	if p.sometimes(2) {
		offset, length := one(p, int64(0), 1, 99, 100, 5000, -5, 1<<40), one(p, int64(-1), 0, 1, 50, 1<<20)
		opts = append(opts, storage.WithRange(offset, length))
		text = fmt.Sprintf(" WithRange(%d, %d)", offset, length)
	}
	c := condition{}
	if p.sometimes(3) {
		c = p.ifRevision(key)
	}
	return p.compare(fmt.Sprintf("Download %q%s%s", key, text, c.text), key, func(b storage.Bucket, inMemory bool) result {
		r, err := b.Download(p.ctx, key, append(of[storage.DownloadOption](c, inMemory), opts...)...)
		if err != nil {
			return result{err: err}
		}
		content, err := io.ReadAll(r)
		offset, length := r.Range()
		_ = r.Close()
		return result{fmt.Sprintf("%d bytes from %d, %x of %s", length, offset, crc32.ChecksumIEEE(content), describe(r.Attrs())), r.Attrs(), err}
	})
}

func (p *player) downloadFile() string {
	key, path := one(p, keys...), filepath.Join(p.dir, "file")
	return p.compare(fmt.Sprintf("DownloadFile %q", key), key, func(b storage.Bucket, _ bool) result {
		defer func() { _ = os.Remove(path) }()
		attrs, err := storage.DownloadFile(p.ctx, b, key, path, storage.WithNoSync())
		content, _ := os.ReadFile(path)
		return result{fmt.Sprintf("%d bytes, %x of %s", len(content), crc32.ChecksumIEEE(content), describe(attrs)), attrs, err}
	})
}

func (p *player) readAt() string {
	key, offsets := one(p, keys...), []int64{0, int64(p.random.IntN(100)), int64(p.random.IntN(400_000))}
	return p.compare(fmt.Sprintf("ReaderAt of %q at %d", key, offsets), key, func(b storage.Bucket, _ bool) result {
		r, err := storage.NewReaderAt(p.ctx, b, key)
		if err != nil {
			return result{err: err}
		}
		defer func() { _ = r.Close() }()
		text, content := "", make([]byte, 1000)
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
		ranges[i] = storage.Range{Offset: one(p, int64(0), 1, 50, 4000, -3, 69_999), Length: one(p, int64(-1), 0, 1, 10, 5000)}
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
		found, err := b.Exists(p.ctx, key)
		return result{text: fmt.Sprint(found), err: err}
	})
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
		removed, err := storage.RemoveAll(p.ctx, b, slices.Values(some))
		return result{text: fmt.Sprint(removed), err: err}
	})
}

func (p *player) removeMatching() string {
	prefix, length := one(p, "b/", "b/c/", "b", "z", "missing"), one(p, 1, 3, 6)
	return p.compare(fmt.Sprintf("RemoveMatching below %q what has %d bytes", prefix, length), "", func(b storage.Bucket, _ bool) result {
		removed, err := storage.RemoveMatching(p.ctx, b, func(e storage.ListEntry) bool { return len(e.Key) == length }, storage.WithPrefix(prefix))
		return result{text: fmt.Sprint(removed), err: err}
	})
}

// listOptions returns options of a listing. A page has the start of the listing in its token.
func (p *player) listOptions(limit bool) (opts []storage.ListOption, text string) {
	add := func(name string, option func(string) storage.ListOption, values ...string) {
		value := p.value(name, values...)
		opts = append(opts, option(value))
		text += fmt.Sprintf(" %s %q", name, value)
	}
	if p.sometimes(2) {
		add("prefix", storage.WithPrefix, "b", "b/", "b/c/", "a", "ä", "c d", "~", "b/c/2.html", "😀", "x", "%", "b/1/", "Z", "/", "d/.")
	}
	if p.sometimes(2) {
		add("delimiter", storage.WithDelimiter, "/", "/", "/", "c", ".", "b/", "1", " ")
	}
	if limit && p.sometimes(3) {
		add("after", storage.WithStartAfter, "", "a", "b", "b/", "b/1", "b/c", "b/c/", "b/zzz", "ä", "~~", "😀", "c d+e%20&=?#", "a\u0308")
	}
	if limit && p.sometimes(3) {
		n := 1 + p.random.IntN(5)
		opts = append(opts, storage.WithLimit(n))
		text += fmt.Sprintf(" limit %d", n)
	}
	if p.sometimes(2) {
		n := 1 + p.random.IntN(4)
		opts = append(opts, storage.WithPageSize(n))
		text += fmt.Sprintf(" in pages of %d", n)
	}
	return opts, text
}

func (p *player) list() string {
	opts, text := p.listOptions(true)
	return p.compare("List"+text, "", func(b storage.Bucket, _ bool) result {
		found := ""
		for entry, err := range b.List(p.ctx, opts...) {
			if err != nil {
				return result{text: found, err: err}
			}
			found += describeEntry(entry)
		}
		return result{text: found}
	})
}

func (p *player) listPages() string {
	opts, text := p.listOptions(false)
	return p.compare("ListPage"+text, "", func(b storage.Bucket, _ bool) result {
		found, token := "", ""
		for {
			page, err := storage.ListPage(p.ctx, b, token, opts...)
			if err != nil {
				return result{text: found, err: err}
			}
			for _, entry := range page.Entries {
				found += describeEntry(entry)
			}
			if token = page.Token; token == "" {
				return result{text: found}
			}
		}
	})
}

func describeEntry(e storage.ListEntry) string {
	if e.IsPrefix {
		return fmt.Sprintf("prefix %q; ", e.Key)
	}
	return fmt.Sprintf("%q of %d; ", e.Key, e.Size)
}

// copyOptions sometimes returns properties.
func (p *player) copyOptions() (opts []storage.CopyOption, text string) {
	if p.sometimes(2) {
		properties, with := p.properties()
		for _, o := range properties {
			opts = append(opts, o)
		}
		text = with
	}
	return opts, text
}

func (p *player) copy() string {
	return p.copyBy("Copy", func(b storage.Bucket, from, to string, opts []storage.CopyOption) (*storage.Attrs, error) {
		return storage.Copy(p.ctx, b, to, b, from, opts...)
	})
}

func (p *player) move() string {
	return p.copyBy("Move", func(b storage.Bucket, from, to string, opts []storage.CopyOption) (*storage.Attrs, error) {
		return storage.Move(p.ctx, b, from, to, opts...)
	})
}

func (p *player) copyBy(name string, call func(b storage.Bucket, from, to string, opts []storage.CopyOption) (*storage.Attrs, error)) string {
	from, to := one(p, keys...), one(p, keys...)
	opts, text := p.copyOptions()
	c := p.lateCondition(to)
	return p.compare(fmt.Sprintf("%s %q to %q%s%s", name, from, to, text, c.text), to, func(b storage.Bucket, inMemory bool) result {
		attrs, err := call(b, from, to, append(of[storage.CopyOption](c, inMemory), opts...))
		return result{describe(attrs), attrs, err}
	})
}

func (p *player) compose() string {
	to := one(p, keys...)
	from := make([]string, 1+p.random.IntN(4))
	for i := range from {
		from[i] = one(p, keys...)
	}
	opts, text := p.copyOptions()
	c := p.lateCondition(to)
	return p.compare(fmt.Sprintf("Compose %q to %q%s%s", from, to, text, c.text), to, func(b storage.Bucket, inMemory bool) result {
		attrs, err := storage.Compose(p.ctx, b, to, from, append(of[storage.CopyOption](c, inMemory), opts...)...)
		return result{describe(attrs), attrs, err}
	})
}

func (p *player) append() string {
	key, body := one(p, keys...), p.body()
	opts, text := p.copyOptions()
	c := p.lateCondition(key)
	return p.compare(fmt.Sprintf("Append %q of %d bytes%s%s", key, len(body), text, c.text), key, func(b storage.Bucket, inMemory bool) result {
		attrs, err := storage.Append(p.ctx, b, key, body, append(of[storage.CopyOption](c, inMemory), opts...)...)
		return result{describe(attrs), attrs, err}
	})
}

func (p *player) update() string {
	key := one(p, keys...)
	return p.compare(fmt.Sprintf("Update %q", key), key, func(b storage.Bucket, _ bool) result {
		ctx, cancel := context.WithTimeout(p.ctx, time.Minute) // as long as others write meanwhile
		defer cancel()
		attrs, err := storage.Update(ctx, b, key, func(old []byte, _ *storage.Attrs) ([]byte, error) {
			return append(bytes.Clone(old), "more"...), nil
		})
		return result{describe(attrs), attrs, err}
	})
}

func (p *player) setTags() string {
	key := one(p, keys...)
	tags := one(p, map[string]string{"t": "1"}, map[string]string{"t": "x y", "u": "+-=._:/@"}, map[string]string{}, map[string]string{"": "x"},
		map[string]string{"k": strings.Repeat("v", 300)})
	return p.compare(fmt.Sprintf("SetTags %q %.60q", key, tags), "", func(b storage.Bucket, _ bool) result {
		return result{err: storage.SetTags(p.ctx, b, key, tags)}
	})
}

func (p *player) tags() string {
	key := one(p, keys...)
	return p.compare(fmt.Sprintf("Tags %q", key), "", func(b storage.Bucket, _ bool) result {
		tags, err := storage.Tags(p.ctx, b, key)
		return result{text: fmt.Sprintf("%q", tags), err: err}
	})
}

// uploadParts makes an upload of one part, which is completed or aborted.
func (p *player) uploadParts() string {
	key, body := one(p, keys...), p.body()
	properties, text := p.properties()
	c := p.lateCondition(key)
	end := one(p, "Complete", "Complete", "Abort", "no part", "Complete a part that is not there")
	return p.compare(fmt.Sprintf("BeginUpload %q%s%s, %d bytes, %s", key, text, c.text, len(body), end), key, func(b storage.Bucket, inMemory bool) result {
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
	})
}

// view makes calls on the keys below a prefix.
func (p *player) view() string {
	prefix := one(p, "b/", "b/c/", "d/", "new/")
	from, to := one(p, "1", "2", "c/1", ".e", "", "x"), one(p, "1", "x", "c/3")
	body := p.body()
	return p.compare(fmt.Sprintf("calls below %q: Upload %q of %d bytes, Copy %q to it, List", prefix, to, len(body), from), prefix+to, func(b storage.Bucket, _ bool) result {
		view := storage.Prefixed(b, prefix)
		uploaded, err := view.Upload(p.ctx, to, bytes.NewReader(body), storage.IfAbsent())
		text := result{err: err, text: describe(uploaded)}.describe()
		copied, err := storage.Copy(p.ctx, view, to, view, from)
		text += "; " + result{err: err, text: describe(copied)}.describe() + "; "
		for entry, err := range view.List(p.ctx, storage.WithDelimiter("/")) {
			if err != nil {
				return result{text: text, err: err}
			}
			text += describeEntry(entry)
		}
		attrs, err := view.Attrs(p.ctx, to)
		return result{text, attrs, err}
	})
}

func (p *player) badKey() string {
	key, good := p.value("bad key", badKeys...), one(p, keys...)
	return p.compare(fmt.Sprintf("calls with the key %.30q", key), "", func(b storage.Bucket, _ bool) result {
		_, upload := b.Upload(p.ctx, key, strings.NewReader("x"))
		r, download := b.Download(p.ctx, key)
		if download == nil {
			_ = r.Close()
		}
		_, exists := b.Exists(p.ctx, key)
		_, copied := storage.Copy(p.ctx, b, key, b, good)
		text := ""
		for _, err := range []error{upload, download, exists, copied, b.Remove(p.ctx, key)} {
			text += result{err: err}.describe() + "; "
		}
		return result{text: text}
	})
}
