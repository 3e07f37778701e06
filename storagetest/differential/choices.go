package differential

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
)

// keys are the keys of all objects. No key is also a folder of another key, because some servers
// store objects as files.
var keys = []string{
	"a", "b/1", "b/2", "b/c/1", "b/c/2.html", "b!", "b0", "Z.TXT", "z.txt", "ä", "a\u0308", "😀/x", "%2F", "c d+e%20&=?#",
	"~t;,@!'()*[]{}|^`<>\"", "d/.e",
}

var badKeys = []string{"", "a//b", "../x", "a/./b", strings.Repeat("k", 2000), "\xff", "/a", "a/"}

// choose returns a random value, and never one that the Config leaves out.
func choose[T any](p *player, values ...T) T {
	for {
		chosen := values[p.random.IntN(len(values))]
		if !slices.Contains(p.exclusions, fmt.Sprint(chosen)) {
			return chosen
		}
	}
}

// value returns a random value for the named option, and never one that the Config leaves out.
func (p *player) value(name string, values ...string) string {
	for {
		chosen := choose(p, values...)
		if !slices.Contains(p.exclusions, fmt.Sprintf("%s %q", name, chosen)) {
			return chosen
		}
	}
}

// oneIn returns true with a probability of 1/n.
func (p *player) oneIn(n int) bool { return p.random.IntN(n) == 0 }

// body returns a body of random length, which differs from all earlier ones unless it is empty.
func (p *player) body() []byte {
	size := choose(p, 0, 1, 100, 4096, 70_000, 300_000)
	if size == 0 {
		return nil
	}

	// The number of the body and a dot are two to four bytes, so the length is about size.
	p.bodies++
	number := fmt.Appendf(nil, "%d.", p.bodies)
	return bytes.Repeat(number, size/4+1)
}

// properties returns random options of a write, and a text that describes them.
func (p *player) properties() (opts []storage.WriteOption, text string) {
	for _, header := range []struct {
		name   string
		option func(string) storage.WriteOption
		values []string
	}{
		{
			name:   "type",
			option: storage.WithContentType,
			values: []string{"text/plain", "TEXT/html;  charset=\"utf-8\"", "application/x-a+b", "bad", ""},
		},
		{
			name:   "cache",
			option: storage.WithCacheControl,
			values: []string{"no-cache", "public, max-age=60", ""},
		},
		{
			name:   "encoding",
			option: storage.WithContentEncoding,
			values: []string{"gzip", "br", "identity", "aws-chunked", ""},
		},
		{
			name:   "disposition",
			option: storage.WithContentDisposition,
			values: []string{
				`attachment; filename="a b.txt"`, "inline", `attachment; filename*=UTF-8''%c3%a4.txt`,
			},
		},
		{
			name:   "language",
			option: storage.WithContentLanguage,
			values: []string{"de", "de, en-US", "x y"},
		},
	} {
		if p.oneIn(4) {
			value := choose(p, header.values...)
			opts = append(opts, header.option(value))
			text += fmt.Sprintf(" %s=%q", header.name, value)
		}
	}

	if p.oneIn(3) {
		metadata := choose(
			p,
			map[string]string{},
			map[string]string{"a": "b"},
			map[string]string{"A-b": "ü x", "c": ""},
			map[string]string{"x_y": " lead"},
			map[string]string{"a": "=?utf-8?q?x?="},
			map[string]string{"n": "a\nb"},
			map[string]string{"a": "trail "},
			map[string]string{"1a": "a\tx"},
			map[string]string{"a": "a,b", "b": `"q"`},
			map[string]string{"a": "1", "A": "2"},
		)
		opts = append(opts, storage.WithMetadata(metadata))
		text += fmt.Sprintf(" metadata=%q", metadata)
	}

	if p.oneIn(6) {
		tags := choose(p, map[string]string{}, map[string]string{"t": "1"}, map[string]string{"t": "x y", "u": "+-=._:/@"})
		opts = append(opts, storage.WithTags(tags))
		text += fmt.Sprintf(" tags=%q", tags)
	}
	return opts, text
}

// A condition holds one option for each of the two buckets. The two options mean the same, but
// contain different revisions. Without a condition, both options are nil.
type condition struct {
	memory, other any
	text          string
}

// optionFor returns the condition's option for the bucket in memory or for the other one. The option is
// in a slice, which is nil if there is no condition, so that a caller can append other options. T is the
// type of the call's options, such as UploadOption.
func optionFor[T any](c condition, inMemory bool) []T {
	option := c.other
	if inMemory {
		option = c.memory
	}
	if option == nil {
		return nil
	}
	return []T{option.(T)}
}

// condition returns a random condition for a write to key, which may be none.
func (p *player) condition(key string) condition {
	if p.oneIn(5) {
		return condition{
			memory: storage.IfAbsent(),
			other:  storage.IfAbsent(),
			text:   " IfAbsent",
		}
	}
	if p.oneIn(2) {
		return p.ifRevision(key)
	}
	return condition{}
}

// lateCondition returns a random condition for a call that sends or copies bytes before the
// condition is checked.
func (p *player) lateCondition(key string) condition {
	if slices.Contains(p.exclusions, "a late condition") {
		return condition{}
	}
	return p.condition(key)
}

// ifRevision returns a condition on a revision of an object, which is most often the last one. It
// returns none if an earlier revision may equal the current one, because the store derives
// revisions from content.
func (p *player) ifRevision(key string) condition {
	var seen []revision
	for _, r := range p.revisions {
		if r.key == key {
			seen = append(seen, r)
		}
	}
	if len(seen) == 0 {
		return condition{}
	}

	// Most conditions name the last revision.
	r := seen[len(seen)-1]
	if p.oneIn(3) {
		r = choose(p, seen...)
	}

	if p.isCurrentOnlyInOther(r) {
		return condition{}
	}
	return condition{
		memory: storage.IfRevision(r.memory),
		other:  storage.IfRevision(r.other),
		text:   fmt.Sprintf(" IfRevision(%s, %s)", r.memory, r.other),
	}
}

// isCurrentOnlyInOther reports whether r is an earlier revision in memory, but the current one of the
// other bucket, because that derives revisions from content and the content is the same again.
func (p *player) isCurrentOnlyInOther(r revision) bool {
	if p.unique {
		return false
	}
	content, attrs, err := storage.ReadAll(p.ctx, p.memory, r.key)
	if err != nil || attrs.Revision == r.memory {
		return false
	}
	return string(content) == r.content
}
