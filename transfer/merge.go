package transfer

import (
	"context"
	"errors"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
)

// A cursor goes through one end.
type cursor struct {
	next  func() (entry, error, bool)
	stop  func()
	entry entry
	err   error
	more  bool
}

// open begins with entries, which come after a key.
func (c *cursor) open(entries iter.Seq2[entry, error], after string) {
	*c = cursor{entry: entry{key: after}}
	c.next, c.stop = iter.Pull2(entries)
	c.step()
}

// step fails where the keys do not ascend: what was passed by would seem not to
// be there, and be deleted at the other end.
func (c *cursor) step() {
	last := c.entry.key
	c.entry, c.err, c.more = c.next()
	if c.more && c.err == nil && c.entry.key <= last {
		c.err = &storage.Error{Code: storage.Internal, Key: c.entry.key, Err: errors.New("the listing is not in the order of the keys")}
	}
}

// relistAfter is how many entries of the destination in a row may be of no use
// before it is listed anew, from where the source is: two pages.
const relistAfter = 2000

// walk goes through both ends in the order of their keys: what is the same is
// counted, what is not or may not be becomes a task. Its error ends the job.
func (j *job) walk(ctx context.Context, tasks chan<- task) error {
	var src, dst cursor
	src.open(j.src.entries(ctx, j.settings, ""), "")
	defer func() { src.stop() }()
	dst.open(j.dst.entries(ctx, j.settings, ""), "")
	defer func() { dst.stop() }()
	var files, unknown paths
	passed := 0
	for src.more || dst.more && j.remove {
		switch {
		case src.err != nil:
			return src.err
		case dst.err != nil:
			return dst.err
		case !src.more || dst.more && dst.entry.key < src.entry.key:
			if err := j.destinationOnly(dst.entry, &unknown); err != nil {
				return err
			}
			passed++
			if start := predecessor(src.entry.key); passed > relistAfter && !j.remove && j.dst.startsAnywhere() && start > dst.entry.key {
				passed = 0
				dst.stop()
				dst.open(j.dst.entries(ctx, j.settings, start), start)
				continue
			}
			dst.step()
		default:
			passed = 0
			t := task{src: src.entry, comparison: differs}
			if dst.more && dst.entry.key == src.entry.key {
				t.dst, t.known = dst.entry, dst.entry.kind == regular
				dst.step()
			}
			if src.entry.kind == excluded || src.entry.kind == broken {
				unknown.add(src.entry.key)
			}
			if !j.enqueue(ctx, t, &files, tasks) {
				return ctxError(ctx.Err())
			}
			src.step()
		}
	}
	return nil
}

// predecessor is a beginning of key, and so less than key, that a listing can start
// after.
func predecessor(key string) string {
	const longest = 1024 // no store has a longer key
	end := 0
	for i, r := range key {
		if r == utf8.RuneError || i > longest {
			break
		}
		end = i
	}
	return key[:end]
}

// destinationOnly is what the destination has and the source has not, but for what may
// lie in the unknown ones.
func (j *job) destinationOnly(dst entry, unknown *paths) error {
	switch {
	case dst.kind == unlisted:
		j.unlisted = true
		j.destinationFailed(dst.key, dst.err)
	case dst.kind == regular && j.remove && !unknown.contains(dst.key):
		return j.extraneous.add(dst.key, dst.size)
	}
	return nil
}

// enqueue is what the source has; false where ctx is done.
func (j *job) enqueue(ctx context.Context, t task, files *paths, tasks chan<- task) bool {
	j.totalFiles.Add(1)
	switch t.src.kind {
	case ignored, excluded:
		j.ignored()
		return true
	}
	j.sourceHasFiles = true
	switch t.src.kind {
	case unlisted:
		j.unlisted = true
		j.failed(ctx, t.src.key, t.src.err)
		return true
	case broken:
		j.failed(ctx, t.src.key, t.src.err)
		return true
	}
	if _, ok := j.dst.(*tree); ok {
		if file, ok := files.add(t.src.key); ok {
			j.failed(ctx, t.src.key, fileError("Download", t.src.key, collision(t.src.key, file)))
			return true
		}
	}
	if t.known && t.dst.size == t.src.size {
		t.comparison = unclear
		if !j.checksum {
			t.comparison = j.transferrer.compare(t.src, t.dst)
		}
	}
	switch t.comparison {
	case same:
		j.skipped()
		return true
	case differs:
		j.totalBytes.Add(t.src.size)
	}
	select {
	case tasks <- t:
		return true
	case <-ctx.Done():
		return false
	}
}

// paths are those keys that went by and that a later one may lie under. They are
// beginnings of one another, so that there are no more of them than a key has
// bytes.
type paths []string

// add is the path under which key would lie; key itself goes by.
func (p *paths) add(key string) (string, bool) {
	over, ok := p.ancestor(key)
	if !ok {
		*p = append(*p, key)
	}
	return over, ok
}

// contains reports whether key lies under one of them.
func (p *paths) contains(key string) bool {
	_, ok := p.ancestor(key)
	return ok
}

func (p *paths) ancestor(key string) (string, bool) {
	for len(*p) > 0 && !strings.HasPrefix(key, (*p)[len(*p)-1]) {
		*p = (*p)[:len(*p)-1]
	}
	for _, path := range *p {
		if rest := key[len(path):]; rest != "" && rest[0] == '/' {
			return path, true
		}
	}
	return "", false
}
