package transfer

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
)

// A cursor iterates over the entries of one end.
type cursor struct {
	next  func() (entry, error, bool)
	stop  func()
	entry entry
	err   error
	more  bool
}

// open starts to iterate over entries. The keys of all entries are greater than startAfter.
func (c *cursor) open(entries iter.Seq2[entry, error], startAfter string) {
	*c = cursor{entry: entry{key: startAfter}}
	c.next, c.stop = iter.Pull2(entries)
	c.step()
}

// openAfter starts to iterate over the entries after a key. The directory or bucket may be unable
// to start its listing after a key. openAfter then reads and skips the earlier entries.
func (c *cursor) openAfter(ctx context.Context, end openedEnd, s *settings, startAfter string) {
	if end.startsAnywhere() {
		c.open(end.entries(ctx, s, startAfter), startAfter)
		return
	}
	c.open(end.entries(ctx, s, ""), "")
	for c.more && c.err == nil && c.entry.key <= startAfter {
		c.step()
	}
}

// step moves to the next entry. It fails if the keys do not ascend: an entry that comes late would
// seem to be missing, and would be deleted at the other end.
func (c *cursor) step() {
	last := c.entry.key
	c.entry, c.err, c.more = c.next()
	if c.more && c.err == nil && c.entry.key <= last {
		c.err = &storage.Error{
			Code: storage.Internal,
			Key:  c.entry.key,
			Err:  errors.New("listing is not in the order of keys"),
		}
	}
}

// relistAfter limits the successive entries that only the destination has. After that many entries,
// the destination is listed again, from the next key of the source. 2000 entries are two pages.
const relistAfter = 2000

// walk iterates over both ends together, in the order of keys. It counts files that are the same,
// and sends the others to tasks. If it returns an error, the job ends.
func (j *job) walk(ctx context.Context, tasks chan<- task) error {
	var src, dst cursor
	src.openAfter(ctx, j.src, j.settings, j.after)
	defer func() { src.stop() }()
	dst.openAfter(ctx, j.dst, j.settings, j.after)
	defer func() { dst.stop() }()
	var files, unknown paths
	passed := 0
	ofDst := j.places.ofRole(destination)
	ofSrc := j.places.ofRole(source)
	for src.more || dst.more && j.settings.remove {
		if err := cmp.Or(src.err, dst.err); err != nil {
			return err
		}
		if dst.more {
			if err := see(ctx, ofDst, dst.entry); err != nil {
				return err
			}
		}
		if src.more {
			if err := see(ctx, ofSrc, src.entry); err != nil {
				return err
			}
		}
		both := dst.more && dst.entry.key == src.entry.key
		switch {
		case !src.more || dst.more && dst.entry.key < src.entry.key:
			if err := j.destinationOnly(ctx, dst.entry, &unknown); err != nil {
				return err
			}
			passed = j.skipExtraneous(ctx, &dst, src.entry.key, passed)
		case j.passesOver(src.entry):
			j.sourceHasFiles = true
			src.step()
		default:
			passed = 0
			t := task{src: src.entry, comparison: differs}
			if both {
				t.dst = dst.entry
				t.known = dst.entry.kind == regular
			}
			if src.entry.kind == excluded || src.entry.kind == broken {
				unknown.add(src.entry.key)
			}
			if err := j.enqueue(ctx, t, &files, tasks); err != nil {
				return err
			}
			src.step()
		}
		if both {
			dst.step()
		}
	}
	return nil
}

// skipExtraneous skips an entry that only the destination has. passed is the number
// of such entries directly before this one. The result is the number including this one. If passed
// reaches relistAfter, skipExtraneous lists the destination again from shortly before key, and
// returns 0.
func (j *job) skipExtraneous(ctx context.Context, dst *cursor, key string, passed int) int {
	if passed >= relistAfter && !j.settings.remove && j.places.nestings == nil && j.dst.startsAnywhere() {
		if start := predecessor(key); start > dst.entry.key {
			dst.stop()
			dst.open(j.dst.entries(ctx, j.settings, start), start)
			return 0
		}
	}
	dst.step()
	return passed + 1
}

// passesOver reports whether the job leaves out a file because of its shard, size or time. A file
// at the destination then stays.
func (j *job) passesOver(e entry) bool {
	switch e.kind {
	case regular:
		return !j.settings.inShard(e.key) || !j.settings.fits(e.size, e.modified)
	case ignored:
		return !j.settings.inShard(e.key)
	}
	return false
}

// predecessor returns a prefix of key from which a listing can start. It is less than key.
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

// destinationOnly handles an entry that only the destination has. With WithDelete, the job will
// remove the file of the destination. The file stays if the source may have it in a directory that
// was skipped or could not be read. unknown holds the keys of these directories.
func (j *job) destinationOnly(ctx context.Context, dst entry, unknown *paths) error {
	_, hidden := unknown.ancestor(dst.key)
	if dst.kind == unlisted {
		j.unlisted = true
		j.reporter.destinationFailed(ctx, dst.key, dst.err)
	} else if dst.kind == regular && j.settings.remove && !hidden && !j.passesOver(dst) {
		if j.comparing {
			j.reporter.removed(dst.key, dst.size)
			return nil
		}
		return j.removeLater(ctx, dst)
	}
	return nil
}

// enqueue handles a file of the source: it sends a task to tasks, or counts the file. If it returns
// an error, the job ends.
func (j *job) enqueue(ctx context.Context, t task, files *paths, tasks chan<- task) error {
	j.reporter.meter.totalFiles.Add(1)
	t.step = j.settings.journal.begin(t.src.key)
	if t.src.kind == ignored || t.src.kind == excluded {
		j.reporter.passed(func(r *Report) {
			r.Ignored++
		})
		j.settings.journal.end(t.step, journalCounts{Ignored: 1})
		return nil
	}
	j.sourceHasFiles = true
	j.unlisted = j.unlisted || t.src.kind == unlisted
	if err := checkTask(j, &t, files); err != nil {
		j.taskFailed(ctx, t.src.key, err)
		return nil
	}
	if t.known {
		j.replaceable++
	}
	if t.known && !copiesAgain(j, t.src, t.dst) {
		t.comparison = compareKnown(j, &t)
	}
	if t.comparison == same {
		j.skip(t)
		return nil
	}
	if t.known {
		if err := j.places.lookThrough(ctx, false); err != nil {
			return err
		}
	}
	if t.comparison == differs {
		j.reporter.meter.totalBytes.Add(t.src.size)
	}
	select {
	case tasks <- t:
		return nil
	case <-ctx.Done():
		return ctxError(ctx.Err())
	}
}

// checkTask returns an error if the file of the source cannot be transferred.
func checkTask(j *job, t *task, files *paths) error {
	key := t.src.key
	if t.src.kind == unlisted || t.src.kind == broken {
		return t.src.err
	}
	if _, ok := j.dst.(*tree); ok {
		if file, ok := files.add(key); ok {
			return fileError("Download", key, collision(key, file))
		}
	}
	if j.settings.move && t.known && sameObject(t.src, t.dst) && !j.places.apart {
		return &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "Sync",
			Key:  key,
			Err:  errOneObject,
			Hint: "check that source and destination are not two addresses of one bucket",
		}
	}
	return nil
}

// compareKnown compares a file that both ends have, by what their listings contain.
func compareKnown(j *job, t *task) comparison {
	if j.settings.missingOnly {
		return same
	}
	if t.dst.size != t.src.size {
		return differs
	}
	if j.settings.sizeOnly {
		return same
	}
	if j.settings.checksum {
		return unclear
	}
	c := j.transferrer.compare(t.src, t.dst)
	if c == unclear && j.settings.cache.has(t.src, t.dst) {
		return same
	}
	return c
}

// paths holds keys that may be directories of a later key. Each key in paths is a prefix of the
// next one, and is shorter. So paths is short: its length is at most the number of bytes of a key.
type paths []string

// add adds key. If key lies below one of the paths, add instead returns that path and true.
func (p *paths) add(key string) (string, bool) {
	ancestor, ok := p.ancestor(key)
	if !ok {
		*p = append(*p, key)
	}
	return ancestor, ok
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
