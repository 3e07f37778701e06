package differential

import (
	"fmt"

	"github.com/omnibucket/storage"
)

// listOptions returns random options of a listing, and a text that describes them. They include a start
// and a limit only if withRange is true, because ListPage begins at a token and ends with a page.
func (p *player) listOptions(withRange bool) (opts []storage.ListOption, text string) {
	if p.oneIn(2) {
		prefix := p.value(
			"prefix", "b", "b/", "b/c/", "a", "ä", "c d", "~", "b/c/2.html", "😀", "x", "%", "b/1/", "Z", "/", "d/.",
		)
		opts = append(opts, storage.WithPrefix(prefix))
		text += fmt.Sprintf(" prefix %q", prefix)
	}

	if p.oneIn(2) {
		delimiter := p.value("delimiter", "/", "/", "/", "c", ".", "b/", "1", " ")
		opts = append(opts, storage.WithDelimiter(delimiter))
		text += fmt.Sprintf(" delimiter %q", delimiter)
	}

	if withRange && p.oneIn(3) {
		start := p.value(
			"after", "", "a", "b", "b/", "b/1", "b/c", "b/c/", "b/zzz", "ä", "~~", "😀", "c d+e%20&=?#", "a\u0308",
		)
		opts = append(opts, storage.WithStartAfter(start))
		text += fmt.Sprintf(" after %q", start)
	}

	if withRange && p.oneIn(3) {
		n := 1 + p.random.IntN(5)
		opts = append(opts, storage.WithLimit(n))
		text += fmt.Sprintf(" limit %d", n)
	}

	if p.oneIn(2) {
		n := 1 + p.random.IntN(4)
		opts = append(opts, storage.WithPageSize(n))
		text += fmt.Sprintf(" in pages of %d", n)
	}
	return opts, text
}

// list compares listings of both buckets with the same random options.
func (p *player) list() string {
	const withRange = true
	opts, text := p.listOptions(withRange)
	return p.compare("List"+text, noKey, func(b storage.Bucket) result {
		entries := ""
		for entry, err := range b.List(p.ctx, opts...) {
			if err != nil {
				return result{text: entries, err: err}
			}
			entries += describeEntry(entry)
		}
		return result{text: entries}
	})
}

// listPages compares listings page by page, with random options.
func (p *player) listPages() string {
	const withRange = false
	opts, text := p.listOptions(withRange)
	return p.compare("ListPage"+text, noKey, func(b storage.Bucket) result {
		entries := ""
		token := ""
		for {
			page, err := storage.ListPage(p.ctx, b, token, opts...)
			if err != nil {
				return result{text: entries, err: err}
			}
			for _, entry := range page.Entries {
				entries += describeEntry(entry)
			}

			token = page.Token
			if token == "" {
				return result{text: entries}
			}
		}
	})
}

// describeEntry returns a text with the parts of an entry that must be equal in both buckets.
func describeEntry(e storage.ListEntry) string {
	if e.IsPrefix {
		return fmt.Sprintf("prefix %q; ", e.Key)
	}
	return fmt.Sprintf("%q of %d; ", e.Key, e.Size)
}
