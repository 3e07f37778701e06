package differential

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/omnibucket/storage"
)

// A call is one kind of call that the test makes on both buckets. Its function make returns how the
// results differ, or "". Calls that are listed twice are made more often.
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
	{"Prefixed", (*player).prefixed},
	{"bad key", (*player).badKey},
}

// prefixed makes an upload, a copy and a listing through a prefix of each bucket, and returns how the
// results differ, or "".
func (p *player) prefixed() string {
	prefix := choose(p, "b/", "b/c/", "d/", "new/")
	src := choose(p, "1", "2", "c/1", ".e", "", "x")
	dst := choose(p, "1", "x", "c/3")
	body := p.body()
	what := fmt.Sprintf("calls below %q: Upload %q of %d bytes, Copy %q to it, List", prefix, dst, len(body), src)
	return p.compare(what, prefix+dst, func(b storage.Bucket) result {
		folder := storage.Prefixed(b, prefix)
		uploaded, uploadErr := folder.Upload(p.ctx, dst, bytes.NewReader(body), storage.IfAbsent())
		uploadResult := result{err: uploadErr, text: describe(uploaded)}
		copied, copyErr := storage.Copy(p.ctx, folder, dst, folder, src)
		copyResult := result{err: copyErr, text: describe(copied)}

		// The text of the result describes each call, as far as it must be equal in both buckets.
		text := uploadResult.describe() + "; " + copyResult.describe() + "; "
		for entry, err := range folder.List(p.ctx, storage.WithDelimiter("/")) {
			if err != nil {
				return result{text: text, err: err}
			}
			text += describeEntry(entry)
		}
		attrs, err := folder.Attrs(p.ctx, dst)
		return result{text: text, attrs: attrs, err: err}
	})
}

// badKey compares the errors of calls with a key that they must refuse.
func (p *player) badKey() string {
	key := p.value("bad key", badKeys...)
	good := choose(p, keys...)
	return p.compare(fmt.Sprintf("calls with the key %.30q", key), noKey, func(b storage.Bucket) result {
		_, uploadErr := b.Upload(p.ctx, key, strings.NewReader("x"))
		r, downloadErr := b.Download(p.ctx, key)
		if downloadErr == nil {
			_ = r.Close()
		}
		_, existsErr := b.Exists(p.ctx, key)
		_, copyErr := storage.Copy(p.ctx, b, key, b, good)
		removeErr := b.Remove(p.ctx, key)

		text := ""
		for _, err := range []error{uploadErr, downloadErr, existsErr, copyErr, removeErr} {
			text += result{err: err}.describe() + "; "
		}
		return result{text: text}
	})
}
