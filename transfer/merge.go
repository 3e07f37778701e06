package transfer

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer/internal/copier"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
	"github.com/omnibucket/storage/transfer/internal/places"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// A cursor iterates over the entries of one end.
type cursor struct {
	next     func() (ends.Entry, error, bool)
	stop     func()
	entry    ends.Entry
	err      error
	hasEntry bool
	extra    int // number of successive entries that only this end has
}

// open starts to iterate over entries. The keys of all entries are greater than startAfter.
func (c *cursor) open(entries iter.Seq2[ends.Entry, error], startAfter string) {
	*c = cursor{entry: ends.Entry{Key: startAfter}}
	c.next, c.stop = iter.Pull2(entries)
	c.step()
}

// openAfter opens the entries after a key. If the end cannot start its listing there, openAfter reads
// and skips the earlier entries.
func (c *cursor) openAfter(ctx context.Context, end ends.End, files *selection.Selection, startAfter string) {
	if end.StartsAnywhere() {
		c.open(end.Entries(ctx, files, startAfter), startAfter)
		return
	}

	c.open(end.Entries(ctx, files, ""), "") // from the first key
	for c.hasEntry && c.err == nil && c.entry.Key <= startAfter {
		c.step()
	}
}

// step moves to the next entry. It fails if keys do not ascend, because an entry that comes late would
// seem to be missing, and would be deleted at the other end.
func (c *cursor) step() {
	last := c.entry.Key
	c.entry, c.err, c.hasEntry = c.next()
	if c.hasEntry && c.err == nil && c.entry.Key <= last {
		c.err = &storage.Error{
			Code: storage.Internal,
			Key:  c.entry.Key,
			Err:  errors.New("listing is not in the order of keys"),
		}
	}
}

// relistAfter limits the successive entries that only the destination has. After that many entries,
// the destination is listed again, from the next key of the source. 2000 entries are two pages.
const relistAfter = 2000

// walk iterates over the sorted entries of both ends together, as a merge does. It sends the files that
// may have to be transferred to tasks, and handles the rest itself. An error ends the job.
func (j *job) walk(ctx context.Context, tasks chan<- task) error {
	var src, dst cursor
	src.openAfter(ctx, j.src, &j.settings.files, j.after)
	defer func() { src.stop() }()
	dst.openAfter(ctx, j.dst, &j.settings.files, j.after)
	defer func() { dst.stop() }()

	// A directory cannot hold another file below one of the source's files.
	var files paths
	// The source may have files in a directory that is not read, so the destination's files in it stay.
	var unread paths
	for j.hasMore(&src, &dst) {
		if err := cmp.Or(src.err, dst.err); err != nil {
			return err
		}
		if err := j.checkEntries(ctx, &src, &dst); err != nil {
			return err
		}

		if onlyInDestination(&src, &dst) {
			if err := j.destinationOnly(ctx, dst.entry, &unread); err != nil {
				return err
			}
			j.skipExtra(ctx, &dst, src.entry.Key)
			continue
		}

		if src.entry.Kind == ends.Excluded || src.entry.Kind == ends.Broken {
			unread.add(src.entry.Key)
		}
		inBoth := dst.hasEntry && dst.entry.Key == src.entry.Key
		if j.leavesOut(src.entry) {
			// The file is not transferred, and the destination's file stays.
			j.sourceHasFiles = true
		} else {
			// This entry ends the series of those that only the destination has.
			dst.extra = 0
			if err := j.enqueue(ctx, newTask(&src, &dst, inBoth), &files, tasks); err != nil {
				return err
			}
		}

		src.step()
		if inBoth {
			dst.step()
		}
	}
	return nil
}

// newTask returns the task for the current entry of the source. inBoth says whether the current entry of
// the destination has the same key.
func newTask(src, dst *cursor, inBoth bool) task {
	t := task{src: src.entry}
	if inBoth {
		t.dst = dst.entry
		t.dstExists = dst.entry.Kind == ends.Regular
	}
	return t
}

// hasMore reports whether the walk has entries left to handle. Entries of the destination matter only
// to a job that removes files.
func (j *job) hasMore(src, dst *cursor) bool {
	if src.hasEntry {
		return true
	}
	return dst.hasEntry && j.settings.remove
}

// checkEntries fails if the current entry of either end shows that source and destination overlap.
func (j *job) checkEntries(ctx context.Context, src, dst *cursor) error {
	if dst.hasEntry {
		if err := j.places.CheckFile(ctx, places.Destination, dst.entry); err != nil {
			return err
		}
	}
	if src.hasEntry {
		return j.places.CheckFile(ctx, places.Source, src.entry)
	}
	return nil
}

// onlyInDestination reports whether the next entry in the order of keys is one that the source lacks.
// At least one cursor has an entry.
func onlyInDestination(src, dst *cursor) bool {
	if !src.hasEntry {
		return true
	}
	return dst.hasEntry && dst.entry.Key < src.entry.Key
}

// skipExtra moves dst past an entry that only the destination has. After relistAfter such entries in a
// row, it lists dst again from shortly before nextKey, the next key of the source, to pass over the rest
// of a large folder.
func (j *job) skipExtra(ctx context.Context, dst *cursor, nextKey string) {
	if dst.extra >= relistAfter && j.mayRelist() {
		if start := listingStart(nextKey); start > dst.entry.Key {
			dst.stop()
			dst.open(j.dst.Entries(ctx, &j.settings.files, start), start)
			return
		}
	}
	dst.step()
	dst.extra++
}

// mayRelist reports whether a new listing of the destination can skip entries that only it has.
func (j *job) mayRelist() bool {
	return !j.settings.remove && !j.places.MayNest() && j.dst.StartsAnywhere()
}

// leavesOut reports whether the job leaves out a file because of its shard, size or time. The
// destination's file then stays.
func (j *job) leavesOut(e ends.Entry) bool {
	switch e.Kind {
	case ends.Regular:
		return !j.settings.files.InShard(e.Key) || !j.settings.files.MatchesSizeAndTime(e.Size, e.Modified)
	case ends.Ignored:
		return !j.settings.files.InShard(e.Key)
	}
	return false
}

// listingStart returns a key from which a listing can start to reach the given one: a prefix of it that
// is less, usually by one character. Characters that are invalid or beyond the longest key of any store
// are left out.
func listingStart(key string) string {
	const maxKey = 1024 // bytes; no store has a longer key
	end := 0
	for i, r := range key {
		if r == utf8.RuneError || i > maxKey {
			break
		}
		end = i
	}
	return key[:end]
}

// destinationOnly handles an entry that only the destination has, which WithDelete removes. It stays if
// it is below one of the unread paths: the source may have it in a directory that was not read.
func (j *job) destinationOnly(ctx context.Context, dst ends.Entry, unread *paths) error {
	if dst.Kind == ends.Unlisted {
		// The job removes nothing after a directory that could not be listed.
		j.unlisted = true
		j.reporter.countDestinationFailure(ctx, dst.Key, dst.Err)
		return nil
	}

	if !j.settings.remove || dst.Kind != ends.Regular || j.leavesOut(dst) {
		return nil
	}
	if _, mayBeInSource := unread.ancestor(dst.Key); mayBeInSource {
		return nil
	}
	if j.comparing {
		// Compare counts the files that WithDelete would remove.
		j.reporter.countRemoved(dst.Key, dst.Size)
		return nil
	}
	return j.removeLater(ctx, dst)
}

// enqueue counts a file of the source, and sends it to tasks if it may have to be transferred. An error
// ends the job.
func (j *job) enqueue(ctx context.Context, t task, files *paths, tasks chan<- task) error {
	j.reporter.meter.totalFiles.Add(1)
	t.step = j.settings.journal.Begin(t.src.Key)

	if t.src.Kind == ends.Ignored || t.src.Kind == ends.Excluded {
		j.ignore(t)
		return nil
	}

	j.sourceHasFiles = true
	j.unlisted = j.unlisted || t.src.Kind == ends.Unlisted
	if err := checkTask(j, &t, files); err != nil {
		j.countFailedTask(ctx, t.src.Key, err)
		return nil
	}
	if t.dstExists {
		j.replaceable++
	}

	t.comparison = copier.Differs
	if t.dstExists && !copiesAgain(j, t.src, t.dst) {
		t.comparison = compareKnown(j, &t)
	}
	if t.comparison == copier.Same {
		j.skip(t)
		return nil
	}

	// The file of the destination will be replaced, which must not happen if one end is a folder of the other.
	if t.dstExists {
		const isRemoval = false
		if err := j.places.LookThrough(ctx, isRemoval); err != nil {
			return err
		}
	}
	if t.comparison == copier.Differs {
		j.reporter.meter.totalBytes.Add(t.src.Size)
	}

	select {
	case tasks <- t:
		return nil
	case <-ctx.Done():
		return joberror.OfContext(ctx.Err())
	}
}

// checkTask returns an error if the file of the source cannot be transferred. files holds the keys of
// the earlier files, below which none can be stored in a directory.
func checkTask(j *job, t *task, files *paths) error {
	key := t.src.Key
	if t.src.Kind == ends.Unlisted || t.src.Kind == ends.Broken {
		// The listing could not read the directory, or the file of a broken link.
		return t.src.Err
	}
	if _, isTree := j.dst.(*ends.Tree); isTree {
		if ancestor, isBelow := files.add(key); isBelow {
			return joberror.OfFile("Download", key, ends.Collision(key, ancestor))
		}
	}

	// A move of an object onto itself would remove it.
	mayBeOneObject := t.dstExists && sameObject(t.src, t.dst) && !j.places.Distinct
	if j.settings.move && mayBeOneObject {
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

// compareKnown compares a file that both ends have by their listings and the cache of WithCache. If the
// result is Unclear, the task must read attributes or contents.
func compareKnown(j *job, t *task) copier.Comparison {
	if j.settings.missingOnly {
		return copier.Same
	}
	if t.dst.Size != t.src.Size {
		return copier.Differs
	}
	if j.settings.sizeOnly {
		return copier.Same
	}
	if j.settings.checksum {
		return copier.Unclear
	}

	comparison := j.copier.Compare(t.src, t.dst)
	if comparison == copier.Unclear && j.settings.cache.Has(t.src, t.dst) {
		return copier.Same
	}
	return comparison
}

// paths holds keys that may be directories of a later key. Each key in paths is a prefix of the
// next one, and is shorter. So paths is short: its length is at most the number of bytes of a key.
type paths []string

// add adds key to the paths. If key is below one of them, add instead returns that path and true.
func (p *paths) add(key string) (string, bool) {
	ancestor, ok := p.ancestor(key)
	if !ok {
		*p = append(*p, key)
	}
	return ancestor, ok
}

// ancestor returns the path of which key is a descendant, if there is one. Each path is a prefix of the
// next one. Keys ascend, so paths that are no prefix of key are dropped: no later key is below them.
func (p *paths) ancestor(key string) (string, bool) {
	for len(*p) > 0 && !strings.HasPrefix(key, (*p)[len(*p)-1]) {
		*p = (*p)[:len(*p)-1]
	}
	for _, path := range *p {
		rest := key[len(path):]
		if strings.HasPrefix(rest, "/") {
			return path, true
		}
	}
	return "", false
}
